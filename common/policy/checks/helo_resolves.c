/* helo_resolves - does the name in HELO or EHLO have an address or an MX?  As
 * Postfix's reject_unknown_helo_hostname asks.  Of names that cannot be looked
 * up check helo speaks. */
/* SPDX-License-Identifier: ISC */
#include "common/base/address.h"
#include "common/policy/check.h"
#include "common/policy/facts.h"

enum { UNKNOWN };

struct helo_resolves_settings {
	struct mr_rule rule;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("off", "accept",
		"{helo} cannot be looked up just now: please try again later"),
	MR_OUTCOME_OPTIONS(UNKNOWN, "unknown", NULL,
		"Your mail server introduces itself as {helo}, which has no "
		"address in the DNS: please correct that name",
		"the name has neither an address nor an MX"),
	{ NULL },
};

const struct mr_section mr_check_section_helo_resolves = {
	.name = "check",
	.kind = "helo_resolves",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct helo_resolves_settings),
	.help = "Whether the HELO name has an address or an MX; never asked "
		"of logins and trusted clients.",
};

static const struct mr_outcome outcomes[] = {
	[UNKNOWN] = { "unknown", { 550, "5.7.1" }, { 451, "4.7.1" } },
	{ NULL },
};

static bool is_name(const struct mr_session *session)
{
	return !session->local && session->helo != NULL &&
	       mr_hostname_check(session->helo) == MR_HOSTNAME_FINE;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	const char *helo = q->session->helo;
	struct mr_dns_answer ignored;
	enum mr_lookup found;

	if (!is_name(q->session))
		return MR_SKIP;
	found = mr_fact_has_address(q->txn, helo, &answer->detail);
	if (found == MR_NOTFOUND)
		found = mr_fact_dns(
			q->txn, helo, MR_DNS_MX, &ignored, &answer->detail);
	switch (found) {
	case MR_FOUND:
		answer->detail = NULL;
		return MR_CLEAR;
	case MR_TEMPFAIL:
		return MR_UNSURE;
	case MR_NOTFOUND:
		break;
	}
	answer->outcome = UNKNOWN;
	answer->detail = "no A, AAAA or MX record";
	return MR_HIT;
}

static void ahead(const struct mr_policy *policy,
	const struct mr_session *session, const struct mr_txn *txn,
	unsigned moments)
{
	(void)txn;
	(void)moments;
	if (!is_name(session))
		return;
	mr_dns_prefetch(policy->dns, session->helo, MR_DNS_A);
	mr_dns_prefetch(policy->dns, session->helo, MR_DNS_AAAA);
}

const struct mr_check mr_check_helo_resolves = {
	.name = "helo_resolves",
	.section = &mr_check_section_helo_resolves,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.about_sender = true,
	.mixed = MR_UNSET,
	.unsure = { 451, "4.4.3" },
	.run = run,
	.ahead_at = 1u << MR_AT_HELO,
	.ahead = ahead,
};
