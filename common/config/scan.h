/* scan - the small pieces of a line: blanks, "quoted text", inline:{...}. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_SCAN_H
#define MR_CONFIG_SCAN_H

#include <stdbool.h>

struct mr_arena;

bool mr_scan_is_blank(char c);
const char *mr_scan_blanks(const char *p, const char *end);

/* Behind the quoted text, or the inline:{...} with its braces in pairs, that
 * begins at `p`; NULL if none begins there or it does not end. */
const char *mr_scan_quoted(const char *p, const char *end);
const char *mr_scan_group(const char *p, const char *end);

/* What the quoted text from `p` to `end`, quotes included, stands for: \" and
 * \\ are a quote and a backslash, any other backslash is itself, so that
 * "\Trash" is what it looks like. */
char *mr_scan_unquote(struct mr_arena *arena, const char *p, const char *end);
/* The reverse, with quotes. */
char *mr_scan_quote(struct mr_arena *arena, const char *text);

#endif
