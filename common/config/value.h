/*
 * value - the text of a setting to a value of its type, and back
 *
 * A value is a piece of memory as the option's member in its struct: an item,
 * or a struct mr_list.  What it points to lives in the arena.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_VALUE_H
#define MR_CONFIG_VALUE_H

#include "common/config/schema.h"

/* What is wrong with a text. */
struct mr_flaw {
	struct mr_error error;
	const char *nearest;   /* the word that was meant, or NULL */
	size_t offset, length; /* the octets that it is about */
};

/* The octets of the option's member. */
size_t mr_value_size(const struct mr_option *option);

/* What the member holds while nothing is set. */
void mr_value_unset(const struct mr_option *option, void *value);

/* `quoted`: the whole text stood in quotes, so that it is one item of a list.
 * -1: the flaw is a mistake.  0 with a text in flaw->error: a warning. */
int mr_value_parse(struct mr_arena *arena, const struct mr_option *option,
	const char *text, bool quoted, void *value, struct mr_flaw *flaw);

/* As the file would write it; reads back as the same value. */
char *mr_value_format(struct mr_arena *arena, const struct mr_option *option,
	const void *value);

/* MR_TYPE_SECRET: `@FILE` to the first line of that file.  Behind the NUL of
 * *secret stands the reference, for mr_secret_reference. */
int mr_secret_read(struct mr_arena *arena, const char *reference,
	const char **secret, struct mr_error *error);
const char *mr_secret_reference(const char *secret);

#endif
