/*
 * sqlite_cf - Postfix's sqlite_table(5) files, for sqlite.c and its fuzz target
 *
 * What Postfix pastes into the query is made a bound parameter here: the quoted
 * text '%u@%d' becomes ?1, with the template "%u@%d" for its value.  So no key
 * can ever be read as SQL.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_SQLITE_CF_H
#define MR_MAP_SQLITE_CF_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_arena;

enum { MR_SQLITE_PARAMETERS = 32 };

struct mr_sqlite_cf {
	const char *dbpath;
	const char *query; /* with ?1, ?2, ... */
	const char *parameters[MR_SQLITE_PARAMETERS];
	size_t n_parameters;
	const char *result_format;
	const char *domains; /* as written, "" for all */
	int64_t limit;       /* of values, 0 for none */
	/* What the templates need of a key and of a value. */
	bool key_user, key_domain, value_user, value_domain;
	unsigned key_labels;
};

int mr_sqlite_cf_parse(struct mr_arena *arena, const char *text, size_t length,
	struct mr_sqlite_cf *cf, struct mr_error *error);

/* Is the database asked for this key at all? */
bool mr_sqlite_cf_asks(
	const struct mr_sqlite_cf *cf, struct mr_arena *arena, const char *key);
/* The value of a parameter for a key that is asked for. */
char *mr_sqlite_cf_parameter(
	struct mr_arena *arena, const char *template, const char *key);
/* `value` in the result format; NULL if it is one that Postfix leaves out. */
char *mr_sqlite_cf_result(const struct mr_sqlite_cf *cf, struct mr_arena *arena,
	const char *value, const char *key);

#endif
