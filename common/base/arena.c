/* arena - see arena.h.  Blocks double up to a limit, so that a session that
 * says little costs little and a policy of 100,000 domains is a few hundred
 * blocks. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_BLOCK = 256, LARGEST_BLOCK = 256 * 1024 };

struct block {
	struct block *next;
	size_t size, used;
	alignas(max_align_t) char memory[];
};

struct mr_arena {
	alignas(struct block) struct block *newest;
	size_t size;
};

/* It comes with the arena, in one piece of memory. */
static struct block *first_block(struct mr_arena *arena)
{
	return (struct block *)(arena + 1);
}

static void die_without_memory(void)
{
	static const char message[] = "out of memory\n";

	fwrite(message, 1, sizeof(message) - 1, stderr);
	abort();
}

void *mr_calloc(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL)
		die_without_memory();
	return memory;
}

void *mr_realloc(void *memory, size_t size)
{
	memory = realloc(memory, size);
	if (memory == NULL)
		die_without_memory();
	return memory;
}

/* Not zeroed: what is taken of it is, unless it is written at once. */
static void add_block(struct mr_arena *arena, size_t size)
{
	struct block *block = mr_realloc(NULL, sizeof(*block) + size);

	block->size = size;
	block->used = 0;
	block->next = arena->newest;
	arena->newest = block;
	arena->size += sizeof(*block) + size;
}

struct mr_arena *mr_arena_new(size_t first)
{
	size_t size = first < SMALLEST_BLOCK ? SMALLEST_BLOCK : first;
	struct mr_arena *arena =
		mr_realloc(NULL, sizeof(*arena) + sizeof(struct block) + size);

	arena->newest = first_block(arena);
	*arena->newest = (struct block){ .size = size };
	arena->size = sizeof(*arena) + sizeof(struct block) + size;
	return arena;
}

void mr_arena_free(struct mr_arena **arena)
{
	if (*arena == NULL)
		return;
	for (struct block *b = (*arena)->newest, *next;
		b != first_block(*arena); b = next) {
		next = b->next;
		free(b);
	}
	free(*arena);
	*arena = NULL;
}

size_t mr_arena_size(const struct mr_arena *arena)
{
	return arena->size;
}

static size_t aligned(size_t size)
{
	const size_t align = alignof(max_align_t);

	return (size + align - 1) / align * align;
}

/* With whatever is in it. */
static void *take(struct mr_arena *arena, size_t size)
{
	struct block *block = arena->newest;
	void *memory;

	if (size > SIZE_MAX / 2)
		die_without_memory();
	size = aligned(size);
	if (block->size - block->used < size) {
		size_t next = block->size * 2;

		if (next > LARGEST_BLOCK)
			next = LARGEST_BLOCK;
		add_block(arena, size > next ? size : next);
		block = arena->newest;
	}
	memory = block->memory + block->used;
	block->used += size;
	return memory;
}

void *mr_arena_alloc(struct mr_arena *arena, size_t size)
{
	void *memory = take(arena, size);

	memset(memory, 0, size);
	return memory;
}

char *mr_arena_strndup(struct mr_arena *arena, const char *text, size_t length)
{
	char *copy = take(arena, length + 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *mr_arena_strdup(struct mr_arena *arena, const char *text)
{
	return mr_arena_strndup(arena, text, strlen(text));
}

char *mr_arena_join(struct mr_arena *arena, const char *first, ...)
{
	size_t length = 0;
	char *text, *p;
	va_list ap;

	va_start(ap, first);
	for (const char *s = first; s != NULL; s = va_arg(ap, const char *))
		length += strlen(s);
	va_end(ap);
	p = text = take(arena, length + 1);
	va_start(ap, first);
	for (const char *s = first; s != NULL; s = va_arg(ap, const char *))
		p = stpcpy(p, s);
	va_end(ap);
	*p = '\0';
	return text;
}

/* Into what is left of the newest block, if it fits: formatting twice, only to
 * measure, costs more than all else about a text. */
char *mr_arena_vprintf(struct mr_arena *arena, const char *format, va_list ap)
{
	struct block *block = arena->newest;
	size_t room = block->size - block->used;
	char *text = block->memory + block->used;
	va_list again;
	int length;

	va_copy(again, ap);
	length = vsnprintf(text, room, format, again);
	va_end(again);
	if (length >= 0 && (size_t)length < room) {
		size_t size = aligned((size_t)length + 1);

		block->used += size < room ? size : room;
		return text;
	}
	if (length < 0)
		length = 0;
	text = take(arena, (size_t)length + 1);
	*text = '\0';
	vsnprintf(text, (size_t)length + 1, format, ap);
	return text;
}

char *mr_arena_printf(struct mr_arena *arena, const char *format, ...)
{
	va_list ap;
	char *text;

	va_start(ap, format);
	text = mr_arena_vprintf(arena, format, ap);
	va_end(ap);
	return text;
}
