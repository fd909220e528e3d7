/*
 * cdb_table - a whole cdb file in memory (known to cdb.c and its fuzzer only)
 *
 * It is copied before anything is believed: a file that is mapped and then cut
 * short is SIGBUS for whoever reads it.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_CDB_TABLE_H
#define MR_MAP_CDB_TABLE_H

#include "common/base/error.h"

#include <stddef.h>

struct mr_arena;
struct mr_cdb_table;

/* NULL: not a cdb file, or not a whole one. */
struct mr_cdb_table *mr_cdb_read(int fd, size_t size, struct mr_error *error);
struct mr_cdb_table *mr_cdb_hold(struct mr_cdb_table *table);
void mr_cdb_release(struct mr_cdb_table *table);
size_t mr_cdb_count(const struct mr_cdb_table *table);
enum mr_lookup mr_cdb_get(const struct mr_cdb_table *table,
	struct mr_arena *arena, const char *key, const char **value_r,
	struct mr_error *error);

#endif
