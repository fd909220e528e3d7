/*
 * watched - a table read as a whole, and again when its file changes
 *
 * Readers hold the table they began with; one of them at a time looks at the
 * file.  Whatever is wrong with the file, a table that was good stays: a
 * half-written list of mailboxes must not bounce mail.  What its types share
 * is here; how the file is read is theirs.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_WATCHED_H
#define MR_MAP_WATCHED_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_arena;
struct mr_map_listener;
struct mr_watched;

struct mr_watched_kind {
	const char *type;   /* as the log calls it */
	const char *suffix; /* of the file, behind the name of the table */
	/* Its writers rename it into place, so that a key that it lacks is not
	 * there, however young it is; unless it is empty. */
	bool appears_whole;
	/* A regular file of `size` octets; `fresh`: somebody may be in the
	 * middle of saving it.  NULL: could not. */
	void *(*read)(const char *path, int fd, size_t size, bool fresh,
		struct mr_error *error);
	void *(*hold)(void *table);
	void (*release)(void *table);
	size_t (*count)(const void *table);
	enum mr_lookup (*get)(void *table, struct mr_arena *arena,
		const char *key, const char **value_r, struct mr_error *error);
	/* As mr_table_list; NULL where mr_watched_list is not used. */
	bool (*list)(const void *table, const struct mr_map_listener *listener);
};

int mr_watched_open(const struct mr_watched_kind *kind, const char *name,
	int64_t now_ms, void **watched_r, struct mr_error *error);
/* As type.h has them. */
void mr_watched_close(void *watched);
enum mr_lookup mr_watched_get(void *watched, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error);
int mr_watched_list(void *watched, int64_t now_ms, int64_t deadline_ms,
	const struct mr_map_listener *listener, struct mr_error *error);

#endif
