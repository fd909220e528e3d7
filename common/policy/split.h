/*
 * split - the senders whose last mail must be taken apart (see engine.h)
 *
 * A fixed table of hashes: no sender can make it grow, and a collision only
 * costs somebody one more delivery.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_SPLIT_H
#define MR_POLICY_SPLIT_H

#include "common/policy/transaction.h"

struct mr_split;

struct mr_split *mr_split_new(void);
void mr_split_free(struct mr_split **split);
/* After a mixed end, and when a mail of that sender came through. */
void mr_split_remember(struct mr_split *split, const struct mr_txn *txn);
void mr_split_forget(struct mr_split *split, const struct mr_txn *txn);
bool mr_split_wanted(struct mr_split *split, const struct mr_txn *txn);

#endif
