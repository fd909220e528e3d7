/*
 * replace - a new version of a file, whole or not at all
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_REPLACE_H
#define MR_CLI_REPLACE_H

#include "common/base/error.h"

#include <stdio.h>

struct mr_arena;

/* Writes DIRECTORY/NAME, mode 0644, so that at any moment (and after a crash)
 * there is either the old one or the whole new one.  `fill` writes `what` to
 * `out`; it need not look for errors of `out`. */
int mr_replace_file(const char *directory, const char *name,
	int (*fill)(const void *what, FILE *out, struct mr_error *error),
	const void *what, struct mr_arena *arena, const char **path_r,
	struct mr_error *error);

#endif
