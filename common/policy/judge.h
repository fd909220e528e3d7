/*
 * judge - which program answers for a mail, the milter or the policy daemon
 *
 * Postfix asks both about the same mail, so that an admin may have both.  One
 * judges, logs and counts; the other lets pass.  Who it is, is a matter of the
 * port (`judge`); only the true size may be the other one's (`verify`), as a
 * milter has to be sent the whole body for it.
 *
 * Mail from sendmail(1) is the milter's in any case: no policy request is made
 * of it.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_JUDGE_H
#define MR_POLICY_JUDGE_H

#include "common/policy/transaction.h"

#include <stdbool.h>

enum { MR_EVERY_STAGE = (1u << MR_STAGES) - 1 };

/* The stages, 1 << enum mr_stage, at which that program judges mail of this
 * session; 0: none. */
unsigned mr_judge_stages(const struct mr_policy *policy,
	const struct mr_session *session, enum mr_judge program);
/* May there be mail that it judges, or verifies? */
bool mr_judge_is_used(const struct mr_policy *policy, enum mr_judge program);

/* For mr_policy_load.  Warns of what only the milter does, if it judges
 * nothing. */
void mr_judge_survey(struct mr_policy *policy, struct mr_problems *problems);

#endif
