/* verify - what no single option table can say about a policy. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_VERIFY_H
#define MR_POLICY_VERIFY_H

#include "common/config/config.h"

/* Adds a problem for each map reference, reply text, name of a check and pair
 * of settings that cannot be meant; see struct mr_schema. */
void mr_policy_verify(
	const struct mr_config *config, struct mr_problems *problems);

#endif
