/*
 * connection - one connection of Postfix, or of the milter: requests in,
 * answers out, never blocking
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_CONNECTION_H
#define MR_POLICYD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

struct mr_answerer;

struct mr_connection {
	int fd;
	char *asked; /* half a request, or what waits behind an answer */
	size_t n_asked;
	char *answer; /* what was not sent of it yet */
	size_t n_answer;
};

enum mr_connection_state {
	MR_CONNECTION_WAITS,    /* for the next request */
	MR_CONNECTION_READS,    /* the rest of a request */
	MR_CONNECTION_ANSWERS,  /* there is what mr_connection_say sends */
	MR_CONNECTION_WRITES,   /* the rest of an answer */
	MR_CONNECTION_HAS_MORE, /* to answer, at once */
	MR_CONNECTION_ENDED,    /* by the other side */
	MR_CONNECTION_REFUSED,  /* by us, *why_r says why */
};

/* Answers the next request, and sends nothing yet; adds to *answered_r. */
enum mr_connection_state mr_connection_serve(struct mr_connection *connection,
	const struct mr_answerer *answerer, unsigned *answered_r,
	const char **why_r);
/* After MR_CONNECTION_ANSWERS; never that again. */
enum mr_connection_state mr_connection_say(struct mr_connection *connection);
/* Sends what can be sent, closes it and frees what it holds. */
void mr_connection_close(struct mr_connection *connection);
/* Who is at the other end, for the log. */
void mr_connection_peer(int fd, char *text, size_t size);

#endif
