/* connection - see connection.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/connection.h"
#include "common/base/arena.h"
#include "common/base/ip.h"
#include "policyd/answerer.h"
#include "policyd/postfix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a thread holds while it serves; a connection that waits has none. */
struct buffer {
	char octets[MR_REQUEST_LONGEST];
	size_t start, end; /* what is there of it */
};

static const char late_end[] = "it ended amid a request";

static char *copy_of(const char *octets, size_t length)
{
	char *copy = NULL;

	if (length > 0) {
		copy = mr_calloc(1, length);
		memcpy(copy, octets, length);
	}
	return copy;
}

static void load(struct mr_connection *c, struct buffer *buffer)
{
	buffer->start = 0;
	buffer->end = c->n_asked;
	if (c->n_asked > 0)
		memcpy(buffer->octets, c->asked, c->n_asked);
	free(c->asked);
	c->asked = NULL;
	c->n_asked = 0;
}

static void save(struct mr_connection *c, const struct buffer *buffer)
{
	c->n_asked = buffer->end - buffer->start;
	c->asked = copy_of(buffer->octets + buffer->start, c->n_asked);
}

static int answer(struct mr_connection *c, const struct mr_answerer *answerer,
	char *text, size_t length, const char **why_r)
{
	struct mr_arena *arena = mr_arena_new(512);
	const char *said = answerer->answer(
		answerer->context, c->fd, text, length, arena, why_r);

	if (said != NULL) {
		c->n_answer = strlen(said);
		c->answer = copy_of(said, c->n_answer);
	}
	mr_arena_free(&arena);
	return said == NULL ? -1 : 0;
}

/* If there is a whole request.  One after the other: no answer waits for the
 * next. */
static int answer_next(struct mr_connection *c,
	const struct mr_answerer *answerer, struct buffer *b,
	unsigned *answered_r, const char **why_r)
{
	size_t length =
		mr_request_length(b->octets + b->start, b->end - b->start);

	if (length == 0)
		return 0;
	if (answer(c, answerer, b->octets + b->start, length, why_r) < 0)
		return -1;
	b->start += length;
	++*answered_r;
	return 0;
}

/* 1: there is more, 0: not now, -1: the end. */
static int hear(struct mr_connection *c, struct buffer *b)
{
	ssize_t got;

	memmove(b->octets, b->octets + b->start, b->end - b->start);
	b->end -= b->start;
	b->start = 0;
	got = recv(c->fd, b->octets + b->end, sizeof(b->octets) - b->end,
		MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		return -1;
	b->end += (size_t)got;
	return 1;
}

static enum mr_connection_state serve(struct mr_connection *c,
	const struct mr_answerer *answerer, struct buffer *b,
	unsigned *answered_r, const char **why_r)
{
	int heard;

	if (answer_next(c, answerer, b, answered_r, why_r) < 0)
		return MR_CONNECTION_REFUSED;
	if (c->n_answer > 0)
		return MR_CONNECTION_ANSWERS;
	heard = hear(c, b);
	if (heard > 0 && answer_next(c, answerer, b, answered_r, why_r) < 0)
		return MR_CONNECTION_REFUSED;
	if (c->n_answer > 0)
		return MR_CONNECTION_ANSWERS;
	if (heard < 0) {
		*why_r = b->end > b->start ? late_end : NULL;
		return *why_r == NULL ? MR_CONNECTION_ENDED
		                      : MR_CONNECTION_REFUSED;
	}
	if (b->end - b->start == sizeof(b->octets)) {
		*why_r = "a request that does not end";
		return MR_CONNECTION_REFUSED;
	}
	return b->end > b->start ? MR_CONNECTION_READS : MR_CONNECTION_WAITS;
}

enum mr_connection_state mr_connection_serve(struct mr_connection *connection,
	const struct mr_answerer *answerer, unsigned *answered_r,
	const char **why_r)
{
	struct buffer buffer;
	enum mr_connection_state state;

	*why_r = NULL;
	if (connection->n_answer > 0)
		return MR_CONNECTION_ANSWERS;
	load(connection, &buffer);
	state = serve(connection, answerer, &buffer, answered_r, why_r);
	save(connection, &buffer);
	return state;
}

/* -1: it is gone. */
static int send_answer(struct mr_connection *c)
{
	ssize_t sent = send(
		c->fd, c->answer, c->n_answer, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	if (sent > 0) {
		c->n_answer -= (size_t)sent;
		memmove(c->answer, c->answer + sent, c->n_answer);
	}
	if (c->n_answer == 0) {
		free(c->answer);
		c->answer = NULL;
	}
	return 0;
}

enum mr_connection_state mr_connection_say(struct mr_connection *c)
{
	if (send_answer(c) < 0)
		return MR_CONNECTION_ENDED;
	if (c->n_answer > 0)
		return MR_CONNECTION_WRITES;
	if (c->n_asked == 0)
		return MR_CONNECTION_WAITS;
	return mr_request_length(c->asked, c->n_asked) > 0
	               ? MR_CONNECTION_HAS_MORE
	               : MR_CONNECTION_READS;
}

void mr_connection_close(struct mr_connection *connection)
{
	if (connection->n_answer > 0)
		send_answer(connection);
	close(connection->fd);
	free(connection->asked);
	free(connection->answer);
	*connection = (struct mr_connection){ .fd = -1 };
}

void mr_connection_peer(int fd, char *text, size_t size)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct mr_arena *arena;
	struct ucred who;

	snprintf(text, size, "somebody");
	if (getpeername(fd, (struct sockaddr *)&address, &length) < 0)
		return;
	if (address.ss_family == AF_UNIX) {
		length = sizeof(who);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0)
			snprintf(text, size, "process %ld of uid %ld",
				(long)who.pid, (long)who.uid);
	} else {
		struct mr_ip ip =
			mr_ip_from_sockaddr((struct sockaddr *)&address);

		arena = mr_arena_new(128);
		snprintf(text, size, "[%s]", mr_ip_format(arena, &ip));
		mr_arena_free(&arena);
	}
}
