/*
 * rule - asks one check, and applies what the admin wants done with its answer
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_RULE_H
#define MR_POLICY_RULE_H

#include "common/policy/check.h"

/* A verdict in the making, and whose it is. */
struct mr_decision {
	struct mr_verdict verdict;
	const struct mr_check *check;
};

/* Asks `check` about the question's recipient (or the whole mail), adds to the
 * trace, and strengthens `decision` if its rule wants more than that.  Fills
 * the question's settings.  Returns the trace, NULL if the check is off. */
const struct mr_trace *mr_rule_ask(struct mr_question *question,
	const struct mr_check *check, struct mr_decision *decision);

/* The verdict for an outcome, without asking. */
struct mr_verdict mr_rule_verdict(const struct mr_question *question,
	const struct mr_check *check, const struct mr_answer *answer,
	enum mr_action action, struct mr_place at);

/* Loads the check's settings for the question's recipient. */
const struct mr_rule *mr_rule_load(
	struct mr_question *question, const struct mr_check *check);

#endif
