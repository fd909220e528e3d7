/*
 * ahead - asks the DNS before anybody waits for it
 *
 * What a client says comes in steps; the questions about each are sent when it
 * is said, so that the one wait, at RCPT, is for the slowest of them and not
 * for their sum.  Only checks that the policy wants for anybody ask, and those
 * about the sending host not about trusted clients and logins, nor about who
 * will have to log in.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_AHEAD_H
#define MR_POLICY_AHEAD_H

#include "common/policy/check.h"

/* Never waits.  `moments` are those whose words are new, 1 << MR_AT_...; `txn`
 * is NULL before MAIL. */
void mr_ahead(const struct mr_policy *policy, const struct mr_session *session,
	const struct mr_txn *txn, unsigned moments);

#endif
