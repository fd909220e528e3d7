/* sections - the option tables; see sections.h.  A row is a setting: it parses,
 * prints its default, is documented by `mailreeve settings` and compared with
 * mailreeve.conf(5) by a test. */
/* SPDX-License-Identifier: ISC */
#include "common/config/sections.h"
#include "common/base/address.h"
#include "common/config/problem.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define AT(type, member) offsetof(struct type, member)

static const char *const mode_words[] = { "enforce", "observe", NULL };
static const char *const failure_words[] = { "tempfail", "accept", NULL };
static const char *const auth_words[] = { "optional", "required", "refuse",
	NULL };
static const char *const judge_words[] = { "milter", "policyd", NULL };
static const char *const full_words[] = { "defer", "reject", NULL };

static const struct mr_option global_options[] = {
	{ "hostname", MR_TYPE_STRING, .unpublished = true,
		.offset = AT(mr_global, hostname),
		.help = "The name of this mail server in replies and headers; "
			"by default the system's host name." },
	{ "mode", MR_TYPE_ENUM, .offset = AT(mr_global, mode),
		.initial = "enforce", .words = mode_words,
		.help = "With observe nothing is refused, tagged or purged: "
			"what would have happened is only logged and "
			"counted." },
	{ "trusted", MR_TYPE_NETWORK, .unpublished = true, .list = true,
		.offset = AT(mr_global, trusted),
		.initial = "127.0.0.0/8 [::1]/128",
		.help = "Clients that sender checks do not apply to: own "
			"networks, webmail, an own backup MX." },
	{ "exempt", MR_TYPE_PATTERN, .unpublished = true, .list = true,
		.offset = AT(mr_global, exempt),
		.initial = "postmaster@* abuse@*",
		.help = "Recipients that sender checks do not apply to, so "
			"that a wrongly refused sender can reach a person." },
	{ "tag_header", MR_TYPE_STRING, .offset = AT(mr_global, tag_header),
		.initial = "X-Mailreeve",
		.help = "The header that the action tag and scanners add to a "
			"mail." },
	{ "on_failure", MR_TYPE_ENUM, .unpublished = true,
		.offset = AT(mr_global, on_failure), .initial = "tempfail",
		.words = failure_words,
		.help = "What Postfix does with mail while Mailreeve does not "
			"answer; setup prints it as default_action." },
	{ "wait", MR_TYPE_DURATION, .unpublished = true,
		.offset = AT(mr_global, wait), .initial = "8s",
		.help = "The longest that one mail waits for look-ups, all "
			"together; what is unknown then is unsure." },
	{ "judge", MR_TYPE_ENUM, .unpublished = true,
		.offset = AT(mr_global, judge), .initial = "milter",
		.words = judge_words,
		.help = "Which program judges the mail of listeners that do "
			"not say; the other lets it pass." },
	{ NULL },
};

static struct mr_place place_of(const struct mr_option *options,
	const struct mr_place *places, size_t offset)
{
	size_t i = 0;

	while (options[i].offset != offset)
		i++;
	return places[i];
}

/* Forged headers of that name are deleted, so it must not be anybody else's. */
static bool is_own_header(const char *name)
{
	const char *p = name;

	for (; *p > ' ' && *p <= '~' && *p != ':'; p++)
		;
	return *p == '\0' && strncasecmp(name, "X-", 2) == 0 &&
	       name[2] != '\0' && p - name <= 64;
}

static bool is_host(const char *name)
{
	enum mr_hostname kind = mr_hostname_check(name);

	return kind == MR_HOSTNAME_FINE || kind == MR_HOSTNAME_NOT_QUALIFIED;
}

static void validate_global(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_global *global = values;

	/* Postfix's milter_command_timeout, as setup prints it, is 30 s. */
	if (global->wait < 1 || global->wait > 25)
		mr_problem_add(problems, MR_MISTAKE,
			place_of(global_options, places, AT(mr_global, wait)),
			"wait must be from 1s to 25s: Postfix gives up on a "
			"milter after 30s");
	if (global->hostname != NULL && !is_host(global->hostname))
		mr_problem_add(problems, MR_MISTAKE,
			place_of(global_options, places,
				AT(mr_global, hostname)),
			"\"%.64s\" is not a host name", global->hostname);
	if (!is_own_header(global->tag_header))
		mr_problem_add(problems, MR_MISTAKE,
			place_of(global_options, places,
				AT(mr_global, tag_header)),
			"tag_header must be a name of its own that begins with "
			"X-, as forged ones are deleted");
}

const struct mr_section mr_section_global = {
	.rung = MR_UNSET,
	.where = MR_IN(MR_GLOBAL),
	.published = true,
	.options = global_options,
	.size = sizeof(struct mr_global),
	.validate = validate_global,
	.help = "Settings of the whole installation.",
};

static const struct mr_option maps_options[] = {
	{ "domains", MR_TYPE_MAP, .list = true, .offset = AT(mr_maps, domains),
		.help = "The hosted domains: the tables of Postfix's "
			"virtual_mailbox_domains and virtual_alias_domains." },
	{ "aliases", MR_TYPE_MAP, .list = true, .offset = AT(mr_maps, aliases),
		.help = "The tables of Postfix's virtual_alias_maps." },
	{ "mailboxes", MR_TYPE_MAP, .list = true,
		.offset = AT(mr_maps, mailboxes),
		.help = "Who has a mailbox: the tables of Postfix's "
			"virtual_mailbox_maps, or Dovecot's userdb." },
	{ "recipient_delimiter", MR_TYPE_STRING,
		.offset = AT(mr_maps, recipient_delimiter), .initial = "+",
		.help = "What separates a user from a detail, as in Postfix; "
			"empty for nothing." },
	{ NULL },
};

const struct mr_section mr_section_maps = {
	.name = "maps",
	.rung = MR_UNSET,
	.where = MR_IN(MR_GLOBAL),
	.options = maps_options,
	.size = sizeof(struct mr_maps),
	.help = "The tables that say who is hosted here.",
};

static const struct mr_option message_options[] = {
	{ "size", MR_TYPE_SIZE, .offset = AT(mr_message, size),
		.initial = "unlimited",
		.help = "The largest mail, in octets as sent (RFC 5322, with "
			"CRLF); attached files may have about 1/1.37 of it." },
	{ "verify", MR_TYPE_ENUM, .unpublished = true,
		.offset = AT(mr_message, verify), .initial = "milter",
		.words = judge_words,
		.help = "Who compares size with the true size of what the "
			"milter judges; with policyd the milter asks for no "
			"body." },
	{ NULL },
};

static void validate_message(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	if (((const struct mr_message *)values)->size == 0)
		mr_problem_add(problems, MR_MISTAKE, places[0],
			"size = 0 would refuse all mail; no limit is written "
			"size = unlimited");
}

const struct mr_section mr_section_message = {
	.name = "message",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.published = true,
	.options = message_options,
	.size = sizeof(struct mr_message),
	.validate = validate_message,
	.help = "Limits of a single mail.",
};

static int check_listener(const char *title, struct mr_error *error)
{
	struct mr_error ignored;
	int64_t port;

	if (title[0] != '0' &&
		mr_number_parse(title, 1, 65535, &port, &ignored) == 0)
		return 0;
	if (strspn(title, "0123456789") == strlen(title))
		return mr_error_set(
			error, "a port is a number from 1 to 65535");
	for (const char *p = title; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) &&
			strchr("._:-[]/", *p) == NULL)
			return mr_error_set(error,
				"a listener is a port (1 to 65535) or a "
				"Postfix daemon_name");
	return 0;
}

static const struct mr_option listener_options[] = {
	{ "auth", MR_TYPE_ENUM, .offset = AT(mr_listener, auth),
		.initial = "optional", .words = auth_words,
		.help = "Whether clients must log in (required) or must not "
			"(refuse) on this port." },
	{ "tls", MR_TYPE_TLS, .offset = AT(mr_listener, tls), .initial = "no",
		.help = "The least TLS version on this port: no, yes (any), "
			"TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3." },
	{ "login", MR_TYPE_BOOLEAN, .offset = AT(mr_listener, login),
		.initial = "yes",
		.help = "With no, setup prints the lines that close this IMAP "
			"or POP3 port." },
	{ "judge", MR_TYPE_ENUM, .offset = AT(mr_listener, judge),
		.words = judge_words,
		.help = "Which program judges the mail of this port, as in "
			"the global judge." },
	{ NULL },
};

const struct mr_section mr_section_listener = {
	.name = "listener",
	.title = "PORT",
	.rung = MR_LISTENER,
	.where = MR_IN(MR_GLOBAL),
	.options = listener_options,
	.size = sizeof(struct mr_listener),
	.check_title = check_listener,
	.help = "Rules of a port, by number or by Postfix daemon_name.",
};

static const struct mr_option group_options[] = {
	{ "members", MR_TYPE_MAP, .list = true, .offset = AT(mr_group, members),
		.help = "The tables that have the addresses of the members as "
			"keys." },
	{ NULL },
};

static void validate_group(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_group *group = values;

	if (group->members.count == 0)
		mr_problem_add(problems, MR_MISTAKE, places[0],
			"a group needs members = TYPE:NAME");
}

const struct mr_section mr_section_group = {
	.name = "group",
	.title = "NAME",
	.one_title = true,
	.rung = MR_GROUP,
	.where = MR_IN(MR_GLOBAL),
	.published = true,
	.options = group_options,
	.size = sizeof(struct mr_group),
	.validate = validate_group,
	.help = "Rules of the addresses in a table; of several groups that an "
		"address is in only the first in the file counts.",
};

static int check_domain(const char *title, struct mr_error *error)
{
	if (mr_hostname_check(title) != MR_HOSTNAME_FINE ||
		title[strlen(title) - 1] == '.')
		return mr_error_set(error,
			"a domain is written like example.net, several with "
			"blanks between them");
	return 0;
}

static const struct mr_option domain_options[] = {
	{ "tls", MR_TYPE_TLS, .unpublished = true, .offset = AT(mr_domain, tls),
		.initial = "no",
		.help = "The least TLS version for logins of this domain; the "
			"listener's own still applies." },
	{ NULL },
};

const struct mr_section mr_section_domain = {
	.name = "domain",
	.title = "DOMAIN",
	.rung = MR_DOMAIN,
	.where = MR_IN(MR_GLOBAL),
	.published = true,
	.options = domain_options,
	.size = sizeof(struct mr_domain),
	.check_title = check_domain,
	.help = "Rules of the addresses of a domain.",
};

static int check_user(const char *title, struct mr_error *error)
{
	const char *at = strrchr(title, '@');

	if (at == NULL || at == title || strpbrk(title, "<> \t") != NULL ||
		check_domain(at + 1, error) < 0)
		return mr_error_set(
			error, "a user is written like somebody@example.net");
	return 0;
}

static const struct mr_option user_options[] = { { NULL } };

const struct mr_section mr_section_user = {
	.name = "user",
	.title = "ADDRESS",
	.rung = MR_USER,
	.where = MR_IN(MR_GLOBAL),
	.published = true,
	.options = user_options,
	.size = sizeof(struct mr_user),
	.check_title = check_user,
	.help = "Rules of one address.",
};

static const struct mr_option exception_options[] = {
	{ "client", MR_TYPE_NETWORK, .list = true,
		.offset = AT(mr_exception, client),
		.help = "Networks of clients." },
	{ "client_name", MR_TYPE_STRING, .list = true,
		.offset = AT(mr_exception, client_name),
		.help = "Names of clients as Postfix verified them; * matches "
			"anything." },
	{ "helo", MR_TYPE_STRING, .list = true,
		.offset = AT(mr_exception, helo),
		.help = "HELO names; anyone can say any." },
	{ "sender", MR_TYPE_PATTERN, .list = true,
		.offset = AT(mr_exception, sender),
		.help = "Envelope senders; anyone can say any." },
	{ "recipient", MR_TYPE_PATTERN, .list = true,
		.offset = AT(mr_exception, recipient), .help = "Recipients." },
	{ "login", MR_TYPE_PATTERN, .list = true,
		.offset = AT(mr_exception, login), .help = "Logins." },
	{ "skip", MR_TYPE_STRING, .list = true,
		.offset = AT(mr_exception, skip),
		.help = "The checks that are not asked: their names, or all." },
	{ "until", MR_TYPE_DATE, .offset = AT(mr_exception, until),
		.help = "The last day on which the exception holds." },
	{ "reason", MR_TYPE_STRING, .offset = AT(mr_exception, reason),
		.help = "Why; explain shows it." },
	{ NULL },
};

static void validate_exception(const void *values,
	const struct mr_place *places, struct mr_problems *problems)
{
	const struct mr_exception *e = values;

	if (e->skip.count == 0)
		mr_problem_add(problems, MR_MISTAKE, places[0],
			"an exception needs skip = CHECK... or skip = all");
	if (e->client.count + e->client_name.count + e->helo.count +
			e->sender.count + e->recipient.count + e->login.count ==
		0)
		mr_problem_add(problems, MR_MISTAKE, places[0],
			"an exception without a condition would hold for "
			"everybody; use action = off instead");
}

const struct mr_section mr_section_exception = {
	.name = "exception",
	.title = "NAME",
	.one_title = true,
	.rung = MR_UNSET,
	.where = MR_IN(MR_GLOBAL),
	.options = exception_options,
	.size = sizeof(struct mr_exception),
	.validate = validate_exception,
	.help = "Checks that are not asked where all of its conditions hold.",
};

static const struct mr_option mailbox_options[] = {
	{ "quota", MR_TYPE_SIZE, .offset = AT(mr_mailbox, quota),
		.initial = "1G",
		.help = "What a mailbox may hold, Trash and deleted but not "
			"expunged mail included." },
	{ "warn", MR_TYPE_PERCENT, .list = true, .offset = AT(mr_mailbox, warn),
		.initial = "80% 95%",
		.help = "The levels at which the owner is warned." },
	{ "full", MR_TYPE_ENUM, .offset = AT(mr_mailbox, full),
		.initial = "defer", .words = full_words,
		.help = "Mail for a full mailbox: defer (452 4.2.2, the sender "
			"keeps trying) or reject (552 5.2.2)." },
	{ "trash", MR_TYPE_SIZE, .offset = AT(mr_mailbox, trash),
		.initial = "25M",
		.help = "What a copy to the Trash may exceed the quota by, so "
			"that deleting works in a full mailbox; where only "
			"message { size } is set, that size." },
	{ "warn_command", MR_TYPE_STRING,
		.offset = AT(mr_mailbox, warn_command),
		.help = "A program that is run at a level instead of sending a "
			"mail; only root may own and write it." },
	{ "warn_mail", MR_TYPE_STRING, .offset = AT(mr_mailbox, warn_mail),
		.help = "The file with the mail that the owner gets at a level; "
			"without it, a short text." },
	{ NULL },
};

static void require_path(const char *path, const struct mr_place *places,
	size_t offset, struct mr_problems *problems)
{
	if (path != NULL && path[0] != '/')
		mr_problem_add(problems, MR_MISTAKE,
			place_of(mailbox_options, places, offset),
			"\"%.100s\" is not a path that begins with /", path);
}

static void validate_mailbox(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_mailbox *mailbox = values;
	const int64_t *warn = mailbox->warn.items;

	for (size_t i = 1; i < mailbox->warn.count; i++)
		if (warn[i] <= warn[i - 1]) {
			mr_problem_add(problems, MR_MISTAKE, places[1],
				"warning levels must rise: %d%% comes after "
				"%d%%",
				(int)warn[i], (int)warn[i - 1]);
			break;
		}
	require_path(mailbox->warn_command, places,
		AT(mr_mailbox, warn_command), problems);
	require_path(mailbox->warn_mail, places, AT(mr_mailbox, warn_mail),
		problems);
}

const struct mr_section mr_section_mailbox = {
	.name = "mailbox",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE & ~MR_IN(MR_LISTENER),
	.published = true,
	.options = mailbox_options,
	.size = sizeof(struct mr_mailbox),
	.validate = validate_mailbox,
	.help = "What a mailbox may hold; published for the Dovecot plugin.",
};

static const struct mr_option purge_options[] = {
	{ "after", MR_TYPE_DURATION, .offset = AT(mr_purge, after),
		.help = "How long a mail stays, from when it entered the "
			"folder." },
	{ "keep_flagged", MR_TYPE_BOOLEAN, .offset = AT(mr_purge, keep_flagged),
		.initial = "yes",
		.help = "Whether flagged mail stays for good." },
	{ NULL },
};

static void validate_purge(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_purge *purge = values;

	if (purge->after == 0)
		mr_problem_add(problems, MR_MISTAKE, places[0],
			"purge needs after = DURATION, as in after = 92d");
	else if (purge->after < 24 * 60 * 60)
		mr_problem_add(problems, MR_MISTAKE, places[0],
			"after must be at least 1d");
}

const struct mr_section mr_section_purge = {
	.name = "purge",
	.title = "FOLDER",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE & ~MR_IN(MR_LISTENER),
	.published = true,
	.options = purge_options,
	.size = sizeof(struct mr_purge),
	.validate = validate_purge,
	.help = "When mail leaves a folder, by name, \\Special-Use or *; "
		"without a rule it never does.  Published for the Dovecot "
		"plugin.",
};

static const struct mr_option keep_options[] = {
	{ "minimum", MR_TYPE_DURATION, .offset = AT(mr_keep, minimum),
		.initial = "3d",
		.help = "Nothing younger is purged, whatever a purge section "
			"says." },
	{ "share", MR_TYPE_PERCENT, .offset = AT(mr_keep, share),
		.initial = "50%",
		.help = "The most of a user's mail that one purge removes; if "
			"more is due nothing goes until somebody at a "
			"terminal agrees." },
	{ NULL },
};

const struct mr_section mr_section_keep = {
	.name = "keep",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE & ~MR_IN(MR_LISTENER),
	.published = true,
	.options = keep_options,
	.size = sizeof(struct mr_keep),
	.help = "A floor under all purging; published for the Dovecot plugin.",
};
