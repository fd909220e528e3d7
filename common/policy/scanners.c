/* scanners - see scanners.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/scanners.h"
#include "common/base/address.h"
#include "common/base/arena.h"

#include <string.h>
#include <strings.h>

/* --- header and trust */

static const char blanks[] = " \t";

/* RFC 5322 section 3.6.8 */
static bool is_header_name(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return length > 0;
}

static int parse_header(struct mr_arena *arena, const char *text,
	struct mr_scanner_rule *rule, struct mr_error *error)
{
	size_t length = strcspn(text, ":");
	const char *pattern = text + length;

	pattern += *pattern == ':';
	pattern += strspn(pattern, blanks);
	if (!is_header_name(text, length) || *pattern == '\0')
		return mr_error_set(error,
			"a scanner's header is NAME: VALUE, as in "
			"X-Spam-Flag: YES");
	rule->header = mr_arena_strndup(arena, text, length);
	rule->pattern = pattern;
	return 0;
}

/* What stands behind the word and blanks; NULL: another word. */
static const char *behind(const char *text, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(text, word, length) != 0 ||
		strspn(text + length, blanks) == 0)
		return NULL;
	return text + length + strspn(text + length, blanks);
}

static int parse_trust(
	const char *text, struct mr_scanner_rule *rule, struct mr_error *error)
{
	const char *listener = behind(text, "reinjected");
	const char *name = behind(text, "authserv-id");

	if (strcmp(text, "before") == 0) {
		rule->trust = MR_TRUST_BEFORE;
		return 0;
	}
	if (listener != NULL) {
		rule->trust = MR_TRUST_REINJECTED;
		if (mr_ip_port_parse(listener, 0, &rule->address, &rule->port,
			    error) < 0)
			return -1;
		if (rule->port != 0)
			return 0;
	}
	if (name != NULL && mr_hostname_check(name) != MR_HOSTNAME_INVALID) {
		rule->trust = MR_TRUST_AUTHSERV_ID;
		rule->authserv_id = name;
		return 0;
	}
	return mr_error_set(error,
		"trust is before, reinjected ADDRESS:PORT, as in reinjected "
		"127.0.0.1:10025, or authserv-id NAME");
}

static const struct mr_settings *settings_of(const struct mr_config *config,
	const char *name, struct mr_arena *arena)
{
	return mr_config_get(config, NULL, &mr_section_scanner, name, arena);
}

void mr_policy_open_scanners(struct mr_policy *policy)
{
	struct mr_arena *arena = policy->arena;
	const char *const *names = mr_config_titles(
		policy->config, NULL, &mr_section_scanner, arena);
	struct mr_scanner_rule *rule;
	struct mr_error ignored;
	size_t n = 0;

	while (names[n] != NULL)
		n++;
	policy->scanners = rule =
		MR_NEW_ARRAY(arena, struct mr_scanner_rule, n + 1);
	policy->n_scanners = n;
	for (; *names != NULL; names++, rule++) {
		const struct mr_settings *settings =
			settings_of(policy->config, *names, arena);
		const struct mr_scanner *scanner = settings->values;

		rule->name = *names;
		rule->at = mr_settings_place(
			settings, offsetof(struct mr_scanner, header));
		parse_header(arena, scanner->header, rule, &ignored);
		parse_trust(scanner->trust, rule, &ignored);
	}
}

/* --- what cannot be meant */

struct verifier {
	const struct mr_config *config;
	struct mr_problems *problems;
	struct mr_scanner_rule rules[MR_SCANNERS_MOST];
	size_t n;
	const struct mr_scope *seen; /* the last one below the top */
};

/* Headers that others live by, or that are deleted as forged. */
static bool is_taken(const struct verifier *v, const char *header)
{
	static const char *const taken[] = { "Authentication-Results",
		"Received-SPF", "Received", "Subject", "From", "To", "Date",
		NULL };
	const struct mr_global *global = mr_config_get(
		v->config, NULL, &mr_section_global, NULL, v->problems->arena)
	                                         ->values;

	for (int i = 0; taken[i] != NULL; i++)
		if (strcasecmp(header, taken[i]) == 0)
			return true;
	return strcasecmp(header, global->tag_header) == 0;
}

static const char *own_name(const struct verifier *v)
{
	struct mr_arena *arena = v->problems->arena;
	const struct mr_global *global =
		mr_config_get(v->config, NULL, &mr_section_global, NULL, arena)
			->values;
	const struct mr_results_settings *results =
		mr_config_get(v->config, NULL, &mr_section_results, NULL, arena)
			->values;

	return results->authserv_id != NULL ? results->authserv_id
	                                    : global->hostname;
}

static void verify_trust(struct verifier *v, const struct mr_scanner_rule *rule,
	struct mr_place at)
{
	const char *own = own_name(v);

	if (rule->trust == MR_TRUST_REINJECTED &&
		(rule->port == 25 || rule->port == 465 || rule->port == 587))
		mr_problem_add(v->problems, MR_WARNING, at,
			"mail from everybody comes in at port %u: a content "
			"filter needs a listener of its own",
			rule->port);
	if (rule->trust == MR_TRUST_AUTHSERV_ID && own != NULL &&
		strcasecmp(rule->authserv_id, own) == 0)
		mr_problem_add(v->problems, MR_MISTAKE, at,
			"%.64s is this server itself: name the one that scans",
			own);
	for (size_t i = 0; i < v->n; i++)
		if (v->rules[i].trust != rule->trust &&
			strcasecmp(v->rules[i].header, rule->header) == 0)
			mr_problem_add(v->problems, MR_MISTAKE, at,
				"scanner %s trusts the header %s in another "
				"way: it is one header",
				v->rules[i].name, rule->header);
}

static void verify_scanner(struct verifier *v, const char *name)
{
	const struct mr_settings *settings =
		settings_of(v->config, name, v->problems->arena);
	const struct mr_scanner *scanner = settings->values;
	struct mr_place at = mr_settings_first_place(settings);
	struct mr_place trust_at =
		mr_settings_place(settings, offsetof(struct mr_scanner, trust));
	struct mr_scanner_rule rule = { .name = name, .at = at };
	struct mr_error error;

	if (scanner->header == NULL) {
		mr_problem_add(v->problems, MR_MISTAKE, at,
			"scanner %s has no header at the top of the file: "
			"header = NAME: VALUE",
			name);
		return;
	}
	if (parse_header(v->problems->arena, scanner->header, &rule, &error) <
		0) {
		mr_problem_add(v->problems, MR_MISTAKE, at, "%s", error.text);
		return;
	}
	if (is_taken(v, rule.header))
		mr_problem_add(v->problems, MR_MISTAKE, at,
			"%s is no header of a scanner's own", rule.header);
	if (parse_trust(scanner->trust, &rule, &error) < 0) {
		mr_problem_add(
			v->problems, MR_MISTAKE, trust_at, "%s", error.text);
		return;
	}
	verify_trust(v, &rule, trust_at);
	v->rules[v->n++] = rule;
}

static void see_at_the_top(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;

	(void)value;
	if (scope->rung != MR_GLOBAL)
		mr_problem_add(v->problems, MR_MISTAKE, *at,
			"header and trust stand at the top of the file: they "
			"are the mail's, whoever gets it");
}

struct wanted {
	bool subject, anything;
	struct mr_place at;
};

static void see_subject(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct wanted *wanted = context;

	(void)scope;
	if (mr_scanner_word(*(const char *const *)value) == NULL)
		return;
	wanted->subject = wanted->anything = true;
	wanted->at = *at;
}

static void see_folder(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	(void)scope;
	(void)at;
	((struct wanted *)context)->anything |=
		mr_scanner_word(*(const char *const *)value) != NULL;
}

/* A section below the top changes what the top has, it makes no scanner. */
static void see_below(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;
	struct mr_chain chain = { 0 };
	struct mr_arena *arena = v->problems->arena;
	const char *const *names;

	(void)value;
	if (scope->rung == MR_GLOBAL || scope == v->seen)
		return;
	v->seen = scope;
	chain.scope[scope->rung] = scope;
	names = mr_config_titles(v->config, &chain, &mr_section_scanner, arena);
	for (; *names != NULL; names++)
		if (mr_settings_first_place(
			    settings_of(v->config, *names, arena))
				.file == NULL)
			mr_problem_add(v->problems, MR_MISTAKE, *at,
				"scanner %s is not at the top of the file, "
				"where its header and trust stand",
				*names);
}

static void verify_wanted(struct verifier *v)
{
	const struct mr_maps *maps = mr_config_get(
		v->config, NULL, &mr_section_maps, NULL, v->problems->arena)
	                                     ->values;
	struct wanted wanted = { 0 };

	mr_config_each(v->config, &mr_section_scanner,
		offsetof(struct mr_scanner, subject), see_subject, &wanted);
	mr_config_each(v->config, &mr_section_scanner,
		offsetof(struct mr_scanner, folder), see_folder, &wanted);
	if (wanted.subject &&
		(maps->domains.count == 0 || maps->mailboxes.count == 0))
		mr_problem_add(v->problems, MR_WARNING, wanted.at,
			"without maps { domains, mailboxes } nobody knows "
			"which mail is forwarded: signed mail keeps its "
			"Subject");
	for (size_t i = 0; i < v->n && !wanted.anything; i++)
		mr_problem_add(v->problems, MR_WARNING, v->rules[i].at,
			"nothing comes of scanner %s but a mark: set subject "
			"or folder",
			v->rules[i].name);
}

void mr_policy_verify_scanners(
	const struct mr_config *config, struct mr_problems *problems)
{
	static const size_t mailbox[] = { offsetof(struct mr_scanner, subject),
		offsetof(struct mr_scanner, folder),
		offsetof(struct mr_scanner, sieve) };
	static const size_t mail[] = { offsetof(struct mr_scanner, header),
		offsetof(struct mr_scanner, trust) };
	struct verifier v = { .config = config, .problems = problems };
	const char *const *names = mr_config_titles(
		config, NULL, &mr_section_scanner, problems->arena);

	for (size_t i = 0; names[i] != NULL; i++) {
		if (i < MR_SCANNERS_MOST)
			verify_scanner(&v, names[i]);
		else
			mr_problem_add(problems, MR_MISTAKE,
				mr_settings_first_place(settings_of(
					config, names[i], problems->arena)),
				"%d scanners are the most", MR_SCANNERS_MOST);
	}
	for (size_t i = 0; i < sizeof(mail) / sizeof(*mail); i++)
		mr_config_each(config, &mr_section_scanner, mail[i],
			see_at_the_top, &v);
	for (size_t i = 0; i < sizeof(mailbox) / sizeof(*mailbox); i++)
		mr_config_each(
			config, &mr_section_scanner, mailbox[i], see_below, &v);
	verify_wanted(&v);
}
