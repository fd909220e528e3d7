/* item - one item of each type: a setting's value, or one of its list. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_ITEM_H
#define MR_CONFIG_ITEM_H

#include "common/config/value.h"

size_t mr_item_size(enum mr_type type);

/* As mr_value_parse, but flaw->offset and length are the caller's. */
int mr_item_parse(struct mr_arena *arena, const struct mr_option *option,
	const char *text, void *value, struct mr_flaw *flaw);

/* Without quotes. */
char *mr_item_format(struct mr_arena *arena, const struct mr_option *option,
	const void *value);

#endif
