/*
 * quotas - the mailboxes in which a mail will land, what each may hold, and
 * whether there is room for it
 *
 * They are those that the recipient's aliases, catch-all and lists lead to.
 * What one may hold is said where the Dovecot plugin reads it, too: by `user`,
 * else by the userdb, else by group, domain and the top (`mailbox { quota }`).
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_QUOTAS_H
#define MR_POLICY_QUOTAS_H

#include "common/policy/transaction.h"
#include "common/state/quotas.h"

/* A recipient that leads to more of them is not asked about: each costs the
 * userdb a question, and no one of them should hold up the others' mail. */
enum { MR_QUOTA_MAILBOXES = 100 };

struct mr_quota_found {
	const char *mailbox;
	const char *why; /* what is in the way of knowing, or NULL */
	enum mr_room room;
	struct mr_fill fill;
	uint64_t limit;     /* octets; of MR_ROOM_UNKNOWN not looked up */
	struct mr_place at; /* of the limit; no file: not the policy's */
};

/* NOTFOUND: there is none to ask about, *why_r says why.  The array ends with
 * NULL. */
enum mr_lookup mr_quotas_mailboxes(struct mr_txn *txn,
	struct mr_recipient *recipient, const char *const **mailboxes_r,
	const char **why_r);

/* At RCPT: is there room for what MAIL declared?  At the end: for the mail
 * itself; the first question books it for all accepted recipients. */
const struct mr_quota_found *mr_quotas_ask(
	struct mr_txn *txn, const char *mailbox, enum mr_stage stage);

/* The mail was refused after all: it needs no room. */
void mr_quotas_cancel(struct mr_txn *txn);

#endif
