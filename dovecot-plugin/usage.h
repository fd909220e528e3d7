/*
 * usage - a user's file mailreeve.usage: a lock, and what is known under it
 *
 * It is in the control directory.  Whoever saves mail holds its lock from the
 * last check to the end of the commit, so that parallel sessions cannot both
 * take the last free octets.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_USAGE_H
#define MR_PLUGIN_USAGE_H

#include "dovecot-plugin/user.h"
#include "common/mailbox/quota.h"

#include <time.h>

/* A lock is waited for so many seconds, and then, where that is no matter of
 * some octets, for so many more. */
enum { MR_USAGE_WAIT = 2, MR_USAGE_PATIENCE = 10 };

enum mr_usage_result {
	MR_USAGE_LOCKED,
	MR_USAGE_BUSY,   /* somebody holds it for longer than that */
	MR_USAGE_FAILED, /* there is no such file to be had; told in the log */
};

/* What is kept while the lock is held, in u->usage. */
struct mr_usage_file {
	unsigned int depth; /* how often it was taken */
	int fd;
	struct file_lock *lock;
	struct mr_usage usage; /* as read; empty where there was none */
	bool known;            /* something was read */
	struct timespec written; /* when, before it was locked */
	uint64_t pending;      /* octets of this process that were let in, and
	                          are not in their folders yet */
};

/* May be taken again while it is held: a delivery to two folders, or a commit
 * that makes another one. */
enum mr_usage_result mr_usage_lock(struct mr_user *u, unsigned int seconds);
/* What the file says, without its lock.  FALSE: nothing. */
bool mr_usage_peek(struct mr_user *u, struct mr_usage *usage_r);
/* There are so many octets, UINT64_MAX: nobody knows how many.  If that is more
 * than is on record, the next delivery is to count. */
void mr_usage_doubt(struct mr_user *u, uint64_t there);
/* Writes u->usage->usage; not to disk, but for all who take the lock after us. */
void mr_usage_write(struct mr_user *u);
/* Only one purge of a user at a time, or both would count what goes.  1: locked,
 * until *lock_r is given to file_unlock; 0: another one is at work; -1: told in
 * the log. */
int mr_usage_lock_purge(struct mr_user *u, struct file_lock **lock_r);

/* As often as it was taken. */
void mr_usage_unlock(struct mr_user *u);

#endif
