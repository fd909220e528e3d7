/* answerer - who answers the requests of a server's connections. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_ANSWERER_H
#define MR_POLICYD_ANSWERER_H

#include <stddef.h>

struct mr_arena;

struct mr_answerer {
	void *context;
	/* The whole answer, in `arena`, to a request of `length` octets with
	 * its empty line, which may be changed; NULL: the connection is to end,
	 * *why_r says why.  From any thread; may wait for look-ups.  `fd` is
	 * the connection, for who is at its other end. */
	const char *(*answer)(void *context, int fd, char *text, size_t length,
		struct mr_arena *arena, const char **why_r);
};

#endif
