/* survey - what the front ends want to know of a policy before any mail comes.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_SURVEY_H
#define MR_POLICY_SURVEY_H

#include "common/policy/policy.h"

/* Fills largest, at_mail, on, needs_content, tags and asks_early. */
void mr_policy_survey(struct mr_policy *policy);

#endif
