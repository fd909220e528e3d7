/* verify - what no single option table can say about a policy. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_VERIFY_H
#define MR_POLICY_VERIFY_H

#include "common/policy/policy.h"

/* Adds a problem for each map reference, reply text, name of a check and pair
 * of settings that cannot be meant. */
void mr_policy_verify(
	const struct mr_policy *policy, struct mr_problems *problems);

/* Fills largest, refuse_largest, needs_content and tags. */
void mr_policy_survey(struct mr_policy *policy);

#endif
