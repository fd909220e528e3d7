/*
 * store - how a config is kept
 *
 * A scope has a list of bindings, in the file's order: one for each section and
 * title that is written in it, and first the one of its own settings.  A
 * binding has what is set, and nothing for what is not: 100,000 domains with
 * one setting each are 100,000 small pieces.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_STORE_H
#define MR_CONFIG_STORE_H

#include "common/base/arena.h"
#include "common/config/config.h"

#include <stdalign.h>
#include <stdlib.h>

/* Out of memory ends in mr_calloc, as everywhere. */
#define uthash_malloc(size) mr_calloc(1, size)
#define uthash_free(memory, size) free(memory)
#include <uthash.h>

struct mr_set {
	struct mr_set *next;
	struct mr_place at;
	unsigned option; /* the row in the section's table */
	alignas(int64_t) char value[];
};

/* What a load works out of a section once. */
struct mr_section_info {
	const struct mr_section *section;
	const char *name; /* for messages: "check helo", "the top level" */
	unsigned options; /* how many */
	void *initial;    /* the struct with its defaults */
	const struct mr_settings *plain; /* these alone, once settled */
	struct mr_binding *top; /* the first of this section at the top level */
	struct mr_binding **top_last;
	UT_hash_handle hh; /* once settled */
};

struct mr_binding {
	struct mr_section_info *info;
	const char *title; /* "" for the only instance */
	struct mr_place at;
	struct mr_set *sets;
	bool broken; /* has a mistake: validate would see half of it */
	const struct mr_settings *settled; /* at the top: what it says alone */
	struct mr_binding *next;
	struct mr_binding *same; /* the next of its section at the top level */
};

struct mr_scope_store {
	struct mr_scope scope;
	struct mr_binding **last;
	unsigned count;
	UT_hash_handle hh;
};

struct mr_config {
	struct mr_arena *arena;
	const struct mr_schema *schema;
	struct mr_section_info *infos;      /* one per section of the schema */
	struct mr_section_info *by_section; /* the same, once settled */
	struct mr_scope_store *top;
	struct mr_scope_store *scopes[MR_RUNGS]; /* by title, in file order */
	struct mr_index_entry *index; /* the bindings of crowded scopes */
};

struct mr_section_info *mr_store_info(
	const struct mr_config *config, const struct mr_section *section);

/* A scope that is not part of the config yet, and making it one. */
struct mr_scope_store *mr_store_new_scope(struct mr_config *config,
	enum mr_rung rung, const char *title, struct mr_place at);
void mr_store_add_scope(struct mr_config *config, struct mr_scope_store *scope);

/* NULL if there is none. */
struct mr_binding *mr_store_find(const struct mr_config *config,
	const struct mr_scope *scope, const struct mr_section_info *info,
	const char *title);
struct mr_binding *mr_store_add(struct mr_config *config,
	struct mr_scope_store *scope, struct mr_section_info *info,
	const char *title, struct mr_place at);

void mr_store_free(struct mr_config *config);

#endif
