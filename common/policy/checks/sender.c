/* sender - could the envelope sender get a reply?  (P15, P16)  Its domain has
 * an MX, or else an address (RFC 5321 section 5.1), and does not say by a null
 * MX (RFC 7505) that it takes no mail.  The null sender <> is fine. */
/* SPDX-License-Identifier: ISC */
#include "common/base/address.h"
#include "common/policy/check.h"
#include "common/policy/facts.h"

#include <string.h>

enum { NOT_QUALIFIED, INVALID, LITERAL, UNKNOWN, NULL_MX };

struct sender_settings {
	struct mr_rule rule;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("off", "defer",
		"The domain of {sender} cannot be looked up just now: please "
		"try again later"),
	MR_OUTCOME_OPTIONS(NOT_QUALIFIED, "not_qualified", NULL,
		"The sender {sender} has no full domain: please set it in "
		"full, like ann@example.org",
		"the address has no domain, or one without a dot"),
	MR_OUTCOME_OPTIONS(INVALID, "invalid", NULL,
		"The sender {sender} is not a valid address: please correct it",
		"the domain is not a valid name"),
	MR_OUTCOME_OPTIONS(LITERAL, "literal", "off",
		"The sender {sender} has an address instead of a domain: "
		"please use a domain",
		"the domain is an address literal, which RFC 5321 allows"),
	MR_OUTCOME_OPTIONS(UNKNOWN, "unknown", NULL,
		"The domain of {sender} has no MX or address in the DNS: "
		"please correct the sender",
		"the domain has neither an MX nor an address"),
	MR_OUTCOME_OPTIONS(NULL_MX, "null_mx", NULL,
		"The domain of {sender} takes no mail (RFC 7505): please use "
		"a sender that can get replies",
		"the domain has a null MX"),
	{ NULL },
};

const struct mr_section mr_check_section_sender = {
	.name = "check",
	.kind = "sender",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct sender_settings),
	.help = "Whether the envelope sender's domain can get mail; never "
		"asked of logins and trusted clients.",
};

/* RFC 7505 section 4.2 has 5.7.27. */
static const struct mr_outcome outcomes[] = {
	[NOT_QUALIFIED] = { "not_qualified", { 550, "5.1.7" },
		{ 451, "4.1.7" } },
	[INVALID] = { "invalid", { 550, "5.1.7" }, { 451, "4.1.7" } },
	[LITERAL] = { "literal", { 550, "5.1.7" }, { 451, "4.1.7" } },
	[UNKNOWN] = { "unknown", { 550, "5.1.8" }, { 451, "4.1.8" } },
	[NULL_MX] = { "null_mx", { 550, "5.7.27" }, { 451, "4.7.27" } },
	{ NULL },
};

static enum mr_finding hit(
	struct mr_answer *answer, int outcome, const char *detail)
{
	answer->outcome = outcome;
	answer->detail = detail;
	return MR_HIT;
}

/* An MX record whose name text cannot tell is one all the same. */
static bool is_null_mx(const struct mr_dns_answer *mx)
{
	for (size_t i = 0; i < mx->n; i++)
		if (mx->records[i].target == NULL ||
			*mx->records[i].target != '\0')
			return false;
	return true;
}

static enum mr_finding look_up(
	const struct mr_question *q, struct mr_answer *answer)
{
	const char *domain = q->txn->sender.domain;
	struct mr_dns_answer mx;
	enum mr_lookup found =
		mr_fact_dns(q->txn, domain, MR_DNS_MX, &mx, &answer->detail);

	if (found == MR_FOUND && is_null_mx(&mx))
		return hit(answer, NULL_MX, "a null MX");
	if (found == MR_NOTFOUND && !mx.exists)
		return hit(answer, UNKNOWN, "the domain does not exist");
	if (found == MR_NOTFOUND)
		found = mr_fact_has_address(q->txn, domain, &answer->detail);
	switch (found) {
	case MR_FOUND:
		answer->detail = NULL;
		return MR_CLEAR;
	case MR_TEMPFAIL:
		return MR_UNSURE;
	case MR_NOTFOUND:
		break;
	}
	return hit(answer, UNKNOWN, "no MX, A or AAAA record");
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	const struct mr_address *sender = &q->txn->sender;

	if (*sender->text == '\0')
		return MR_SKIP;
	if (*sender->domain == '\0')
		return strchr(sender->text, '@') == NULL
		               ? hit(answer, NOT_QUALIFIED, "no domain")
		               : hit(answer, INVALID, "not an address");
	switch (mr_hostname_check(sender->domain)) {
	case MR_HOSTNAME_FINE:
		break;
	case MR_HOSTNAME_INVALID:
		return hit(answer, INVALID, "not a valid domain");
	case MR_HOSTNAME_BARE_ADDRESS:
		return hit(answer, INVALID, "an address without brackets");
	case MR_HOSTNAME_NOT_QUALIFIED:
		return hit(answer, NOT_QUALIFIED, "a domain without a dot");
	case MR_HOSTNAME_LITERAL:
		return hit(answer, LITERAL, "an address literal");
	}
	return look_up(q, answer);
}

static void ahead(const struct mr_policy *policy,
	const struct mr_session *session, const struct mr_txn *txn,
	unsigned moments)
{
	(void)session;
	(void)moments;
	if (mr_hostname_check(txn->sender.domain) != MR_HOSTNAME_FINE)
		return;
	mr_dns_prefetch(policy->dns, txn->sender.domain, MR_DNS_MX);
	mr_dns_prefetch(policy->dns, txn->sender.domain, MR_DNS_A);
}

const struct mr_check mr_check_sender = {
	.name = "sender",
	.section = &mr_check_section_sender,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.about_sender = true,
	.mixed = MR_UNSET,
	.unsure = { 451, "4.4.3" },
	.run = run,
	.ahead_at = 1u << MR_AT_MAIL,
	.ahead = ahead,
};
