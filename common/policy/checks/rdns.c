/* rdns - has the client's address a name in the DNS?  (P17)  Where Postfix has
 * looked already its word is taken for yes, never for no: its "unknown" may be
 * a time-out. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/policy/check.h"
#include "common/policy/facts.h"

enum { MISSING, UNCONFIRMED };
enum { REQUIRE_NAME, REQUIRE_CONFIRMED };

struct rdns_settings {
	struct mr_rule rule;
	int require;
};

static const char *const require_words[] = { "name", "confirmed", NULL };

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("off", "accept",
		"The name of your mail server {client} cannot be looked up "
		"just now: please try again later"),
	{ "require", MR_TYPE_ENUM,
		.offset = offsetof(struct rdns_settings, require),
		.initial = "name", .words = require_words,
		.help = "A name is enough, or it must have the client's "
			"address, too." },
	MR_OUTCOME_OPTIONS(MISSING, "missing", NULL,
		"Your mail server {client} has no name in the DNS: please ask "
		"its provider for a PTR record",
		"the address has no name"),
	MR_OUTCOME_OPTIONS(UNCONFIRMED, "unconfirmed", NULL,
		"Your mail server {client} is called {detail}, which does not "
		"have that address: please correct its A or PTR record",
		"no name of the address has that address"),
	{ NULL },
};

const struct mr_section mr_check_section_rdns = {
	.name = "check",
	.kind = "rdns",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct rdns_settings),
	.help = "Whether the client's address has a name in the DNS; never "
		"asked of logins and trusted clients.",
};

/* RFC 7372 section 3.3 */
static const struct mr_outcome outcomes[] = {
	[MISSING] = { "missing", { 550, "5.7.25" }, { 451, "4.7.25" } },
	[UNCONFIRMED] = { "unconfirmed", { 550, "5.7.25" }, { 451, "4.7.25" } },
	{ NULL },
};

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	const struct rdns_settings *settings = q->settings;
	const char *name, *why = NULL;
	enum mr_lookup found;

	if (q->session->local || q->session->client.family == 0)
		return MR_SKIP;
	if (settings->require == REQUIRE_CONFIRMED)
		found = mr_fact_client_confirmed(q->txn, &name, &why);
	else
		found = mr_fact_client_name(q->txn, &name, &why);
	answer->detail = name;
	switch (found) {
	case MR_FOUND:
		return MR_CLEAR;
	case MR_TEMPFAIL:
		answer->detail = why;
		return MR_UNSURE;
	case MR_NOTFOUND:
		break;
	}
	answer->outcome = name == NULL ? MISSING : UNCONFIRMED;
	if (name == NULL)
		answer->detail = "the address has no name";
	return MR_HIT;
}

static void ahead(const struct mr_policy *policy,
	const struct mr_session *session, const struct mr_txn *txn,
	unsigned moments)
{
	struct mr_arena *arena;

	(void)txn;
	(void)moments;
	if (session->local || session->client.family == 0 ||
		session->client_name != NULL || session->client_ptr != NULL)
		return;
	arena = mr_arena_new(0);
	mr_dns_prefetch(policy->dns,
		mr_dns_reverse_name(arena, &session->client, NULL), MR_DNS_PTR);
	mr_arena_free(&arena);
}

const struct mr_check mr_check_rdns = {
	.name = "rdns",
	.section = &mr_check_section_rdns,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.about_sender = true,
	.headers = MR_AUTHENTICATION_RESULTS,
	.mixed = MR_UNSET,
	.unsure = { 451, "4.7.25" },
	.run = run,
	.ahead_at = 1u << MR_AT_CONNECT,
	.ahead = ahead,
};
