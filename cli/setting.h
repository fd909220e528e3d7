/* setting - settings in words: what they are called, what they may be. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_SETTING_H
#define MR_CLI_SETTING_H

#include "common/config/schema.h"

struct mr_arena;

/* "message", "check helo", "purge \"Deleted Items\""; "" for the top level.
 * `title` NULL: without. */
const char *mr_section_text(struct mr_arena *arena,
	const struct mr_section *section, const char *title);
/* "hostname", "message.size", "check helo.action", "purge Trash.after". */
const char *mr_setting_text(struct mr_arena *arena,
	const struct mr_section *section, const char *title,
	const struct mr_option *option);
/* "off | observe | tag", "a size, as in 25M", "networks, as in 192.0.2.0/24".
 */
const char *mr_setting_values(
	struct mr_arena *arena, const struct mr_option *option);
/* "user", "group"... */
const char *mr_rung_text(enum mr_rung rung);

#endif
