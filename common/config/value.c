/* value - see value.h. */
/* SPDX-License-Identifier: ISC */
#include "common/config/value.h"
#include "common/base/arena.h"
#include "common/config/config.h"
#include "common/config/item.h"
#include "common/config/scan.h"

#include <string.h>

size_t mr_value_size(const struct mr_option *option)
{
	return option->list ? sizeof(struct mr_list)
	                    : mr_item_size(option->type);
}

void mr_value_unset(const struct mr_option *option, void *value)
{
	bool word = option->type == MR_TYPE_ENUM || option->type == MR_TYPE_TLS;

	if (word && !option->list)
		*(int *)value = MR_UNSET;
	else
		memset(value, 0, mr_value_size(option));
}

static bool is_separator(char c)
{
	return mr_scan_is_blank(c) || c == ',';
}

/* Where the item at `p` ends; NULL if its quotes or braces do not. */
static const char *find_item_end(const char *p, const char *end)
{
	const char *behind = mr_scan_quoted(p, end);

	if (behind == NULL && *p == '"')
		return NULL;
	if (behind == NULL)
		behind = mr_scan_group(p, end);
	if (behind == NULL && strncmp(p, "inline:{", 8) == 0)
		return NULL;
	if (behind == NULL)
		behind = p;
	while (behind < end && !is_separator(*behind))
		behind++;
	return behind;
}

/* One item from `p` on into `value`; returns where it ends, NULL for a flaw. */
static const char *parse_list_item(struct mr_arena *arena,
	const struct mr_option *option, const char *p, const char *end,
	void *value, struct mr_flaw *flaw)
{
	const char *behind = find_item_end(p, end);
	const char *text;

	if (behind == NULL) {
		mr_error_set(&flaw->error, "the closing %s is missing",
			*p == '"' ? "quote" : "brace");
		flaw->length = 1;
		return NULL;
	}
	flaw->length = (size_t)(behind - p);
	if (*p != '"') {
		text = mr_arena_strndup(arena, p, flaw->length);
	} else if (mr_scan_quoted(p, end) == behind) {
		text = mr_scan_unquote(arena, p, behind);
	} else {
		mr_error_set(&flaw->error, "text behind the closing quote");
		return NULL;
	}
	return mr_item_parse(arena, option, text, value, flaw) < 0 ? NULL
	                                                           : behind;
}

static size_t count_separators(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += is_separator(*text);
	return count;
}

static int parse_list(struct mr_arena *arena, const struct mr_option *option,
	const char *text, bool quoted, struct mr_list *list,
	struct mr_flaw *flaw)
{
	const char *end = text + strlen(text);
	size_t size = mr_item_size(option->type);
	char *items = mr_arena_alloc(
		arena, size * (quoted ? 1 : count_separators(text) + 1));
	size_t count = 0;

	list->items = items;
	if (quoted) {
		flaw->length = strlen(text) + 2;
		list->count = 1;
		return mr_item_parse(arena, option, text, items, flaw);
	}
	for (const char *p = text; p < end; p++) {
		if (is_separator(*p))
			continue;
		flaw->offset = (size_t)(p - text);
		p = parse_list_item(
			arena, option, p, end, items + count++ * size, flaw);
		if (p == NULL)
			return -1;
	}
	list->count = count;
	return 0;
}

int mr_value_parse(struct mr_arena *arena, const struct mr_option *option,
	const char *text, bool quoted, void *value, struct mr_flaw *flaw)
{
	/* not its text: a policy has thousands of values */
	flaw->error.text[0] = '\0';
	flaw->nearest = NULL;
	flaw->offset = flaw->length = 0;
	if (option->list)
		return parse_list(arena, option, text, quoted, value, flaw);
	flaw->length = strlen(text) + (quoted ? 2 : 0);
	if (!quoted && text[0] == '"')
		return mr_error_set(
			&flaw->error, "text behind the closing quote");
	if (!quoted && text[0] == '\0' && option->type != MR_TYPE_STRING)
		return mr_error_set(&flaw->error, "the value is missing");
	return mr_item_parse(arena, option, text, value, flaw);
}

/* An item may stand bare where nothing in it could be taken for a separator, a
 * quote, a comment or an inline:{...}. */
static char *quote_item(struct mr_arena *arena, char *text)
{
	if (text[0] != '\0' && strpbrk(text, " \t,\"#{") == NULL)
		return text;
	return mr_scan_quote(arena, text);
}

static char *quote_scalar(struct mr_arena *arena, char *text)
{
	size_t length = strlen(text);

	if (length > 0 && strpbrk(text, "\"#") == NULL &&
		!mr_scan_is_blank(text[0]) &&
		!mr_scan_is_blank(text[length - 1]))
		return text;
	return mr_scan_quote(arena, text);
}

static char *format_list(struct mr_arena *arena, const struct mr_option *option,
	const struct mr_list *list)
{
	size_t size = mr_item_size(option->type), length = 0;
	char **parts = MR_NEW_ARRAY(arena, char *, list->count + 1);
	char *text, *out;

	for (size_t i = 0; i < list->count; i++) {
		parts[i] = quote_item(
			arena, mr_item_format(arena, option,
				       (const char *)list->items + i * size));
		length += strlen(parts[i]) + 1;
	}
	text = out = mr_arena_alloc(arena, length + 1);
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			*out++ = ' ';
		out = stpcpy(out, parts[i]);
	}
	return text;
}

char *mr_value_format(struct mr_arena *arena, const struct mr_option *option,
	const void *value)
{
	if (option->list)
		return format_list(arena, option, value);
	return quote_scalar(arena, mr_item_format(arena, option, value));
}

static bool is_zero(const char *memory, size_t size)
{
	while (size > 0 && *memory == 0) {
		memory++;
		size--;
	}
	return size == 0;
}

char *mr_option_format(struct mr_arena *arena, const struct mr_option *option,
	const void *values)
{
	const char *value = (const char *)values + option->offset;
	bool word = !option->list && (option->type == MR_TYPE_ENUM ||
					     option->type == MR_TYPE_TLS);

	if (word ? *(const int *)value == MR_UNSET
		 : option->initial == NULL &&
				is_zero(value, mr_value_size(option)))
		return NULL;
	return mr_value_format(arena, option, value);
}
