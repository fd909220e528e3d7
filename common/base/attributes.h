/*
 * attributes - lines of name=value and an empty line, as in Postfix's policy
 * requests: the form in which our programs talk to each other
 *
 * Names that are not ours are passed over, so that a newer program may say
 * more; one that is ours twice is an error, as the reader would choose which
 * counts.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_ATTRIBUTES_H
#define MR_BASE_ATTRIBUTES_H

#include "common/base/error.h"

#include <stddef.h>
#include <stdint.h>

/* `text` is all of `length` octets, and is changed: values[i], of names[i],
 * points into it.  values[] has room for `n`, and NULL for what is missing.
 * What was cut short is refused, as it may say something else. */
int mr_attributes_split(char *text, size_t length, const char *const *names,
	size_t n, const char **values, struct mr_error *error);

/* Digits, at most INT64_MAX; NULL, which was not said, is 0.  `name` is for the
 * error. */
int mr_attributes_number(const char *name, const char *value, int64_t *number,
	struct mr_error *error);

#endif
