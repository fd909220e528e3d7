/* due - see due.h. */
/* SPDX-License-Identifier: ISC */
#include "common/mailbox/due.h"
#include "common/base/arena.h"
#include "common/mailbox/purge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUM_DIGITS = 16, NUMBERS = 40 };

struct line {
	const char *user; /* no NUL behind it */
	size_t length;
	uint64_t policy;
	int64_t until;
};

struct lines {
	struct line *items;
	size_t count, room;
};

struct mr_due {
	struct mr_arena *arena;
	struct lines known; /* by name */
	struct lines set;   /* in the order in which they came */
};

/* --- a line ------------------------------------------------------------- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind the number and the blank that ends it, or NULL. */
static const char *take_until(const char *p, const char *end, int64_t *until)
{
	const char *start = p;

	*until = 0;
	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		if (*until > (INT64_MAX - 9) / 10)
			return NULL;
		*until = *until * 10 + (*p - '0');
	}
	return p > start && p < end && *p == ' ' ? p + 1 : NULL;
}

static const char *take_policy(const char *p, const char *end, uint64_t *sum)
{
	if (p == NULL || end - p <= SUM_DIGITS || p[SUM_DIGITS] != ' ')
		return NULL;
	*sum = 0;
	for (int i = 0; i < SUM_DIGITS; i++, p++) {
		if (digit(*p) < 0)
			return NULL;
		*sum = *sum << 4 | (uint64_t)digit(*p);
	}
	return p + 1;
}

static bool is_name(const char *name, size_t length)
{
	if (length == 0 || length > MR_DUE_NAME)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] < ' ')
			return false;
	return true;
}

static bool take_line(const char *p, const char *end, struct line *line)
{
	p = take_until(p, end, &line->until);
	p = take_policy(p, end, &line->policy);
	if (p == NULL || !is_name(p, (size_t)(end - p)))
		return false;
	line->user = p;
	line->length = (size_t)(end - p);
	return true;
}

/* --- many --------------------------------------------------------------- */

static void add(
	struct mr_arena *arena, struct lines *lines, const struct line *line)
{
	if (lines->count == lines->room) {
		struct line *before = lines->items;

		lines->room = lines->room == 0 ? 64 : lines->room * 2;
		lines->items = MR_NEW_ARRAY(arena, struct line, lines->room);
		if (lines->count > 0)
			memcpy(lines->items, before,
				lines->count * sizeof(*before));
	}
	lines->items[lines->count++] = *line;
}

static int by_name(const void *one, const void *other)
{
	const struct line *a = one, *b = other;
	size_t shorter = a->length < b->length ? a->length : b->length;
	int order = memcmp(a->user, b->user, shorter);

	if (order == 0)
		order = (a->length > b->length) - (a->length < b->length);
	return order;
}

static const struct line *find(
	const struct lines *lines, const char *user, size_t length)
{
	const struct line wanted = { .user = user, .length = length };

	if (lines->count == 0)
		return NULL;
	return bsearch(&wanted, lines->items, lines->count,
		sizeof(*lines->items), by_name);
}

static void sort(struct lines *lines)
{
	if (lines->count > 0)
		qsort(lines->items, lines->count, sizeof(*lines->items),
			by_name);
}

struct mr_due *mr_due_read(
	struct mr_arena *arena, const char *text, size_t length, int64_t now)
{
	struct mr_due *due = MR_NEW(arena, struct mr_due);
	const char *end = text + length, *newline;
	struct line line;

	due->arena = arena;
	/* a last line without its end may be half of one */
	for (; text < end; text = newline + 1) {
		newline = memchr(text, '\n', (size_t)(end - text));
		if (newline == NULL)
			break;
		if (take_line(text, newline, &line) && line.until > now &&
			line.until - now <= MR_PURGE_SCAN_EVERY)
			add(arena, &due->known, &line);
	}
	sort(&due->known);
	return due;
}

bool mr_due_find(const struct mr_due *due, const char *user, uint64_t *policy)
{
	const struct line *line = find(&due->known, user, strlen(user));

	if (line != NULL)
		*policy = line->policy;
	return line != NULL;
}

void mr_due_set(
	struct mr_due *due, const char *user, uint64_t policy, int64_t until)
{
	struct line line = {
		.length = strlen(user), .policy = policy, .until = until
	};

	if (until <= 0 || !is_name(user, line.length))
		return;
	line.user = mr_arena_strdup(due->arena, user);
	add(due->arena, &due->set, &line);
}

static size_t print(
	char *to, const struct lines *lines, const struct lines *instead)
{
	size_t used = 0;

	for (size_t i = 0; i < lines->count; i++) {
		const struct line *line = &lines->items[i];

		if (find(instead, line->user, line->length) != NULL)
			continue;
		used += (size_t)sprintf(to + used,
			"%" PRId64 " %016" PRIx64 " %.*s\n", line->until,
			line->policy, (int)line->length, line->user);
	}
	return used;
}

static size_t room_for(const struct lines *lines)
{
	size_t room = 0;

	for (size_t i = 0; i < lines->count; i++)
		room += lines->items[i].length + NUMBERS;
	return room;
}

const char *mr_due_format(struct mr_due *due, size_t *length)
{
	static const struct lines nothing;
	size_t room = room_for(&due->known) + room_for(&due->set) + 1;
	char *text = mr_arena_alloc(due->arena, room);

	sort(&due->set);
	*length = print(text, &due->known, &due->set);
	*length += print(text + *length, &due->set, &nothing);
	return text;
}
