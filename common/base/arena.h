/*
 * arena - memory that is freed as a whole
 *
 * One arena per policy, session or transaction.  Memory comes zeroed and
 * aligned for any type, and lives until the arena is cleared or freed.  Running
 * out of memory ends the process with a message: the MTA then answers with its
 * own default action, and nothing is half decided.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_ARENA_H
#define MR_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct mr_arena;

/* An empty arena; `first` is the size of its first block in octets. */
struct mr_arena *mr_arena_new(size_t first);
/* NULL-safe; clears the pointer. */
void mr_arena_free(struct mr_arena **arena);
/* Octets asked of malloc so far. */
size_t mr_arena_size(const struct mr_arena *arena);

void *mr_arena_alloc(struct mr_arena *arena, size_t size);
char *mr_arena_strdup(struct mr_arena *arena, const char *text);
/* A NUL-terminated copy of `length` octets. */
char *mr_arena_strndup(struct mr_arena *arena, const char *text, size_t length);
/* The texts in a row; the last argument is NULL. */
char *mr_arena_join(struct mr_arena *arena, const char *first, ...)
	__attribute__((sentinel));
char *mr_arena_printf(struct mr_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *mr_arena_vprintf(struct mr_arena *arena, const char *format, va_list ap)
	__attribute__((format(printf, 2, 0)));

#define MR_NEW(arena, type) ((type *)mr_arena_alloc(arena, sizeof(type)))
#define MR_NEW_ARRAY(arena, type, count) \
	((type *)mr_arena_alloc(arena, sizeof(type) * (count)))

/* malloc for what outlives every arena; same promise, same zeroes. */
void *mr_calloc(size_t count, size_t size);
void *mr_realloc(void *memory, size_t size);

#endif
