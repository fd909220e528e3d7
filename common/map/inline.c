/* inline - a table written into its own reference, as Postfix's inline:
 * { key=value, {key = value with blanks, commas} }.  Beyond Postfix, blanks
 * around `=` are fine everywhere; a key that is there twice is a mistake. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/map/table.h"
#include "common/map/type.h"

#include <stdlib.h>
#include <string.h>

static const char BLANKS[] = " \t\r\n";
static const char SEPARATORS[] = ", \t\r\n";

static char *skip(char *text, const char *set)
{
	return text + strspn(text, set);
}

static void trim_end(char *text, char *end)
{
	while (end > text && strchr(BLANKS, end[-1]) != NULL)
		end--;
	*end = '\0';
}

/* The brace that closes the one at `text`, or NULL. */
static char *closing_brace(char *text)
{
	unsigned depth = 0;

	for (; *text != '\0'; text++) {
		if (*text == '{')
			depth++;
		else if (*text == '}' && --depth == 0)
			return text;
	}
	return NULL;
}

static int add(struct mr_table *table, char *key, char *equals, char *value,
	struct mr_error *error)
{
	trim_end(key, equals);
	if (*key == '\0' || *value == '\0')
		return mr_error_set(error,
			"expected key = value near \"%.80s\"",
			*key == '\0' ? value : key);
	if (!mr_table_add(table, key, value))
		return mr_error_set(error, "\"%.80s\" is there twice", key);
	return 0;
}

/* {key = anything up to the brace} */
static int take_braced(
	struct mr_table *table, char **at, struct mr_error *error)
{
	char *key = skip(*at + 1, BLANKS);
	char *end = closing_brace(*at);
	char *equals;

	if (end == NULL)
		return mr_error_set(error, "a { has no } near \"%.80s\"", *at);
	*end = '\0';
	*at = end + 1;
	equals = strchr(key, '=');
	if (equals == NULL)
		return mr_error_set(error, "no = in \"%.80s\"", key);
	trim_end(equals + 1, end);
	return add(table, key, equals, skip(equals + 1, BLANKS), error);
}

/* key=value, the value without blanks or commas */
static int take_plain(struct mr_table *table, char **at, struct mr_error *error)
{
	char *key = *at;
	char *equals = key + strcspn(key, "=, \t\r\n");
	char *value, *end;

	if (*skip(equals, BLANKS) != '=')
		return mr_error_set(error, "no = behind \"%.*s\"",
			(int)(equals - key > 80 ? 80 : equals - key), key);
	value = skip(skip(equals, BLANKS) + 1, BLANKS);
	end = value + strcspn(value, SEPARATORS);
	*at = *end == '\0' ? end : end + 1;
	*end = '\0';
	return add(table, key, equals, value, error);
}

static int parse(struct mr_table *table, char *text, struct mr_error *error)
{
	char *at = skip(text, BLANKS);
	char *end = closing_brace(at);

	if (*at != '{' || end == NULL || *skip(end + 1, BLANKS) != '\0')
		return mr_error_set(
			error, "expected inline:{ key = value, key = value }");
	*end = '\0';
	at = skip(at + 1, SEPARATORS);
	while (*at != '\0') {
		if ((*at == '{' ? take_braced : take_plain)(table, &at, error) <
			0)
			return -1;
		at = skip(at, SEPARATORS);
	}
	if (mr_table_count(table) == 0)
		return mr_error_set(error, "the table is empty");
	return 0;
}

static int inline_open(const char *name, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	char *text = mr_calloc(1, strlen(name) + 1);
	struct mr_table *table = mr_table_new(text);

	(void)now_ms;
	strcpy(text, name);
	if (parse(table, text, error) < 0) {
		mr_table_release(&table);
		return -1;
	}
	*state_r = table;
	return 0;
}

static void inline_close(void *state)
{
	struct mr_table *table = state;

	mr_table_release(&table);
}

static enum mr_lookup inline_get(void *state, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	const char *value = mr_table_get(state, key);

	(void)now_ms;
	(void)deadline_ms;
	(void)error;
	if (value == NULL)
		return MR_NOTFOUND;
	*value_r = mr_arena_strdup(arena, value);
	return MR_FOUND;
}

static int inline_list(void *state, int64_t now_ms, int64_t deadline_ms,
	const struct mr_map_listener *listener, struct mr_error *error)
{
	(void)now_ms;
	(void)deadline_ms;
	(void)error;
	mr_table_list(state, listener);
	return 0;
}

const struct mr_map_type mr_map_inline = {
	.name = "inline",
	.open = inline_open,
	.close = inline_close,
	.get = inline_get,
	.list = inline_list,
};
