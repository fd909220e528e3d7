/* userdb - the reply lines of Dovecot's auth-userdb protocol, for its map type
 * and its fuzz target. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_USERDB_H
#define MR_MAP_USERDB_H

#include <stdbool.h>

enum mr_userdb_reply {
	MR_USERDB_GREETING, /* VERSION, SPID and what else comes first */
	MR_USERDB_USER,     /* *rest_r: name and fields, tab-separated */
	MR_USERDB_NOTFOUND,
	MR_USERDB_FAIL,    /* *rest_r: its fields */
	MR_USERDB_GARBAGE, /* *rest_r: what is wrong with it */
};

/* Judges one line, without its LF, that came while USER request `id` was open.
 */
enum mr_userdb_reply mr_userdb_parse(
	const char *line, unsigned id, const char **rest_r);

enum mr_userdb_listed {
	MR_USERDB_LIST_GREETING,
	MR_USERDB_LIST_NAME, /* *rest_r */
	MR_USERDB_LIST_DONE,
	MR_USERDB_LIST_FAILED,  /* it ends, and is not whole */
	MR_USERDB_LIST_GARBAGE, /* *rest_r: what is wrong with it */
};

/* The same while LIST request `id` was open. */
enum mr_userdb_listed mr_userdb_parse_listed(
	const char *line, unsigned id, const char **rest_r);

/* Can this be asked?  Control characters would end a field or a line. */
bool mr_userdb_can_ask(const char *name);

#endif
