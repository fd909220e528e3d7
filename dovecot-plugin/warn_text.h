/*
 * warn_text - the mail of a quota warning, from a template
 *
 * Knows nothing of Dovecot.  In a template {user} {level} {percent} {used}
 * {limit} {date} and {id} stand for themselves, everything else stays.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_WARN_TEXT_H
#define MR_PLUGIN_WARN_TEXT_H

#include "common/base/error.h"

#include <time.h>

struct mr_arena;

/* A larger template is refused. */
enum { MR_WARN_LARGEST = 64 * 1024 };

struct mr_warning {
	const char *user;
	const char *level, *percent; /* numbers; the level that was crossed */
	const char *used, *limit;    /* "800 MB", for people */
	time_t now;
};

/* A whole mail with CRLF (RFC 5322), in `arena`.  `path` NULL: the built-in
 * text, also if the template cannot be used; then error->text says why, else it
 * is "". */
char *mr_warn_mail(struct mr_arena *arena, const char *path,
	const struct mr_warning *warning, struct mr_error *error);

#endif
