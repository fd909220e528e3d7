/* texthash_parse - Postfix's table text, cut into strings in place: what is
 * joined or folded never grows, so a million addresses are read without a copy.
 */
/* SPDX-License-Identifier: ISC */
#include "common/map/table.h"
#include "common/map/texthash.h"

#include <stdbool.h>
#include <string.h>

struct cursor {
	char *at, *end;
	size_t line;
};

/* One line as it stands in the file, without its end. */
struct piece {
	char *text;
	size_t length;
};

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct piece take_line(struct cursor *cursor)
{
	struct piece piece = { cursor->at, 0 };
	size_t left = (size_t)(cursor->end - cursor->at);
	char *newline = memchr(cursor->at, '\n', left);

	piece.length = newline == NULL ? left : (size_t)(newline - piece.text);
	cursor->at = newline == NULL ? cursor->end : newline + 1;
	cursor->line++;
	return piece;
}

/* Empty, all blank, or a comment: these do not even end a logical line. */
static bool is_nothing(struct piece piece)
{
	size_t i = 0;

	while (i < piece.length && is_blank(piece.text[i]))
		i++;
	return i == piece.length || piece.text[i] == '#';
}

/* A logical line and its continuations, which begin with a blank. */
static bool take_logical_line(
	struct cursor *cursor, struct piece *whole, size_t *line)
{
	do {
		if (cursor->at == cursor->end)
			return false;
		*whole = take_line(cursor);
	} while (is_nothing(*whole));
	*line = cursor->line;
	while (cursor->at < cursor->end &&
		(is_blank(*cursor->at) || *cursor->at == '#')) {
		struct piece more = take_line(cursor);

		if (is_nothing(more))
			continue;
		memmove(whole->text + whole->length, more.text, more.length);
		whole->length += more.length;
	}
	whole->text[whole->length] = '\0';
	return true;
}

/* A key may hold blanks inside quotes: "a b"@example.org. */
static char *end_of_key(char *key)
{
	bool quoted = false;

	for (; *key != '\0' && (quoted || !is_blank(*key)); key++) {
		if (*key == '"')
			quoted = !quoted;
		else if (*key == '\\' && key[1] != '\0')
			key++;
	}
	return key;
}

static bool split(char *text, size_t length, char **value_r)
{
	char *value, *end = text + length;

	if (is_blank(text[0]) || memchr(text, '\0', length) != NULL)
		return false;
	value = end_of_key(text);
	if (*value != '\0')
		*value++ = '\0';
	while (is_blank(*value))
		value++;
	while (end > value && is_blank(end[-1]))
		*--end = '\0';
	*value_r = value;
	return *value != '\0';
}

size_t mr_texthash_parse(
	struct mr_table *table, char *text, size_t length, size_t *first_line_r)
{
	struct cursor cursor = { text, text + length, 0 };
	struct piece whole;
	size_t line, ignored = 0;
	char *value;

	*first_line_r = 0;
	while (take_logical_line(&cursor, &whole, &line)) {
		if (split(whole.text, whole.length, &value) &&
			mr_table_add(table, whole.text, value))
			continue;
		if (ignored++ == 0)
			*first_line_r = line;
	}
	return ignored;
}
