/*
 * engine - asks the checks, applies the rules, gives the verdict
 *
 * The one door: mr_engine_step.  What it does is the same for the milter, the
 * policy daemon and `mailreeve explain`; only `now` and the look-ups differ.
 *
 * Splitting a mail.  A milter has one answer for all recipients at the end of a
 * mail.  If then some accept it and some do not (a mail of 30 MB without SIZE=
 * for one who takes 40 MB and one who takes 25 MB), the answer is 452 once, and
 * the engine remembers sender, login and client network for MR_SPLIT_SECONDS:
 * on the next try RCPT takes only recipients that agree with the first, and
 * answers 452 to the others, which a client sends separately.  So each gets its
 * own answer.  A mail whose SIZE= says that it fits is not held up, unless the
 * sender has said so before and it did not.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_ENGINE_H
#define MR_POLICY_ENGINE_H

#include "common/policy/check.h"
#include "common/policy/policy.h"
#include "common/policy/transaction.h"

enum { MR_SPLIT_SECONDS = 4 * 60 * 60, MR_SPLIT_SENDERS = 1024 };

struct mr_engine;

/* Takes over the caller's hold on `policy`. */
struct mr_engine *mr_engine_new(struct mr_policy *policy);
void mr_engine_free(struct mr_engine **engine);
/* The current policy, held for the caller. */
struct mr_policy *mr_engine_policy(struct mr_engine *engine);
/* Makes `policy` the current one, taking over the caller's hold. */
void mr_engine_publish(struct mr_engine *engine, struct mr_policy *policy);

/* For mr_txn_new: what the engine knows of a new transaction's sender. */
void mr_engine_begin(struct mr_engine *engine, struct mr_txn *txn);

/* Judges what was told since the last step.  At RCPT that is the recipient told
 * last, whose own verdict is set, too.  The verdict lives as long as the
 * transaction, until the next step. */
const struct mr_verdict *mr_engine_step(
	struct mr_engine *engine, struct mr_txn *txn, enum mr_stage stage);

/* The verdict on a whole mail that was judged to the end, or whose recipients
 * were all refused: what the sender is left with. */
const struct mr_verdict *mr_txn_summary(const struct mr_txn *txn);

/* "name=value" of the tag header for an accepted mail, or NULL: which rules
 * said tag for at least one accepted recipient. */
const char *mr_txn_tag(const struct mr_txn *txn);

/* What was decided so far: calls back for each count that is not zero, with
 * "accept", "reject.recipient.unknown", "observe.helo.invalid"... */
void mr_engine_counts(struct mr_engine *engine,
	void (*seen)(void *context, const char *name, uint64_t count),
	void *context);

#endif
