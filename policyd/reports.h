/*
 * reports - the socket on which Dovecot says how full mailboxes are
 *
 * Anybody may send to it; the kernel says who did (SO_PASSCRED), and only root
 * the given users, and the mailbox's owner (owners.h) are believed.  What is
 * refused, broken or too much costs no answer and one log line a minute:
 * senders never wait, and what is lost heals with the mailbox's next report.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_REPORTS_H
#define MR_POLICYD_REPORTS_H

#include "common/base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mr_owners_source;
struct mr_state_store;
struct mr_usages;

/* Reports a second that are looked at; more are thrown away. */
enum { MR_REPORTS_RATE = 5000 };

struct mr_reports;

/* Before the first thread, see mr_socket_listen.  `users` is copied. */
int mr_reports_open(const char *path, const uid_t *users, size_t n,
	struct mr_reports **reports_r, struct mr_error *error);
/* Begins to read in a thread; `usages` and `store` are borrowed.  `owners`:
 * where a mailbox's owner is found; NULL: nowhere. */
int mr_reports_start(struct mr_reports *reports, struct mr_usages *usages,
	struct mr_state_store *store, const struct mr_owners_source *owners,
	struct mr_error *error);
/* Removes the path.  NULL-safe; clears the pointer. */
void mr_reports_free(struct mr_reports **reports);

struct mr_reports_status {
	uint64_t taken, refused, broken, dropped;
};
struct mr_reports_status mr_reports_status(struct mr_reports *reports);

#endif
