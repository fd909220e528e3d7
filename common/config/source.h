/* source - a file of the configuration as text, if it may be trusted. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_SOURCE_H
#define MR_CONFIG_SOURCE_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct mr_arena;

struct mr_source_file {
	const char *text; /* a NUL behind it */
	size_t length;
	dev_t device;
	ino_t inode;
	bool unreadable; /* it exists, but not for this process */
	bool missing;
};

/* Reads a regular file that others cannot write, of at most `most` octets.
 * `secret`: others must not be able to read it either. */
int mr_source_read(struct mr_arena *arena, const char *path, size_t most,
	bool secret, struct mr_source_file *file, struct mr_error *error);

#endif
