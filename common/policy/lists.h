/*
 * lists - the dnsbl and dnswl sections: what check dnsbl asks
 *
 * A policy brings its lists; a reload goes on with the health of the old ones
 * where both are the same.  Only texts of the policy get into replies, never
 * what a list says (its TXT records), and never a key.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_LISTS_H
#define MR_POLICY_LISTS_H

#include "common/lookup/dnsbl.h"
#include "common/policy/transaction.h"

/* Fills policy->lists; a key that cannot be read is a warning. */
void mr_policy_open_lists(
	struct mr_policy *policy, struct mr_problems *problems);
/* What one section cannot say: titles that should be zones, titles twice. */
void mr_policy_verify_lists(
	const struct mr_config *config, struct mr_problems *problems);

/* What the lists are asked about. */
struct mr_dnsbl_items mr_policy_items(
	const struct mr_session *session, const char *sender);

#endif
