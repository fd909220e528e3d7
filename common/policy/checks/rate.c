/* rate - was there more mail of a login, client, sender domain or recipient
 * than a rate section allows?
 *
 * Only the policy daemon counts, at the end of mails that are accepted, so only
 * it asks.  RCPT judges by what was counted and the mail so far, the end by its
 * true size.  For SPLIT see engine.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/units.h"
#include "common/config/sections.h"
#include "common/policy/account.h"
#include "common/policy/check.h"
#include "common/policy/rates.h"

/* By enum mr_rate_kind, and one more. */
enum { SPLIT = MR_RATE_KINDS };

struct rate_settings {
	struct mr_rule rule;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("defer", "accept", "Try again later"),
	MR_OUTCOME_OPTIONS(MR_RATE_LOGIN, "login", NULL,
		"{login} has sent as much as it may for now, {detail}: please "
		"try again later",
		"a login sent more than its rate"),
	MR_OUTCOME_OPTIONS(MR_RATE_CLIENT, "client", NULL,
		"Your network has sent as much as it may for now, {detail}: "
		"please try again later",
		"a client's network sent more than its rate"),
	MR_OUTCOME_OPTIONS(MR_RATE_SENDER_DOMAIN, "sender_domain", NULL,
		"The sender's domain has sent as much as it may for now, "
		"{detail}: please try again later",
		"a sender's domain sent more than its rate"),
	MR_OUTCOME_OPTIONS(MR_RATE_RECIPIENT, "recipient", NULL,
		"{recipient} has got as much as it may for now, {detail}: "
		"please try again later",
		"a recipient got more than its rate"),
	MR_TEXT_OPTION(SPLIT, "split",
		"Some recipients of this mail have got as much as they may for "
		"now: please try again, each will get an answer of its own",
		"only some of the recipients may get the mail"),
	{ NULL },
};

const struct mr_section mr_check_section_rate = {
	.name = "check",
	.kind = "rate",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct rate_settings),
	.help = "What is done with more mail than rate sections allow.",
};

/* RFC 3463: X.7.1 by policy, X.2.1 the mailbox does not accept just now. */
static const struct mr_outcome outcomes[] = {
	[MR_RATE_LOGIN] = { "login", { 550, "5.7.1" }, { 450, "4.7.1" } },
	[MR_RATE_CLIENT] = { "client", { 550, "5.7.1" }, { 450, "4.7.1" } },
	[MR_RATE_SENDER_DOMAIN] = { "sender_domain", { 550, "5.7.1" },
		{ 450, "4.7.1" } },
	[MR_RATE_RECIPIENT] = { "recipient", { 550, "5.2.1" },
		{ 450, "4.2.1" } },
	[SPLIT] = { "split", { 550, "5.5.3" }, { 452, "4.5.3" } },
	{ NULL },
};

struct asking {
	const struct mr_question *q;
	struct mr_answer *answer;
	enum mr_finding finding;
};

/* What the mail would add. */
static uint64_t amount_of(
	const struct mr_question *q, const struct mr_rate_found *found)
{
	bool end = q->stage == MR_STAGE_EOM;

	switch (found->measure) {
	case MR_RATE_MESSAGES:
		return 1;
	case MR_RATE_RECIPIENTS:
		if (found->kind == MR_RATE_RECIPIENT)
			return 1;
		return mr_rates_taken(q->txn) + (end ? 0 : 1);
	case MR_RATE_BYTES:
		return end ? q->txn->size : q->txn->declared;
	case MR_RATE_MEASURES:
		break;
	}
	return 0;
}

static const char *shown(const struct mr_question *q,
	const struct mr_rate_found *found, uint64_t count)
{
	if (found->measure == MR_RATE_BYTES)
		return mr_size_for_people(q->txn->arena, count);
	return mr_arena_printf(q->txn->arena, "%llu %s",
		(unsigned long long)count,
		mr_rate_measure_words[found->measure]);
}

static bool judge(void *context, const struct mr_rate_found *found)
{
	struct asking *asking = context;
	const struct mr_question *q = asking->q;
	const struct mr_rates *rates = q->txn->rates;
	const struct mr_rate_key key = mr_rate_key(found);
	uint64_t sum, amount = amount_of(q, found);

	if (found->action == MR_OFF)
		return true;
	asking->finding = MR_CLEAR;
	sum = rates->sum(rates->context, &key);
	if (sum <= found->limit.count && amount <= found->limit.count - sum)
		return true;
	asking->finding = MR_HIT;
	asking->answer->outcome = (int)found->kind;
	asking->answer->at = found->at;
	if (found->action != MR_UNSET)
		asking->answer->action = found->action;
	asking->answer->detail = mr_arena_printf(q->txn->arena, "%s in %s",
		shown(q, found, found->limit.count),
		mr_duration_format(q->txn->arena, found->limit.seconds));
	rates->held(rates->context, &key,
		sum > UINT64_MAX - amount ? UINT64_MAX : sum + amount,
		found->limit.count);
	return false;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	struct asking asking = { q, answer, MR_SKIP };

	if (q->txn->rates == NULL) {
		answer->detail = "only the running policy daemon counts";
		return MR_SKIP;
	}
	mr_rates_each(q->txn, q->recipient, judge, &asking);
	if (asking.finding == MR_CLEAR && q->session->login != NULL &&
		mr_fact_account(q->txn)->why != NULL) {
		answer->detail = mr_fact_account(q->txn)->why;
		return MR_UNSURE;
	}
	return asking.finding;
}

static bool see_recipients_bytes(
	void *context, const struct mr_rate_found *found)
{
	bool *there = context;

	*there |= found->kind == MR_RATE_RECIPIENT &&
	          found->measure == MR_RATE_BYTES;
	return !*there;
}

/* Only the size is not known before the end. */
static bool agrees(const struct mr_question *q, struct mr_recipient *other)
{
	bool there = false;

	mr_rates_each(q->txn, q->recipient, see_recipients_bytes, &there);
	mr_rates_each(q->txn, other, see_recipients_bytes, &there);
	return !there;
}

const struct mr_check mr_check_rate = {
	.name = "rate",
	.section = &mr_check_section_rate,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT | 1u << MR_STAGE_EOM,
	.counts = 1u << MR_STAGE_RCPT | 1u << MR_STAGE_EOM,
	.mixed = SPLIT,
	.agrees = agrees,
	.unsure = { 451, "4.3.0" },
	.run = run,
};
