/*
 * facts - what is looked up about a transaction, each at most once
 *
 * All waiting of one mail together is bounded by the `wait` setting: each
 * look-up gets what is left of it.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_FACTS_H
#define MR_POLICY_FACTS_H

#include "common/policy/check.h"
#include "common/policy/transaction.h"

/* Whose rules apply to an address, see mr_policy_who. */
void mr_fact_who(struct mr_txn *txn, const char *address, struct mr_who *who);

/* How the question's recipient resolves; MR_TEMPFAIL: recipient->unresolved
 * says why. */
enum mr_lookup mr_fact_recipient(const struct mr_question *question);

/* The octets that this recipient takes of this sender, and where that was set:
 * of a login its own limit, of anybody else the recipient's; of a login writing
 * to one of ours the stricter of the two. */
uint64_t mr_fact_limit(const struct mr_question *question,
	struct mr_recipient *recipient, struct mr_place *at);

#endif
