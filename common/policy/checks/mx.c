/* mx - does the MX of a hosted domain lead here?  (P20)  A domain that moved
 * away, or whose MX is misspelt, gets only the mail that was sent past its MX.
 * That is its owner's to mend and nobody's fault who sends, hence the default
 * observe.  A machine of ours that relays (a backup MX) is trusted and not
 * asked, as our logins are not. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/config/sections.h"
#include "common/policy/check.h"
#include "common/policy/facts.h"

#include <string.h>

enum { ELSEWHERE, MISSING };

/* Hosts of one MX record set whose addresses are looked at, as in RFC 7208
 * section 4.6.4. */
enum { HOSTS_MOST = 10 };

struct mx_settings {
	struct mr_rule rule;
	struct mr_list names;     /* globs */
	struct mr_list addresses; /* struct mr_network */
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("observe", "accept",
		"The MX of {recipient} cannot be looked up just now: please "
		"try again later"),
	{ "names", MR_TYPE_STRING, .list = true,
		.offset = offsetof(struct mx_settings, names),
		.help = "Names that an MX of ours has; * matches any text; by "
			"default hostname." },
	{ "addresses", MR_TYPE_NETWORK, .list = true,
		.offset = offsetof(struct mx_settings, addresses),
		.help = "Addresses of ours that an MX may lead to, beside "
			"those that the names have in the DNS." },
	MR_OUTCOME_OPTIONS(ELSEWHERE, "elsewhere", NULL,
		"The MX of {recipient} leads to {detail}, not to this server: "
		"please deliver there",
		"the domain's MX leads to others only"),
	MR_OUTCOME_OPTIONS(MISSING, "missing", NULL,
		"The domain of {recipient} has no MX in the DNS: please tell "
		"its owner",
		"the domain has no MX and no address, or a null MX"),
	{ NULL },
};

const struct mr_section mr_check_section_mx = {
	.name = "check",
	.kind = "mx",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct mx_settings),
	.help = "Whether the MX of a hosted domain leads to this server; never "
		"asked of logins and trusted clients.",
};

static const struct mr_outcome outcomes[] = {
	[ELSEWHERE] = { "elsewhere", { 550, "5.1.2" }, { 450, "4.1.2" } },
	[MISSING] = { "missing", { 550, "5.1.2" }, { 450, "4.1.2" } },
	{ NULL },
};

/* Who we are, and what could not be found out about that. */
struct search {
	struct mr_txn *txn;
	const struct mx_settings *settings;
	const char *const *names;
	size_t n_names;
	const char *why;
};

/* --- the domain's hosts */

struct hosts {
	const char *names[HOSTS_MOST];
	size_t n;
};

/* Its MX, or by RFC 5321 section 5.1 the domain itself.  MR_NOTFOUND: there is
 * nowhere to send its mail to. */
static enum mr_lookup find_hosts(struct mr_txn *txn, const char *domain,
	struct hosts *hosts, const char **why)
{
	struct mr_dns_answer mx;
	enum mr_lookup found = mr_fact_dns(txn, domain, MR_DNS_MX, &mx, why);

	for (size_t i = 0; i < mx.n && hosts->n < HOSTS_MOST; i++)
		if (mx.records[i].target != NULL &&
			*mx.records[i].target != '\0')
			hosts->names[hosts->n++] = mx.records[i].target;
	if (found == MR_FOUND && hosts->n == 0)
		return MR_NOTFOUND;
	if (found != MR_NOTFOUND || !mx.exists)
		return found;
	hosts->names[hosts->n++] = domain;
	return mr_fact_has_address(txn, domain, why);
}

static const char *list_hosts(struct mr_arena *arena, const struct hosts *hosts)
{
	const char *text = hosts->names[0];

	for (size_t i = 1; i < hosts->n; i++)
		text = mr_arena_printf(arena, "%s, %s", text, hosts->names[i]);
	return text;
}

/* --- is it one of ours? */

static bool is_own_name(const struct search *s, const char *host)
{
	for (size_t i = 0; i < s->n_names; i++)
		if (mr_text_glob(s->names[i], host))
			return true;
	return false;
}

static const struct mr_dns_answer *ask(
	struct search *s, const char *name, enum mr_dns_type type)
{
	struct mr_dns_answer *answer =
		MR_NEW(s->txn->arena, struct mr_dns_answer);

	mr_fact_dns(s->txn, name, type, answer, &s->why);
	return answer;
}

static bool is_own_address(
	struct search *s, enum mr_dns_type type, const struct mr_ip *ip)
{
	const struct mr_network *networks = s->settings->addresses.items;

	for (size_t i = 0; i < s->settings->addresses.count; i++)
		if (mr_network_contains(&networks[i], ip))
			return true;
	for (size_t i = 0; i < s->n_names; i++)
		if (strchr(s->names[i], '*') == NULL &&
			mr_dns_answer_has(ask(s, s->names[i], type), ip))
			return true;
	return false;
}

static bool has_own_address(
	struct search *s, const char *host, enum mr_dns_type type)
{
	const struct mr_dns_answer *answer = ask(s, host, type);

	for (size_t i = 0; i < answer->n; i++)
		if (is_own_address(s, type, &answer->records[i].ip))
			return true;
	return false;
}

static void ask_ahead(const struct search *s, const char *name)
{
	mr_dns_prefetch(s->txn->policy->dns, name, MR_DNS_A);
	mr_dns_prefetch(s->txn->policy->dns, name, MR_DNS_AAAA);
}

static bool leads_here(struct search *s, const struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->n; i++)
		if (is_own_name(s, hosts->names[i]))
			return true;
	for (size_t i = 0; i < hosts->n; i++)
		ask_ahead(s, hosts->names[i]);
	for (size_t i = 0; i < s->n_names; i++)
		if (strchr(s->names[i], '*') == NULL)
			ask_ahead(s, s->names[i]);
	for (size_t i = 0; i < hosts->n; i++)
		if (has_own_address(s, hosts->names[i], MR_DNS_A) ||
			has_own_address(s, hosts->names[i], MR_DNS_AAAA))
			return true;
	return false;
}

/* --- the check */

static enum mr_finding look_up(
	const struct mr_question *q, struct mr_answer *answer)
{
	const struct mx_settings *settings = q->settings;
	struct search search = {
		.txn = q->txn,
		.settings = settings,
		.names = settings->names.items,
		.n_names = settings->names.count,
	};
	struct hosts hosts = { .n = 0 };

	if (search.n_names == 0) {
		search.names = &q->policy->global->hostname;
		search.n_names = 1;
	}
	switch (find_hosts(q->txn, q->recipient->address.domain, &hosts,
		&answer->detail)) {
	case MR_TEMPFAIL:
		return MR_UNSURE;
	case MR_NOTFOUND:
		answer->outcome = MISSING;
		answer->detail = "the domain has no MX and no address";
		return MR_HIT;
	case MR_FOUND:
		break;
	}
	answer->detail = list_hosts(q->txn->arena, &hosts);
	if (leads_here(&search, &hosts))
		return MR_CLEAR;
	if (search.why != NULL) {
		answer->detail = search.why;
		return MR_UNSURE;
	}
	answer->outcome = ELSEWHERE;
	return MR_HIT;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	if (mr_fact_recipient(q) == MR_TEMPFAIL) {
		answer->detail = q->recipient->unresolved;
		return MR_UNSURE;
	}
	if (q->recipient->found.kind == MR_RECIPIENT_FOREIGN) {
		answer->detail = "not a hosted domain";
		return MR_SKIP;
	}
	return look_up(q, answer);
}

static void ahead(const struct mr_policy *policy,
	const struct mr_session *session, const struct mr_txn *txn,
	unsigned moments)
{
	(void)session;
	(void)moments;
	mr_dns_prefetch(policy->dns, txn->newest->address.domain, MR_DNS_MX);
}

static void verify(const struct mr_config *config, const struct mr_place *at,
	struct mr_problems *problems)
{
	const struct mr_maps *maps = mr_config_get(
		config, NULL, &mr_section_maps, NULL, problems->arena)
	                                     ->values;

	if (maps->domains.count == 0)
		mr_problem_add(problems, MR_MISTAKE, *at,
			"check mx needs to know the hosted domains: set "
			"domains in maps { }");
}

const struct mr_check mr_check_mx = {
	.name = "mx",
	.section = &mr_check_section_mx,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.about_sender = true,
	.mixed = MR_UNSET,
	.unsure = { 450, "4.4.3" },
	.run = run,
	.ahead_at = 1u << MR_AT_RCPT,
	.ahead = ahead,
	.verify = verify,
};
