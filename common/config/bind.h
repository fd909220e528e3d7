/* bind - nodes of text to what a config keeps, checked against the schema. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_BIND_H
#define MR_CONFIG_BIND_H

#include "common/config/store.h"
#include "common/config/tree.h"

/* One load. */
struct mr_bind {
	struct mr_config *config;
	struct mr_problems *problems;
	struct mr_arena *scratch; /* gone after the load */
	const char *from, *file;  /* a file's name, and the config's own copy */
	struct mr_kept_file *files;
};

void mr_bind_tree(struct mr_bind *bind, const struct mr_node *nodes);

/* The complaints that look around for what was meant (suggest.c). */
void mr_suggest_setting(struct mr_bind *bind, const struct mr_node *node,
	const struct mr_section_info *info);
void mr_suggest_section(struct mr_bind *bind, const struct mr_node *node,
	const struct mr_section_info *parent, enum mr_rung rung);
void mr_suggest_kind(struct mr_bind *bind, const struct mr_node *node);
void mr_suggest_place(struct mr_bind *bind, const struct mr_node *node,
	const struct mr_section_info *info,
	const struct mr_section_info *parent);

#endif
