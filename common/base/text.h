/*
 * text - small string tools
 *
 * Outside text enters a reply only through mr_text_printable, and a log line or
 * a message about the configuration only through mr_text_clean.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_TEXT_H
#define MR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct mr_arena;

/* A copy in lower case, letter by letter (UTF-8; other octets stay), as Postfix
 * has the keys of its tables.  It folds some letters into several, sharp s into
 * ss, which this does not. */
char *mr_text_lower(struct mr_arena *arena, const char *text);

/* A copy of at most `longest` octets in which everything but printable ASCII
 * is `?`; a cut copy ends in "...".  NULL becomes "". */
char *mr_text_printable(
	struct mr_arena *arena, const char *text, size_t longest);

/* Makes `length` octets at `text` harmless in place, for people and logs: what
 * is neither printable ASCII nor printable UTF-8 becomes `?`, octet by octet.
 */
void mr_text_clean(char *text, size_t length);

/* The word nearest to `text` by edit distance, or NULL if none is near enough
 * to be what was meant.  `words` ends with NULL. */
const char *mr_text_nearest(const char *text, const char *const *words);

/* Is `text` all of [a-z0-9_], beginning with a letter? */
bool mr_text_is_name(const char *text, size_t length);

/* Does the glob `pattern` (only `*`, any run) match `text`, case ignored?
 * At worst both lengths multiplied in time, never more. */
bool mr_text_glob(const char *pattern, const char *text);
/* The same with case, for the names of folders. */
bool mr_text_glob_exact(const char *pattern, const char *text);

#endif
