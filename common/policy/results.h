/*
 * results - the headers Authentication-Results (RFC 8601: methods spf, iprev
 * and dnswl) and Received-SPF (RFC 7208 section 9.1)
 *
 * They say what was found, whatever the rules made of that, so that filters
 * behind us need not ask again.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_RESULTS_H
#define MR_POLICY_RESULTS_H

#include "common/policy/transaction.h"

#include <stdbool.h>

/* A header's value for this mail, its lines folded by LF; NULL: the policy
 * wants none, or the client logged in, is trusted or local.  Waits for facts
 * that no check asked for. */
const char *mr_results_value(struct mr_txn *txn);
const char *mr_results_received_spf(struct mr_txn *txn);

/* Does the value of such a header, as it stands behind the colon, claim to be
 * from `authserv_id`?  Compared without case; comments and a version are
 * allowed (section 2.2).  One that cannot be parsed is taken for a claim. */
bool mr_results_claims(const char *value, const char *authserv_id);
/* And Received-SPF from the verifier `receiver`?  So does one that names no
 * receiver. */
bool mr_results_spf_claims(const char *value, const char *receiver);

/* Is one of the results of Authentication-Results from `authserv_id` that of
 * this method, and matches the pattern?  Not of one that cannot be parsed. */
bool mr_results_say(const char *value, const char *authserv_id,
	const char *method, const char *pattern);

#endif
