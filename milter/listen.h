/*
 * listen - the socket on which Postfix finds us
 *
 *   unix:PATH          mode 0660, group of a setgid directory
 *   inet:PORT@HOST     IPv4; without @HOST the loopback address
 *   inet6:PORT@HOST    IPv6 only
 *   fd:NUMBER          a listening socket that we were started with
 *
 * A socket that systemd passes (LISTEN_FDS) comes before whatever the policy
 * says.  We make the socket ourselves, as libmilter would not set TCP_NODELAY:
 * over TCP each further write at the end of a mail then costs 40 ms.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MILTER_LISTEN_H
#define MR_MILTER_LISTEN_H

#include "common/base/error.h"
#include "common/base/socket.h"

#include <stdbool.h>

struct mr_listen {
	int fd;      /* listening */
	bool passed; /* others may hold it, too: it is not ours to close down */
	struct mr_socket file; /* of unix:PATH, to be removed at the end */
};

/* Call it before the first thread, see mr_socket_listen. */
int mr_listen_open(
	const char *where, struct mr_listen *listen, struct mr_error *error);
/* A listening socket on which nobody can call: `path`, which must not exist, is
 * gone again at once.  It does not block. */
int mr_listen_idle(const char *path, struct mr_error *error);

#endif
