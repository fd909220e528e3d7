/* verb_spf - `mailreeve spf`: may this host send mail for this domain?  Of the
 * policy only its DNS servers count; the result is for people and scripts. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "common/base/arena.h"
#include "common/base/ip.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "common/lookup/dns.h"
#include "common/lookup/spf.h"
#include "common/lookup/spf_box.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* RFC 7208 section 4.6.4: at least 20 seconds. */
enum { WAIT = 20 };

enum {
	KEY_IP = 256,
	KEY_HELO,
	KEY_FROM,
	KEY_DNS,
	KEY_ZONE,
	KEY_WAIT,
	KEY_EXPLANATION,
	KEY_ENGINE,
};

static const struct mr_flag flags[] = {
	MR_FLAG_CONFIG,
	{ KEY_IP, "ip", "IP", "address of the sending host" },
	{ KEY_HELO, "helo", "NAME", "what it says in HELO or EHLO" },
	{ KEY_FROM, "from", "ADDRESS",
		"envelope sender; \"\" or \"<>\" is the null sender, for\n"
		"which the HELO name is checked" },
	{ KEY_DNS, "dns", "ADDRESS[:PORT]",
		"look names up at this server (default: the policy's)" },
	{ KEY_ZONE, "zone", "FILE", "look names up in this zone file" },
	{ KEY_WAIT, "wait", "DURATION", "for the DNS, in all (default: 20s)" },
	{ KEY_EXPLANATION, "default-explanation", "TEXT",
		"of a fail that the domain does not explain" },
	{ KEY_ENGINE, "engine", "own|libspf2", "who evaluates (default: own)" },
	{ .name = NULL },
};

struct asked {
	struct mr_cli *cli;
	struct mr_ip ip;
	const char *helo, *from, *dns, *zone, *explanation;
	int64_t wait;
	bool libspf2;
};

/* --- options ------------------------------------------------------------ */

static void read_ip(struct asked *asked, const char *text)
{
	struct mr_error error;

	if (mr_ip_parse(text, &asked->ip, &error) < 0)
		mr_cli_misused(asked->cli, "--ip %s: %s", text, error.text);
}

static void read_wait(struct asked *asked, const char *text)
{
	struct mr_error error;

	if (mr_duration_parse(text, &asked->wait, &error) < 0)
		mr_cli_misused(asked->cli, "--wait %s: %s", text, error.text);
}

/* MAIL FROM's brackets may be there. */
static void read_from(struct asked *asked, const char *text)
{
	size_t length = strlen(text);

	if (length >= 2 && text[0] == '<' && text[length - 1] == '>')
		text = mr_arena_strndup(
			asked->cli->arena, text + 1, length - 2);
	asked->from = text;
}

static void read_engine(struct asked *asked, const char *text)
{
	asked->libspf2 = strcmp(text, "libspf2") == 0;
	if (!asked->libspf2 && strcmp(text, "own") != 0)
		mr_cli_misused(asked->cli,
			"--engine %s: there are \"own\" and \"libspf2\"", text);
}

static void read_flag(struct asked *asked, int key, const char *value)
{
	switch (key) {
	case KEY_IP:
		read_ip(asked, value);
		break;
	case KEY_HELO:
		asked->helo = value;
		break;
	case KEY_FROM:
		read_from(asked, value);
		break;
	case KEY_DNS:
		asked->dns = value;
		break;
	case KEY_ZONE:
		asked->zone = value;
		break;
	case KEY_WAIT:
		read_wait(asked, value);
		break;
	case KEY_EXPLANATION:
		asked->explanation = value;
		break;
	case KEY_ENGINE:
		read_engine(asked, value);
		break;
	default:
		break;
	}
}

static void require(struct asked *asked, bool given, const char *flag)
{
	if (!given)
		mr_cli_misused(asked->cli, "%s is missing", flag);
}

static void read_options(struct asked *asked)
{
	const char *value;
	int key;

	while ((key = mr_cli_next(asked->cli, &value)) != MR_CLI_END)
		read_flag(asked, key, value);
	mr_cli_operand(asked->cli, 0, 0);
	require(asked, asked->ip.family != 0, "--ip IP");
	require(asked, asked->helo != NULL, "--helo NAME");
	require(asked, asked->from != NULL, "--from ADDRESS");
	if (asked->zone != NULL && asked->dns != NULL)
		mr_cli_misused(
			asked->cli, "--zone and --dns exclude each other");
}

/* --- the check ---------------------------------------------------------- */

/* -1: it was said why. */
static int open_dns(const struct asked *asked, struct mr_dns **dns)
{
	struct mr_policy *policy;
	struct mr_error error;
	int status;

	if (asked->zone == NULL && asked->dns == NULL) {
		policy = mr_cli_policy(asked->cli);
		if (policy == NULL)
			return -1;
		*dns = mr_dns_hold(policy->dns);
		mr_policy_release(&policy);
		return 0;
	}
	status = asked->zone != NULL
	                 ? mr_dns_open_zone(asked->zone, dns, &error)
	                 : mr_dns_open_server(asked->dns, dns, &error);
	if (status < 0)
		mr_cli_say(asked->cli, "%s", error.text);
	return status;
}

/* Strangers wrote it; a terminal must not obey them. */
static const char *clean(struct mr_arena *arena, const char *text)
{
	char *copy = mr_arena_strdup(arena, text);

	mr_text_clean(copy, strlen(copy));
	return copy;
}

static enum mr_exit print(
	struct mr_cli *cli, const struct mr_spf_answer *answer)
{
	printf("%s  %s\n", mr_spf_word(answer->result),
		clean(cli->arena, answer->why));
	if (answer->explanation != NULL)
		printf("%s\n", clean(cli->arena, answer->explanation));
	switch (answer->result) {
	case MR_SPF_NONE:
	case MR_SPF_NEUTRAL:
	case MR_SPF_PASS:
	case MR_SPF_SOFTFAIL:
		return MR_EXIT_FINE;
	case MR_SPF_FAIL:
	case MR_SPF_PERMERROR:
		return MR_EXIT_NEGATIVE;
	case MR_SPF_TEMPERROR:
		break;
	}
	return MR_EXIT_LATER;
}

static void check(struct mr_cli *cli, const struct asked *asked,
	struct mr_dns *dns, const struct mr_spf_query *query,
	struct mr_spf_answer *answer)
{
	struct mr_spf_box *box;

	if (!asked->libspf2) {
		mr_spf_check(dns, query, cli->arena, answer);
		return;
	}
	box = mr_spf_box_new(NULL);
	mr_spf_box_check(box, dns, query, cli->arena, answer);
	mr_spf_box_free(&box);
}

static enum mr_exit run(struct mr_cli *cli)
{
	struct asked asked = { .cli = cli, .wait = WAIT };
	char hostname[HOST_NAME_MAX + 1] = "";
	struct mr_spf_answer answer;
	struct mr_spf_query query;
	struct mr_dns *dns;

	read_options(&asked);
	if (open_dns(&asked, &dns) < 0)
		return MR_EXIT_USAGE;
	gethostname(hostname, sizeof(hostname) - 1);
	query = (struct mr_spf_query){
		.ip = &asked.ip,
		.helo = asked.helo,
		.sender = asked.from,
		.receiver = hostname,
		.default_explanation = asked.explanation,
		.deadline_ms = mr_cli_deadline(asked.wait),
		.now = time(NULL),
	};
	check(cli, &asked, dns, &query, &answer);
	mr_dns_free(&dns);
	return print(cli, &answer);
}

const struct mr_verb mr_verb_spf = {
	.name = "spf",
	.summary = "may this host send mail for this domain (RFC 7208)?",
	.help = "Evaluates the SPF record of the sender's domain.  The first "
		"word of the first\n"
		"line is the result, the rest says why; the second line, if "
		"there is one, is the\n"
		"explanation.  Needed are --ip, --helo and --from, as in\n"
		"\n"
		"  mailreeve spf --ip 192.0.2.7 --helo mail.example.org \\\n"
		"      --from ann@example.org\n"
		"\n"
		"Exit status: 0 none, neutral, pass or softfail, 1 fail or "
		"permerror, 2 wrong usage\n"
		"or policy, 75 temperror.\n",
	.flags = flags,
	.run = run,
};
