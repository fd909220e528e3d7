/*
 * type - what a map type provides (known to common/map and its tests only)
 *
 * Time is an argument, so that tests need not wait: `now_ms` is CLOCK_MONOTONIC
 * in milliseconds, as is every deadline.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_TYPE_H
#define MR_MAP_TYPE_H

#include "common/map/map.h"

/* A table that may have changed is looked at no more often than this. */
enum { MR_MAP_LOOK_EVERY_MS = 1000 };

struct mr_map_type {
	const char *name;
	/* The types that it answers for, NULL for its own name alone.  Then the
	 * functions' `name` is the whole reference. */
	const char *const *types;
	/* Is what follows `TYPE:` well-formed?  Opens nothing.  NULL: the table
	 * is in its reference, so that to open it is to check it. */
	int (*check)(const char *name, struct mr_error *error);
	int (*open)(const char *name, int64_t now_ms, void **state_r,
		struct mr_error *error);
	void (*close)(void *state);
	/* Called by many threads at once.  The key is neither empty nor longer
	 * than MR_MAP_KEY_LONGEST. */
	enum mr_lookup (*get)(void *state, struct mr_arena *arena,
		const char *key, int64_t now_ms, int64_t deadline_ms,
		const char **value_r, struct mr_error *error);
	/* See mr_map_wants_whole; NULL: never. */
	bool (*wants_whole)(const char *name);
	/* As mr_map_list.  NULL: the keys of this type cannot be listed. */
	int (*list)(void *state, int64_t now_ms, int64_t deadline_ms,
		const struct mr_map_listener *listener, struct mr_error *error);
};

#define MAP(name) extern const struct mr_map_type mr_map_##name;
#include "common/map/map.def"
#undef MAP

/* mr_map_get at a time that the caller chooses. */
enum mr_lookup mr_map_get_at(struct mr_map *map, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error);

/* A check for types whose name is a file. */
int mr_map_check_path(const char *name, struct mr_error *error);

#endif
