/*
 * table - keys and values in memory, read by many threads, never changed
 *
 * Filled by one thread, then shared.  The last release frees it, so that a
 * reader may go on with an old table while a new one takes its place.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_TABLE_H
#define MR_MAP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct mr_map_listener;
struct mr_table;

/* Takes over `text` (from malloc, may be NULL), in which keys and values lie.
 */
struct mr_table *mr_table_new(char *text);
struct mr_table *mr_table_hold(struct mr_table *table);
/* NULL-safe; clears the pointer. */
void mr_table_release(struct mr_table **table);

/* Folds the key to lower case, in place if it is ASCII; both strings live as
 * long as the table.  false: the key is there already, and the first one stays.
 */
bool mr_table_add(struct mr_table *table, char *key, const char *value);
/* NULL: no such key. */
const char *mr_table_get(const struct mr_table *table, const char *key);
size_t mr_table_count(const struct mr_table *table);
/* Tells every key.  false: the listener has enough. */
bool mr_table_list(
	const struct mr_table *table, const struct mr_map_listener *listener);

#endif
