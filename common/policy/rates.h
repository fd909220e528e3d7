/*
 * rates - which counters a mail goes into, and what may be in them
 *
 *   login          the account, however it is spelt (account.h)
 *   client         the network of a client (/24, of IPv6 /64) that did not log
 *                  in and is not trusted
 *   sender_domain  the envelope sender's domain, unless the null sender's
 *   recipient      the address as given, without a detail
 *
 * The limits are those of the account, of the sender's domain and of the
 * recipient.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_RATES_H
#define MR_POLICY_RATES_H

#include "common/policy/transaction.h"
#include "common/state/rates.h"

struct mr_rate_found {
	enum mr_rate_kind kind;
	enum mr_rate_measure measure;
	const char *name;
	struct mr_rate limit;
	int action;         /* enum mr_action, or MR_UNSET: check rate's */
	struct mr_place at; /* of the limit */
};

struct mr_rate_key mr_rate_key(const struct mr_rate_found *found);

/* Calls back for each limit that is set, in the order of enum mr_rate_kind; of
 * MR_RATE_RECIPIENT if `recipient` is not NULL.  Ends when `seen` says false.
 */
void mr_rates_each(struct mr_txn *txn, const struct mr_recipient *recipient,
	bool (*seen)(void *context, const struct mr_rate_found *found),
	void *context);

/* Counts an accepted mail, once, at its end. */
void mr_rates_count(struct mr_txn *txn);
/* How many recipients that is. */
uint64_t mr_rates_taken(const struct mr_txn *txn);

#endif
