/* tables - the maps that a policy names (known to common/policy only) */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_TABLES_H
#define MR_POLICY_TABLES_H

#include "common/config/config.h"
#include "common/config/problem.h"

struct mr_map;

/* Opens the maps of a list of TYPE:NAME, set `at`; the array, which ends with
 * NULL, is the arena's.  A table that is missing now is a warning: it may come
 * later, and until then what it is asked is unsure. */
struct mr_map **mr_tables_open(const struct mr_list *references,
	struct mr_place at, struct mr_arena *arena, size_t *count,
	struct mr_problems *problems);
/* NULL-safe. */
void mr_tables_close(struct mr_map *const *maps);

#endif
