/* socketmap - references and replies as Postfix's socketmap_table(5) has them;
 * known to socketmap.c and its fuzz target only. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_SOCKETMAP_H
#define MR_MAP_SOCKETMAP_H

#include "common/base/error.h"

#include <stddef.h>
#include <sys/socket.h>

struct mr_arena;

/* Postfix takes no longer payload. */
enum { MR_SOCKETMAP_LONGEST = 100000 };

struct mr_socketmap {
	struct sockaddr_storage address;
	socklen_t address_length;
	const char *name; /* inside the reference */
};

/* inet:HOST:PORT:NAME or unix:PATH:NAME */
int mr_socketmap_parse(const char *reference, struct mr_socketmap *socketmap,
	struct mr_error *error);

enum mr_netstring {
	MR_NETSTRING_WHOLE,
	MR_NETSTRING_SHORT,   /* may become one: more octets */
	MR_NETSTRING_GARBAGE, /* will never be one, or is too long */
};

/* Is there a netstring, `LENGTH:PAYLOAD,`, at the beginning?  Its whole length
 * in *used_r. */
enum mr_netstring mr_netstring_parse(const char *octets, size_t length,
	const char **payload_r, size_t *payload_length_r, size_t *used_r);

/* What a payload says.  MR_FOUND: *value_r is in the arena. */
enum mr_lookup mr_socketmap_reply(struct mr_arena *arena, const char *payload,
	size_t length, const char **value_r, struct mr_error *error);

#endif
