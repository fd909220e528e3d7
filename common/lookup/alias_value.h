/* alias_value - the right-hand side of a Postfix virtual(5) table. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_ALIAS_VALUE_H
#define MR_LOOKUP_ALIAS_VALUE_H

#include <stddef.h>

struct mr_arena;

/* Addresses are separated by commas or blanks; what stands inside <> counts and
 * the words in front of it do not; comments in () are skipped. */
size_t mr_alias_value_split(struct mr_arena *arena, const char *value,
	const char *const **addresses_r);

/* `address` with `detail` ("+x", not quoted; "" for none) behind its local
 * part, quoted where it was or where the detail needs it. */
const char *mr_alias_value_detail(
	struct mr_arena *arena, const char *address, const char *detail);

/* An address that has no domain, as Postfix rewrites it (swap_bangpath, then
 * allow_percent_hack, which are on by default): site!user and user%site. */
const char *mr_alias_value_rewrite(struct mr_arena *arena, const char *address);

#endif
