/* program - what another program prints, without a shell. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_PROGRAM_H
#define MR_CLI_PROGRAM_H

#include "common/base/error.h"

struct mr_arena;

/* A program that says nothing for so long is ended; more output is cut. */
enum { MR_PROGRAM_WAIT_MS = 10 * 1000, MR_PROGRAM_LONGEST = 4 * 1024 * 1024 };

/* Runs `argv` (found in PATH or the usual sbin directories) with an empty
 * standard input, and gives its standard output.  -1: it could not be run, or
 * failed.  Its standard error is not shown. */
int mr_program_output(const char *const *argv, struct mr_arena *arena,
	const char **output_r, struct mr_error *error);

#endif
