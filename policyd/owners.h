/*
 * owners - reports of usage by others than the mail users: is it their mailbox?
 *
 * Where each user of Dovecot is one of the system, too, a report comes from
 * that one, and the userdb (maps { mailboxes }) says whose the mailbox is.  It
 * is asked in a thread, as it may be slow or away.  There is room for one
 * report of each sender, and all senders have their turn: who sends many keeps
 * only himself waiting.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_OWNERS_H
#define MR_POLICYD_OWNERS_H

#include "common/base/error.h"
#include "policyd/report.h"

#include <sys/types.h>

struct mr_arena;

/* Senders of whom a report waits; of more they are thrown away. */
enum { MR_OWNERS_WAITING = 256 };

/* Whose is a mailbox?  MR_NOTFOUND: of nobody who could report. */
struct mr_owners_source {
	enum mr_lookup (*find)(
		void *context, const char *mailbox, uid_t *owner_r);
	void *context;
};
/* Dovecot's userdb; `context` is the engine, which is borrowed. */
enum mr_lookup mr_owners_in_userdb(
	void *context, const char *mailbox, uid_t *owner_r);
/* The owner in what the userdb says of a user, name and fields: -1 if it is
 * another user's, or has no uid. */
int mr_owners_parse(const char *value, const char *mailbox, uid_t *owner_r);

/* From the thread: MR_FOUND if the sender owns it, MR_NOTFOUND if not. */
struct mr_owners_listener {
	void (*decided)(void *context, enum mr_lookup owns, uid_t sender,
		const struct mr_report *report);
	void *context;
};

struct mr_owners;

int mr_owners_new(const struct mr_owners_source *source,
	const struct mr_owners_listener *listener, struct mr_owners **owners_r,
	struct mr_error *error);
/* Forgets what waits.  NULL-safe; clears the pointer. */
void mr_owners_free(struct mr_owners **owners);

/* -1: there is no room.  A report of the same sender and mailbox takes the
 * place of the one that waits. */
int mr_owners_ask(
	struct mr_owners *owners, uid_t sender, const struct mr_report *report);

#endif
