/*
 * reply - the text of a refusal: one line that says what is wrong and what to
 * do
 *
 * Templates come from the policy; {fields} are filled here, and here only does
 * outside text enter a reply.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_REPLY_H
#define MR_POLICY_REPLY_H

#include "common/policy/check.h"

struct mr_error;

/* Is `template` printable ASCII with known {fields} only? */
int mr_reply_check(const char *template, struct mr_error *error);

/* Fills a template, makes it printable, adds "(id ID)", and cuts it so that
 * the whole reply fits MR_REPLY_LONGEST.  In the transaction's arena. */
const char *mr_reply_text(const struct mr_question *question,
	const struct mr_answer *answer, const char *template);

#endif
