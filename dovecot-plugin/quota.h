/*
 * quota - the quota driver "mailreeve": Dovecot's own `count`, whose limit is
 * the policy's at every moment, without grace
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_QUOTA_H
#define MR_PLUGIN_QUOTA_H

#include "dovecot-plugin/user.h"

void mr_quota_register(void);
void mr_quota_unregister(void);

/* What the mailbox holds, as Dovecot's index of folders knows it: fast, and
 * sometimes a moment old.  -1: told in the log. */
MR_EXPORTED int mr_quota_used(
	struct mr_user *u, uint64_t *bytes_r, uint64_t *messages_r);

/* Do Dovecot's settings leave the folder out of the quota? */
bool mr_quota_ignores(struct mr_user *u, struct mailbox *box);

/* Its folders are files, which a second opening in one process would unlock. */
bool mr_quota_is_mbox(const struct mail_storage *storage);

/* The same from each folder itself.  Opens them all, so only near the limit, and
 * never for mbox, whose locks a second opening in one process would take away.
 * -1: it cannot be told, and the log says why. */
int mr_quota_count_exactly(struct mr_user *u, uint64_t *bytes_r);

#endif
