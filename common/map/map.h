/*
 * map - key to value, in the tables that Postfix and Dovecot already use
 *
 * A reference is TYPE:NAME as in main.cf: texthash:/etc/postfix/virtual,
 * inline:{ a=b, c=d }, lmdb:/etc/postfix/virtual, userdb:/run/dovecot/
 * auth-userdb.  Each type is one file and one line of map.def: texthash and cdb
 * are read as a whole (watched.h), lmdb is mapped, sqlite is asked with bound
 * parameters, userdb and socketmap are servers (peer.h), and postmap stands for
 * what only Postfix can read: hash, mysql, pcre and others.
 *
 * A map may be asked by many threads at once.  A map that cannot be read
 * answers MR_TEMPFAIL, never MR_NOTFOUND.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_MAP_H
#define MR_MAP_MAP_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct mr_arena;
struct mr_map;

/* Longer keys are not found, longer values are MR_TEMPFAIL. */
enum { MR_MAP_KEY_LONGEST = 1024, MR_MAP_VALUE_LONGEST = 64 * 1024 };

/* Is it a known type with a well-formed name?  Opens nothing. */
int mr_map_check(const char *reference, struct mr_error *error);

/* Opens; a table that is missing now is a failure here (a daemon may open it
 * with `mr_map_open_later`, which keeps the reason and tries again on each
 * question). */
int mr_map_open(
	const char *reference, struct mr_map **map_r, struct mr_error *error);
int mr_map_open_later(
	const char *reference, struct mr_map **map_r, struct mr_error *error);
void mr_map_free(struct mr_map **map);
const char *mr_map_reference(const struct mr_map *map);
/* Are its keys names of users (userdb)?  Then ask for plain addresses only;
 * the first of the value's tab-separated fields is the user's own name. */
bool mr_map_names_users(const struct mr_map *map);
/* Is it asked for whole addresses only, never for one without its detail, nor
 * for @domain?  So does Postfix where a server or a pattern answers, as either
 * might match anything. */
bool mr_map_wants_whole(const struct mr_map *map);

/* One question, key as it is (the caller lower-cases; the empty key is not
 * found).  `deadline_ms` is a time on CLOCK_MONOTONIC in milliseconds: servers
 * and postmap are waited for until then, and whoever locks an lmdb or sqlite
 * table.
 * *value_r lives in `arena`, and is "" where a table says nothing more than
 * that a key exists. */
enum mr_lookup mr_map_get(struct mr_map *map, struct mr_arena *arena,
	const char *key, int64_t deadline_ms, const char **value_r,
	struct mr_error *error);

/* Who is told a key; false: that is enough. */
struct mr_map_listener {
	bool (*see)(void *context, const char *key);
	void *context;
};
/* Is it a type whose keys can be listed? */
bool mr_map_can_list(const char *reference);
/* Tells every key, in no order, some perhaps twice.  -1: not all of them could
 * be told (those told until then are worth nothing), also where a question
 * would be MR_TEMPFAIL because the table is being written. */
int mr_map_list(struct mr_map *map, int64_t deadline_ms,
	const struct mr_map_listener *listener, struct mr_error *error);

#endif
