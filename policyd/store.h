/*
 * store - what outlives the policy daemon: usage of mailboxes, counters
 *
 * Memory is the truth while the daemon runs; the store is a copy of it that is
 * read once, at the start.  Whoever changes something puts it, or is asked what
 * has changed; a thread writes that, once a second, in one transaction.  So
 * kill -9 costs what changed within the last second, and no caller ever waits
 * for a disk.
 *
 * A store that cannot be opened, read or written stops nothing: what is put is
 * kept (the newest of each name, up to MR_STORE_PENDING names) and tried again
 * every second; the log says so once when it begins and once when it ends.  A
 * store that is broken is set aside under another name, and a new one begun;
 * one that has gone, or was replaced, is begun anew as well, from memory.
 *
 * What writes is a struct mr_state_store_backend, so that another one can
 * follow.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_STORE_H
#define MR_POLICYD_STORE_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names that are kept while nothing can be written; more are counted as lost.
 * Octets of a name, and of a kind; what is longer is not saved. */
enum { MR_STORE_PENDING = 200 * 1000, MR_STORE_NAME = 512 };
/* How long the start waits for what is read. */
enum { MR_STORE_WAIT_MS = 1000 };

/* One row.  What it counts is the caller's business; `at` should go on over a
 * reboot.  All values 0: the row is deleted. */
struct mr_state_store_row {
	const char *kind, *name;
	int64_t at;
	int64_t until; /* on the same clock, of a counter; 0: for ever */
	int64_t value[3];
};

/* Rows of these kinds are in tables of their own, with the values in that
 * order: usage(mailbox, bytes, messages, limit, at), and clock(boot, at,
 * boot_ms, wall_ms), which has one row, and is read first.  All other kinds are
 * in counter(kind, name, epoch, prev, cur, limit, until): at, the values,
 * until. */
#define MR_STORE_USAGE "usage"
#define MR_STORE_CLOCK "clock"

typedef void mr_state_store_seen(
	void *context, const struct mr_state_store_row *row);

enum mr_state_store_result {
	MR_STORE_DONE,
	MR_STORE_LATER,  /* could not; it may go well later */
	MR_STORE_BROKEN, /* can never be read */
};

/* One thread at a time calls these. */
struct mr_state_store_backend {
	/* `handle_r` is set only if it is done. */
	enum mr_state_store_result (*open)(
		const char *place, void **handle_r, struct mr_error *error);
	/* Rows that were read before an error have been seen. */
	enum mr_state_store_result (*load)(void *handle,
		mr_state_store_seen *seen, void *context,
		struct mr_error *error);
	/* All rows, or none of them.  Deletes counters whose `until` is before
	 * `forget`. */
	enum mr_state_store_result (*write)(void *handle,
		const struct mr_state_store_row *const *rows, size_t n,
		int64_t forget, struct mr_error *error);
	/* Is it still what is at `place`? */
	bool (*is_there)(const char *place, void *handle);
	void (*close)(void *handle);
	/* Out of the way, kept for the admin; `place` is free afterwards. */
	int (*set_aside)(const char *place, struct mr_error *error);
};

extern const struct mr_state_store_backend mr_state_store_sqlite;

struct mr_state_store;

/* Whose memory it is.  All are called by the store's thread. */
struct mr_state_store_owner {
	void *context;
	/* For each row, as soon as `place` can be read; again if that failed
	 * midway.  What is in memory by then is newer. */
	mr_state_store_seen *seen;
	/* Once a second while it can be written: puts what has changed; if
	 * `all`, everything, as nothing is there yet.  NULL: nothing to ask. */
	void (*save)(void *context, struct mr_state_store *store, bool all);
};

/* Opens `place` and begins to read and to write.  It never fails, and waits for
 * the reading no longer than MR_STORE_WAIT_MS. */
struct mr_state_store *mr_state_store_new(
	const struct mr_state_store_backend *backend, const char *place,
	const struct mr_state_store_owner *owner);

/* From any thread; waits for no disk.  The strings are lent. */
void mr_state_store_put(
	struct mr_state_store *store, const struct mr_state_store_row *row);

/* Counters whose `until` is before that are deleted with the next write. */
void mr_state_store_forget(struct mr_state_store *store, int64_t before);

struct mr_state_store_status {
	bool works;                /* at the last attempt */
	bool reading;              /* the first attempt goes on */
	uint64_t written;          /* rows */
	uint64_t lost;             /* rows there was no room for, or too long */
	size_t pending;            /* rows not written yet */
	unsigned set_aside;        /* broken stores */
	char error[MR_ERROR_TEXT]; /* "" while it works */
};
struct mr_state_store_status mr_state_store_status(
	struct mr_state_store *store);

/* Writes what is pending, if it can.  NULL-safe; clears the pointer. */
void mr_state_store_free(struct mr_state_store **store);

#endif
