/*
 * tree - the text of the policy, as sections and settings with their places
 *
 * The language: `name = value` to the end of the line; `section title... {`
 * to a `}` alone on its line; `#` begins a comment at a line's start or after a
 * blank; a value or title may stand in double quotes (\" and \\ inside), and
 * must where it would otherwise begin a comment or lose blanks; `!include GLOB`
 * and `!include_try GLOB` (nothing there is fine), relative to the including
 * file.  An inline:{ ... } map reference may hold blanks and braces, on one
 * line.
 *
 * Limits, each a clear mistake: lines of 64 KB, files of 64 MB in all, 8 nested
 * sections, 16 nested includes (a loop is named as such), NUL and other
 * control octets.  Files must be regular and not writable by others.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_TREE_H
#define MR_CONFIG_TREE_H

#include "common/config/problem.h"

#include <stdbool.h>
#include <stddef.h>

struct mr_arena;

enum {
	MR_TREE_LINE = 64 * 1024,
	MR_TREE_OCTETS = 64 * 1024 * 1024,
	MR_TREE_NESTED = 8,
	MR_TREE_INCLUDES = 16,
};

struct mr_node {
	bool is_section;
	bool quoted;   /* setting: the whole value stood in quotes */
	bool unclosed; /* section: its } is missing, so what it holds may belong
	                  elsewhere */
	const char *name;
	const char *value; /* setting: without the quotes if `quoted`, else as
	                      written; section: NULL */
	const char *const *titles; /* section: ends with NULL */
	const unsigned *columns;   /* of each title */
	struct mr_place at;        /* of the name */
	struct mr_place value_at;  /* of the value, or of the first title */
	struct mr_node *children;  /* of a section, in the file's order */
	struct mr_node *next;
};

/* The nodes of `path` (or of `length` octets at `text`, called `name` in
 * messages; includes are refused there).  What could be read is returned even
 * if there were mistakes.  Nodes live in `arena`; the names of files and the
 * text itself belong to `problems`, which shows lines of it. */
struct mr_node *mr_tree_read_file(
	struct mr_arena *arena, const char *path, struct mr_problems *problems);
struct mr_node *mr_tree_read_text(struct mr_arena *arena, const char *name,
	const char *text, size_t length, struct mr_problems *problems);

#endif
