/* size - is the mail larger than its recipient takes?  (P2, P3, P4; RFC 1870)
 *
 * MAIL refuses only what is larger than the largest limit of the whole policy;
 * RCPT compares the declared size with the recipient's limit, the end the true
 * one.  For SPLIT see engine.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/units.h"
#include "common/config/sections.h"
#include "common/policy/check.h"
#include "common/policy/facts.h"

enum { TOO_BIG, TOO_BIG_TO_SEND, SPLIT };

struct size_settings {
	struct mr_rule rule;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("reject", "accept", "Try again later"),
	MR_OUTCOME_OPTIONS(TOO_BIG, "too_big", NULL,
		"This mail has {size}, {recipient} takes {limit}, which is "
		"about {files} of attached files: send a link instead",
		"the mail is larger than the recipient's message.size"),
	MR_OUTCOME_OPTIONS(TOO_BIG_TO_SEND, "too_big_to_send", NULL,
		"This mail has {size}, you may send {limit}, which is about "
		"{files} of attached files: send a link instead",
		"the mail is larger than the login's own message.size"),
	MR_TEXT_OPTION(SPLIT, "split",
		"Some recipients of this mail take less than others: please "
		"try again, each will get an answer of its own",
		"only some of the recipients take the mail"),
	{ NULL },
};

const struct mr_section mr_check_section_size = {
	.name = "check",
	.kind = "size",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct size_settings),
	.help = "Whether a mail keeps to message { size }.",
};

static const struct mr_outcome outcomes[] = {
	[TOO_BIG] = { "too_big", { 552, "5.3.4" }, { 452, "4.3.4" } },
	[TOO_BIG_TO_SEND] = { "too_big_to_send", { 552, "5.3.4" },
		{ 452, "4.3.4" } },
	[SPLIT] = { "split", { 552, "5.5.3" }, { 452, "4.5.3" } },
	{ NULL },
};

static enum mr_finding compare(const struct mr_question *q,
	struct mr_answer *answer, uint64_t size, uint64_t limit)
{
	answer->size = size;
	answer->limit = limit;
	if (size <= limit && !q->txn->every_rule)
		return MR_CLEAR;
	answer->detail = mr_arena_printf(q->txn->arena, "%llu octets, limit %s",
		(unsigned long long)size, mr_size_format(q->txn->arena, limit));
	return size > limit ? MR_HIT : MR_CLEAR;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	uint64_t limit;

	answer->outcome = TOO_BIG;
	if (q->stage == MR_STAGE_MAIL) {
		answer->at = q->policy->largest_at;
		return compare(q, answer, q->txn->declared, q->policy->largest);
	}
	limit = mr_fact_limit(q, q->recipient, &answer->at);
	if (q->recipient->limit_is_senders)
		answer->outcome = TOO_BIG_TO_SEND;
	if (q->stage == MR_STAGE_EOM)
		return compare(q, answer, q->txn->size, limit);
	if (q->txn->declared == 0 && limit != MR_UNLIMITED) {
		answer->detail = "no size declared";
		return MR_SKIP;
	}
	return compare(q, answer, q->txn->declared, limit);
}

static bool agrees(const struct mr_question *q, struct mr_recipient *other)
{
	struct mr_place ignored;

	return mr_fact_limit(q, q->recipient, &ignored) ==
	       mr_fact_limit(q, other, &ignored);
}

const struct mr_check mr_check_size = {
	.name = "size",
	.section = &mr_check_section_size,
	.outcomes = outcomes,
	.stages =
		1u << MR_STAGE_MAIL | 1u << MR_STAGE_RCPT | 1u << MR_STAGE_EOM,
	.needs_content = true,
	.mixed = SPLIT,
	.agrees = agrees,
	.unsure = { 452, "4.3.4" },
	.run = run,
};
