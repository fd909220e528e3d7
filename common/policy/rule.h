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

/* Is any outcome of the check of interest?  `settings` are of its section. */
bool mr_rule_is_on(
	const struct mr_check *check, const struct mr_settings *settings);

/* Asks `check` about the question's recipient (or the whole mail), adds to the
 * trace, and strengthens `decision` if its rule wants more than that.  Fills
 * the question's settings.  Returns the trace, NULL if the check is off. */
const struct mr_trace *mr_rule_ask(struct mr_question *question,
	const struct mr_check *check, struct mr_decision *decision);

/* Will the end of the mail be answered alike for the question's recipient and
 * `other`, as far as `check` goes? */
bool mr_rule_agrees(struct mr_question *question, const struct mr_check *check,
	struct mr_recipient *other);

/* Decides that the mail has to be split: the check's `mixed` outcome.  `at` is
 * the setting that one of the recipients does not take the mail by. */
const struct mr_trace *mr_rule_split(struct mr_question *question,
	const struct mr_check *check, struct mr_place at,
	struct mr_decision *decision);

#endif
