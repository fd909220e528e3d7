/* columns - see columns.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/columns.h"
#include "common/base/arena.h"
#include "common/base/text.h"

#include <string.h>

/* A longer cell sticks out of its column instead of widening it for all. */
enum { COLUMN_WIDEST = 40 };

struct mr_columns {
	struct mr_arena *arena;
	size_t count;
	const char *indent;
	struct mr_row *first, **last;
};

struct mr_columns *mr_columns_new(
	struct mr_arena *arena, size_t count, const char *indent)
{
	struct mr_columns *columns = MR_NEW(arena, struct mr_columns);

	columns->arena = arena;
	columns->count = count;
	columns->indent = indent;
	columns->last = &columns->first;
	return columns;
}

struct mr_row *mr_columns_row(struct mr_columns *columns)
{
	struct mr_row *row = MR_NEW(columns->arena, struct mr_row);

	*columns->last = row;
	columns->last = &row->next;
	return row;
}

const char *mr_style(enum mr_style style, bool colour)
{
	static const char *const sequences[] = {
		[MR_STYLE_PLAIN] = "\033[0m",
		[MR_STYLE_HEAD] = "\033[1m",
		[MR_STYLE_FAINT] = "\033[2m",
		[MR_STYLE_GOOD] = "\033[32m",
		[MR_STYLE_CAREFUL] = "\033[33m",
		[MR_STYLE_BAD] = "\033[31m",
	};

	return colour ? sequences[style] : "";
}

/* Characters, not octets. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* Harmless, and without runs of blanks. */
static const char *tidy(struct mr_arena *arena, const char *cell)
{
	char *copy, *to;

	if (cell == NULL || *cell == '\0')
		return "-";
	copy = to = mr_arena_strdup(arena, cell);
	mr_text_clean(copy, strlen(copy));
	for (const char *from = copy; *from != '\0'; from++)
		if (*from != ' ' || to == copy || to[-1] != ' ')
			*to++ = *from;
	*to = '\0';
	return copy;
}

/* Blanks up to the next column, at least two. */
static int gap(const char *cell, size_t widest)
{
	return width(cell) >= widest ? 2 : (int)(widest - width(cell)) + 2;
}

static void print_row(const struct mr_columns *columns,
	const struct mr_row *row, const size_t *widest, FILE *out)
{
	size_t last = columns->count - 1;

	fputs(columns->indent, out);
	for (size_t i = 0; i < last; i++)
		fprintf(out, "%s%*s", row->cell[i],
			gap(row->cell[i], widest[i]), "");
	fputs(row->cell[last], out);
}

void mr_columns_print(const struct mr_columns *columns, FILE *out, bool colour)
{
	size_t widest[MR_COLUMNS_MOST] = { 0 };
	struct mr_row *row;

	for (row = columns->first; row != NULL; row = row->next)
		for (size_t i = 0; i < columns->count; i++) {
			size_t wide;

			row->cell[i] = tidy(columns->arena, row->cell[i]);
			wide = width(row->cell[i]);
			if (wide > widest[i] && wide <= COLUMN_WIDEST)
				widest[i] = wide;
		}
	for (row = columns->first; row != NULL; row = row->next) {
		bool styled = colour && row->style != MR_STYLE_PLAIN;

		fputs(mr_style(row->style, styled), out);
		print_row(columns, row, widest, out);
		fprintf(out, "%s\n", mr_style(MR_STYLE_PLAIN, styled));
	}
}
