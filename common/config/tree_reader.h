/* tree_reader - what tree.c (lines) and include.c (files) share. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_TREE_READER_H
#define MR_CONFIG_TREE_READER_H

#include "common/config/tree.h"

#include <sys/types.h>

/* A file that is being read, and the one that includes it. */
struct mr_open_file {
	const char *name;
	dev_t device;
	ino_t inode;
	unsigned line; /* the one that is read now, from 1 */
	unsigned base; /* how many sections were open at its start */
	struct mr_open_file *includer;
};

/* A section that is open; the first level is the top. */
struct mr_level {
	struct mr_node *section;
	struct mr_node **last;
};

struct mr_reader {
	struct mr_arena *arena;
	struct mr_problems *problems;
	bool may_include;
	size_t octets; /* of all files so far */
	struct mr_open_file *file;
	const char *line; /* its first octet */
	struct mr_level levels[MR_TREE_NESTED + 1];
	unsigned depth;
	unsigned too_deep; /* open sections beyond the last level */
};

/* Reads the lines of r->file, and complains of what they leave open. */
void mr_reader_lines(struct mr_reader *r, const char *text, size_t length);

/* `!include GLOB` or `!include_try GLOB` from `p` on. */
void mr_reader_include(struct mr_reader *r, struct mr_place at, const char *p,
	const char *end);

#endif
