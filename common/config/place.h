/* place - where in the configuration something was written. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_PLACE_H
#define MR_CONFIG_PLACE_H

struct mr_place {
	const char *file; /* as opened; NULL: a default, written nowhere */
	unsigned line;    /* from 1 */
	unsigned column;  /* in octets, from 1 */
};

struct mr_arena;

/* "FILE:LINE", or "default". */
char *mr_place_format(struct mr_arena *arena, const struct mr_place *place);

#endif
