/*
 * warn - tells the owner that his mailbox fills up: once per crossing of a
 * level, and again after it was below
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_WARN_H
#define MR_PLUGIN_WARN_H

#include "dovecot-plugin/usage.h"

/* After a commit, under the lock: the level that was crossed upwards, which is
 * then remembered as told; else 0.  Falling below is remembered, too. */
int mr_warn_crossed(struct mr_user *u);

/* The same at any other time, takes the lock itself, and tells: after a limit
 * was lowered, or mail was expunged. */
MR_EXPORTED void mr_warn_check(struct mr_user *u);

/* Without the lock: runs the policy's program, or puts a mail into INBOX. */
void mr_warn_owner(struct mr_user *u, int level);

#endif
