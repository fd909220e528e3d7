/*
 * publish - tells the policy daemon how full the mailbox is
 *
 * By one datagram (policyd/report.h), which is never waited for and whose loss
 * is no matter: the next report, the timer of an IMAP session or `doveadm
 * mailreeve publish` mends it.  Where nobody listens nothing is counted for it.
 *
 * A delivery tells under the user's lock: what Dovecot has counted before and
 * what it added, or what is on record, where that was enough and nobody counted.
 * Whatever else changes is counted and told once: in an IMAP session soon after,
 * elsewhere at the user's end.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_PUBLISH_H
#define MR_PLUGIN_PUBLISH_H

#include "dovecot-plugin/user.h"

/* Before all folders are counted; `anew`: it does not answer with what it found
 * a moment ago. */
void mr_publish_count_begins(struct mr_user *u, bool anew);
/* What was found, without what mr_publish_delivered tells of later. */
void mr_publish_counted(struct mr_user *u, uint64_t bytes, uint64_t messages);
/* Under the lock: has somebody else saved since that count began? */
bool mr_publish_is_outdated(const struct mr_user *u);

/* A commit of a delivery has put so much into a folder; `locked`: under the
 * user's lock, of which u->usage knows. */
void mr_publish_delivered(struct mr_user *u, struct mailbox *box,
	uint64_t bytes, unsigned int messages, bool locked);
/* All was counted for a delivery.  If that is refused, the policy daemon may have
 * let it in to see, and is told at the user's end. */
void mr_publish_weighed(struct mr_user *u);
/* The quota has changed.  `transaction`: by what. */
void mr_publish_changed(struct mr_user *u,
	const struct quota_transaction_context *transaction);

/* Begins a session's timer; ends it, before the folders go, and tells what was
 * not told yet. */
void mr_publish_begin(struct mr_user *u);
void mr_publish_end(struct mr_user *u);

/* Does somebody listen there?  -1: *why_r says why not. */
MR_EXPORTED int mr_publish_can(const char *path, const char **why_r);
/* Counts and tells, and waits for a moment if it must. */
MR_EXPORTED int mr_publish_now(struct mr_user *u, const char **why_r);

#endif
