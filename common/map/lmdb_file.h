/*
 * lmdb_file - one opened lmdb file and look-ups in it (known to lmdb.c only)
 *
 * postmap(1) rewrites a table in place.  It takes a POSIX write lock on the
 * file itself for an instant, until every look-up that began before has ended,
 * and then overwrites pages that only older snapshots used.  So each look-up
 * holds a read lock as long as it has a snapshot.  Ours are
 * open-file-description locks: they exclude POSIX locks and are excluded by
 * them, but belong to one descriptor.  POSIX locks belong to the process: the
 * first thread to finish, or to close any descriptor of the file, would drop
 * them for all others.
 *
 * What was answered is kept while the file is the same, and at least some
 * seconds old when it was: whoever writes to it gives it a new time.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_LMDB_FILE_H
#define MR_MAP_LMDB_FILE_H

#include "common/base/error.h"
#include "common/map/current.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct mr_arena;
struct mr_lmdb_file;
struct mr_map_listener;

/* What changes with the file. */
struct mr_lmdb_state {
	off_t size;
	struct timespec changed; /* its inode */
	size_t transaction;      /* the last one */
};

/* For one thread at a time: a descriptor for its lock, and a transaction that
 * is renewed for each look-up. */
struct mr_lmdb_reader {
	struct mr_idle idle; /* the caller's */
	int fd;
	void *txn;
	struct mr_answers *answers; /* NULL: none is kept */
	struct mr_lmdb_state state; /* when they were given */
};

/* NULL: could not.  Waits for postmap's lock until `deadline_ms`. */
struct mr_lmdb_file *mr_lmdb_file_open(
	const char *path, int64_t deadline_ms, struct mr_error *error);
/* After its last reader. */
void mr_lmdb_file_free(struct mr_lmdb_file **file);
bool mr_lmdb_file_is(const struct mr_lmdb_file *file, const struct stat *st);

/* NULL: `path` is not this file any more, or cannot be opened. */
struct mr_lmdb_reader *mr_lmdb_reader_new(const struct mr_lmdb_file *file,
	const char *path, struct mr_error *error);
void mr_lmdb_reader_free(struct mr_lmdb_reader **reader);

/* *usable_r: may the reader be used again?  *outgrown_r: the table does not fit
 * its mapping any more, so open the file anew. */
enum mr_lookup mr_lmdb_file_get(struct mr_lmdb_file *file,
	struct mr_lmdb_reader *reader, struct mr_arena *arena, const char *key,
	int64_t deadline_ms, const char **value_r, bool *usable_r,
	bool *outgrown_r, struct mr_error *error);
/* Tells every key, under one lock, so that postmap waits meanwhile.  -1: could
 * not; the rest as above. */
int mr_lmdb_file_list(struct mr_lmdb_file *file, struct mr_lmdb_reader *reader,
	int64_t deadline_ms, const struct mr_map_listener *listener,
	bool *usable_r, bool *outgrown_r, struct mr_error *error);

#endif
