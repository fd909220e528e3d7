/* scan - see scan.h. */
/* SPDX-License-Identifier: ISC */
#include "common/config/scan.h"
#include "common/base/arena.h"

#include <string.h>

bool mr_scan_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

const char *mr_scan_blanks(const char *p, const char *end)
{
	while (p < end && mr_scan_is_blank(*p))
		p++;
	return p;
}

static bool is_escape(const char *p, const char *end)
{
	return *p == '\\' && p + 1 < end && (p[1] == '"' || p[1] == '\\');
}

const char *mr_scan_quoted(const char *p, const char *end)
{
	if (p >= end || *p != '"')
		return NULL;
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (is_escape(p, end))
			p++;
	}
	return NULL;
}

const char *mr_scan_group(const char *p, const char *end)
{
	static const char start[] = "inline:{";
	const size_t length = sizeof(start) - 1;
	unsigned open = 1;

	if ((size_t)(end - p) < length || memcmp(p, start, length) != 0)
		return NULL;
	for (p += length; p < end; p++) {
		if (*p == '{')
			open++;
		else if (*p == '}' && --open == 0)
			return p + 1;
	}
	return NULL;
}

char *mr_scan_unquote(struct mr_arena *arena, const char *p, const char *end)
{
	char *text = mr_arena_alloc(arena, (size_t)(end - p));
	char *out = text;

	for (p++, end--; p < end; p++) {
		if (is_escape(p, end))
			p++;
		*out++ = *p;
	}
	return text;
}

char *mr_scan_quote(struct mr_arena *arena, const char *text)
{
	char *quoted = mr_arena_alloc(arena, 2 * strlen(text) + 3);
	char *out = quoted;

	*out++ = '"';
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			*out++ = '\\';
		*out++ = *text;
	}
	*out = '"';
	return quoted;
}
