/*
 * config - a policy file that was read, checked and bound to its schema
 *
 * A config never changes after it is loaded and may be read by any number of
 * threads.  It keeps what the file says, per rung (user, group, domain,
 * listener, global); what applies to somebody is resolved here and nowhere
 * else, setting by setting, from a chain of rungs.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_CONFIG_H
#define MR_CONFIG_CONFIG_H

#include "common/config/problem.h"
#include "common/config/schema.h"

#include <stdio.h>

struct mr_arena;
struct mr_config;

/* One `user x`, `group x`, `domain x` or `listener x`, or the file's top. */
struct mr_scope {
	enum mr_rung rung;
	const char *title; /* lower case; "" for the top */
	struct mr_place at;
	/* the rest is config.c's */
	struct mr_binding *bindings;
	const struct mr_scope *next; /* the next of its rung, file order */
};

/* Who is asked about: at most one scope per rung, NULL where there is none.
 * chain.scope[MR_GLOBAL] may stay NULL; it is implied. */
struct mr_chain {
	const struct mr_scope *scope[MR_RUNGS];
};

/* Reads and checks; 0 and *config_r only without mistakes (warnings are fine).
 * `schema` must outlive the config.  mr_config_read_text is the same for text
 * in memory, without includes. */
int mr_config_read(const struct mr_schema *schema, const char *path,
	struct mr_config **config_r, struct mr_problems *problems);
int mr_config_read_text(const struct mr_schema *schema, const char *name,
	const char *text, size_t length, struct mr_config **config_r,
	struct mr_problems *problems);
void mr_config_free(struct mr_config **config);

const struct mr_schema *mr_config_schema(const struct mr_config *config);
/* The scope `title` (lower case) of a rung, or NULL; O(1). */
const struct mr_scope *mr_config_scope(
	const struct mr_config *config, enum mr_rung rung, const char *title);
/* The first of a rung, in the file's order; then scope->next. */
const struct mr_scope *mr_config_scopes(
	const struct mr_config *config, enum mr_rung rung);

/* A section's effective values for somebody. */
struct mr_settings {
	const struct mr_section *section;
	const char *title;             /* of the instance, "" if there is one
	                                  or nothing says anything about it */
	const void *values;            /* the section's struct, filled */
	const struct mr_place *places; /* one per option, in table order; file
	                                  NULL: the default, or not set */
	const enum mr_rung *from;      /* the rung that set it, per option;
	                                  MR_GLOBAL for a default, too */
};

/* Always succeeds: defaults fill what nothing sets.  `chain` NULL: the top
 * level only.  `title` NULL for sections without titles, and for listener,
 * group, domain and user, whose titles are in the chain.  Lists replace, they
 * do not add.  The result lives in `arena`; pointers in it point into the
 * config, which must outlive it. */
const struct mr_settings *mr_config_get(const struct mr_config *config,
	const struct mr_chain *chain, const struct mr_section *section,
	const char *title, struct mr_arena *arena);

/* Works out, once, what the top level says to those of whom no narrower rung
 * says anything, so that mr_config_get need not each time: for a config that is
 * asked often, before other threads have it. */
void mr_config_settle(struct mr_config *config);

/* Where the option at `offset` of the struct was set, and by which rung. */
struct mr_place mr_settings_place(
	const struct mr_settings *settings, size_t offset);
/* Of all its options, in the table's order, the first that is set anywhere;
 * file NULL: none is. */
struct mr_place mr_settings_first_place(const struct mr_settings *settings);
enum mr_rung mr_settings_rung(
	const struct mr_settings *settings, size_t offset);

/* The titles of a section with titles, over all rungs of the chain, each once,
 * in the order of the chain and then of the file; ends with NULL. */
const char *const *mr_config_titles(const struct mr_config *config,
	const struct mr_chain *chain, const struct mr_section *section,
	struct mr_arena *arena);

/* Every value of one option anywhere in the file, all rungs: for "the largest
 * limit anyone has".  Calls back with a pointer of the option's type. */
void mr_config_each(const struct mr_config *config,
	const struct mr_section *section, size_t offset,
	void (*seen)(void *context, const struct mr_scope *scope,
		const void *value, const struct mr_place *at),
	void *context);

/* The value at `values + offset` as the file would write it, in `arena`; NULL
 * if it is not set (with no default, 0 is not set, either); secrets are
 * `@FILE`, never their text. */
char *mr_option_format(struct mr_arena *arena, const struct mr_option *option,
	const void *values);

/* The published copy: the sections marked `published` and the rungs that hold
 * one.  The top comes first, then the groups in the file's order, which decides
 * between them, then the other rungs sorted by section name and title (octets),
 * each beginning at a line's start, so that a reader can find one of 100,000
 * domains by bisection.  It parses with the same reader, and each setting says
 * in a comment where it came from. */
int mr_config_publish(
	const struct mr_config *config, FILE *out, struct mr_error *error);

#endif
