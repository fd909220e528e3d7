/*
 * listen - the sockets on which Postfix finds us
 *
 *   unix:PATH          mode 0660, group of a setgid directory
 *   inet:PORT@HOST     IPv4; without @HOST the loopback address
 *   inet6:PORT@HOST    IPv6 only
 *   fd:NUMBER          a listening socket that we were started with
 *
 * Sockets that systemd passes (LISTEN_FDS) come before whatever the policy
 * says.  We make the milter's ourselves, as libmilter would not set
 * TCP_NODELAY: over TCP each further write at the end of a mail then costs 40
 * ms.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_DAEMON_LISTEN_H
#define MR_DAEMON_LISTEN_H

#include "common/base/error.h"
#include "common/base/socket.h"
#include "common/config/sections.h"

#include <stdbool.h>
#include <stddef.h>

struct mr_arena;

struct mr_listen {
	int fd;      /* listening */
	bool passed; /* others may hold it, too: it is not ours to close down */
	struct mr_socket file; /* of unix:PATH, to be removed at the end */
};

struct mr_listens {
	struct mr_listen socket[MR_SOCKETS_MOST];
	size_t n;
};

/* `where` is what the policy says, at most MR_SOCKETS_MOST; more than `most`
 * passed ones are an error, as we could not tell which is meant.  Call it
 * before the first thread, see mr_socket_listen. */
int mr_listens_open(const struct mr_list *where, size_t most,
	struct mr_listens *listens, struct mr_error *error);
/* Removes the paths; the descriptors stay. */
void mr_listens_remove(struct mr_listens *listens);
/* `where` for people. */
const char *mr_listens_text(
	const struct mr_list *where, struct mr_arena *arena);
/* A listening socket on which nobody can call: `path`, which must not exist, is
 * gone again at once.  It does not block. */
int mr_listen_idle(const char *path, struct mr_error *error);

#endif
