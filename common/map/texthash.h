/* texthash - the parser of Postfix's table text, for its map type and its
 * fuzz target; see postmap(1), TABLE FORMAT. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_TEXTHASH_H
#define MR_MAP_TEXTHASH_H

#include <stddef.h>

struct mr_table;

/* Adds every `key value` of `text` to `table`.  `text` must lie in the table's
 * own memory and have one writable octet behind its `length`; it is cut into
 * strings in place.  Lines that Postfix would ignore with a warning are
 * ignored; returns how many, with the line number of the first in
 * *first_line_r. */
size_t mr_texthash_parse(struct mr_table *table, char *text, size_t length,
	size_t *first_line_r);

#endif
