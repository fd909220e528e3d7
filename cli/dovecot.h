/*
 * dovecot - what the installed Dovecot says of itself, by doveconf(1)
 *
 * `doveconf -n` prints what is set, in sections.  That text is an admin's, of
 * any shape: what looks neither like a section nor like a setting is passed
 * over, and so is what lies deeper than any section of Dovecot's.
 *
 * CONFIG_FILE in the environment names another dovecot.conf, as for all of
 * Dovecot's commands.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_DOVECOT_H
#define MR_CLI_DOVECOT_H

#include "common/base/error.h"

#include <stdbool.h>

struct mr_arena;

/* `mailbox "Sent Messages" {` */
struct mr_dovecot_section {
	const char *text; /* as doveconf writes it, without the brace */
	const char *kind; /* mailbox; "" for the top of the file */
	const char *name; /* Sent Messages; "" if it has none */
	const struct mr_dovecot_section *in; /* NULL for the top */
	const char *file;                    /* NULL: doveconf does not tell */
	int line, last_line;                 /* the last one: its brace */
	const struct mr_dovecot_section *next;
};

struct mr_dovecot_setting {
	const struct mr_dovecot_section *in;
	const char *name;
	const char *text;  /* the value as doveconf writes it */
	const char *value; /* the same without quotes */
	const char *file;  /* NULL: doveconf does not tell */
	int line;
	const struct mr_dovecot_setting *next;
};

struct mr_dovecot {
	const char *path; /* of dovecot.conf; NULL: not known */
	const struct mr_dovecot_section *sections; /* the first is the top */
	const struct mr_dovecot_setting *settings;
};

/* mail_plugin_dir, which doveconf may still tell where -n fails. */
int mr_dovecot_modules(struct mr_arena *arena, const char **directory_r,
	struct mr_error *error);
int mr_dovecot_ask(struct mr_arena *arena, struct mr_dovecot **dovecot_r,
	struct mr_error *error);

/* What the file at `path` and those that it includes say as they stand, with
 * places; no $variables, nothing of Dovecot's defaults.  What cannot be read is
 * left out. */
struct mr_dovecot *mr_dovecot_read_files(
	struct mr_arena *arena, const char *path);
/* The place in `files` of a setting (or, if it has no name, of a section) that
 * doveconf showed: the last that says it.  NULL: not found, as it may have been
 * written in another way. */
const struct mr_dovecot_setting *mr_dovecot_find_setting(
	const struct mr_dovecot *files,
	const struct mr_dovecot_setting *setting);
const struct mr_dovecot_section *mr_dovecot_find_section(
	const struct mr_dovecot *files,
	const struct mr_dovecot_section *section);

/* The value that is set in just this section, or NULL. */
const char *mr_dovecot_get(const struct mr_dovecot *dovecot,
	const struct mr_dovecot_section *in, const char *name);
/* The section itself or the nearest around it that is of the kind, or NULL. */
const struct mr_dovecot_section *mr_dovecot_around(
	const struct mr_dovecot_section *section, const char *kind);
/* "namespace inbox { mailbox Trash { autoexpunge = 14d } }" */
const char *mr_dovecot_show(
	struct mr_arena *arena, const struct mr_dovecot_setting *setting);

/* Copies the next word of a list and steps behind it; NULL at the end. */
const char *mr_dovecot_next(struct mr_arena *arena, const char **list);
/* ASCII case is ignored. */
bool mr_dovecot_has_word(const char *list, const char *word);

#endif
