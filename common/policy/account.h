/*
 * account - who is meant by a login: the account's name for Dovecot
 *
 * A login that is spelt short (ann) and one that is spelt in full
 * (ann@example.net) are one account where the userdb says so.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_ACCOUNT_H
#define MR_POLICY_ACCOUNT_H

#include "common/policy/transaction.h"

struct mr_account {
	const char *name; /* as it logged in where Dovecot knows no other;
	                     NULL: no login */
	const char *why;  /* it could not be found out, or NULL */
};

/* Looked up once for a transaction. */
const struct mr_account *mr_fact_account(struct mr_txn *txn);

#endif
