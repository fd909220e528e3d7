/*
 * columns - rows of text in aligned columns, for people and for pipes
 *
 * Columns are two or more blanks apart and no cell holds two in a row of its
 * own, so that `awk -F '  +'` finds them; an empty cell is "-".
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_COLUMNS_H
#define MR_CLI_COLUMNS_H

#include <stdbool.h>
#include <stdio.h>

struct mr_arena;
struct mr_columns;

enum mr_style {
	MR_STYLE_PLAIN,
	MR_STYLE_HEAD,
	MR_STYLE_FAINT,
	MR_STYLE_GOOD,
	MR_STYLE_CAREFUL,
	MR_STYLE_BAD,
};

enum { MR_COLUMNS_MOST = 6 };

struct mr_row {
	const char *cell[MR_COLUMNS_MOST]; /* NULL: empty */
	enum mr_style style;
	struct mr_row *next;
};

struct mr_columns *mr_columns_new(
	struct mr_arena *arena, size_t count, const char *indent);
/* Adds a row to be filled in. */
struct mr_row *mr_columns_row(struct mr_columns *columns);
void mr_columns_print(const struct mr_columns *columns, FILE *out, bool colour);

/* The terminal's sequence that begins (or, for PLAIN, ends) a style; "" if not
 * `colour`. */
const char *mr_style(enum mr_style style, bool colour);

#endif
