/* userdb - Dovecot's user database, asked over its auth-userdb socket.
 *
 * One question at a time on each connection; idle connections are kept.  One
 * that has died while idle is replaced silently: Dovecot was restarted. */
/* SPDX-License-Identifier: ISC */
#include "common/map/userdb.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/base/clock.h"
#include "common/map/type.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { IDLE_CONNECTIONS = 16 };
/* A reply longer than this, or more greeting lines, is not Dovecot's. */
enum { LINE_LONGEST = MR_MAP_VALUE_LONGEST, GREETING_LINES = 16 };
enum { SHOWN_REASON = 200 };

struct connection {
	struct connection *next;
	int fd;
	unsigned last_id;
	bool used; /* has answered before, so it may have died since */
	char *buffer;
	size_t size, length;
};

struct userdb {
	char *path;
	pthread_mutex_t lock; /* guards what follows */
	struct connection *idle;
	unsigned n_idle;
};

/* How one try on one connection ended. */
enum outcome { ANSWERED, BROKEN, DIED };

static int userdb_check(const char *name, struct mr_error *error)
{
	struct sockaddr_un address;

	if (mr_map_check_path(name, error) < 0)
		return -1;
	if (strlen(name) >= sizeof(address.sun_path))
		return mr_error_set(error, "the path is too long for a socket");
	return 0;
}

static void hang_up(struct connection *connection)
{
	close(connection->fd);
	free(connection->buffer);
	free(connection);
}

static void hang_up_idle(struct userdb *map)
{
	struct connection *idle;

	pthread_mutex_lock(&map->lock);
	idle = map->idle;
	map->idle = NULL;
	map->n_idle = 0;
	pthread_mutex_unlock(&map->lock);
	while (idle != NULL) {
		struct connection *next = idle->next;

		hang_up(idle);
		idle = next;
	}
}

static struct connection *dial(
	const char *path, int64_t deadline_ms, struct mr_error *error)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timespec pause = { 0, 2 * 1000 * 1000 };
	struct connection *connection;
	int fd = socket(AF_UNIX, type, 0);

	strcpy(address.sun_path, path); /* userdb_check() measured it */
	/* A full backlog is EAGAIN, and cannot be polled for. */
	while (fd >= 0 &&
		connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if ((errno == EAGAIN || errno == EINTR) &&
			mr_clock_left(deadline_ms) > 0) {
			nanosleep(&pause, NULL);
			continue;
		}
		mr_error_set(error, "cannot connect: %s", strerror(errno));
		close(fd);
		return NULL;
	}
	if (fd < 0) {
		mr_error_set(error, "cannot connect: %s", strerror(errno));
		return NULL;
	}
	connection = mr_calloc(1, sizeof(*connection));
	connection->fd = fd;
	return connection;
}

/* `wrong` is NULL for a deadline that has passed. */
static enum outcome give_up(struct mr_error *error, const char *wrong)
{
	mr_error_set(error, "%s",
		wrong == NULL ? "no answer before the deadline" : wrong);
	return BROKEN;
}

static bool wait_for(int fd, short what, int64_t deadline_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = what };
	int left;

	while ((left = mr_clock_left(deadline_ms)) > 0)
		if (poll(&pollfd, 1, left) > 0)
			return true;
	return false;
}

static enum outcome send_all(struct connection *connection, const char *text,
	int64_t deadline_ms, struct mr_error *error)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t sent = send(connection->fd, text, left, MSG_NOSIGNAL);

		if (sent >= 0) {
			text += sent;
			left -= (size_t)sent;
		} else if (errno == EAGAIN) {
			if (!wait_for(connection->fd, POLLOUT, deadline_ms))
				return give_up(error, NULL);
		} else if (errno != EINTR) {
			mr_error_set(
				error, "connection lost: %s", strerror(errno));
			return DIED;
		}
	}
	return ANSWERED;
}

static enum outcome receive(struct connection *connection, int64_t deadline_ms,
	struct mr_error *error)
{
	ssize_t got;

	if (connection->length + 1 >= connection->size) {
		if (connection->size > LINE_LONGEST)
			return give_up(error, "the reply is too long");
		connection->size = connection->size * 2 + 1024;
		connection->buffer =
			mr_realloc(connection->buffer, connection->size);
	}
	do {
		if (!wait_for(connection->fd, POLLIN, deadline_ms))
			return give_up(error, NULL);
		got = recv(connection->fd,
			connection->buffer + connection->length,
			connection->size - connection->length - 1, 0);
	} while (got < 0 && (errno == EAGAIN || errno == EINTR));
	if (got <= 0) {
		mr_error_set(error, "connection lost%s%s", got < 0 ? ": " : "",
			got < 0 ? strerror(errno) : "");
		return DIED;
	}
	connection->length += (size_t)got;
	return ANSWERED;
}

/* *line_r lives in the arena, so the buffer may move on. */
static enum outcome read_line(struct connection *connection,
	struct mr_arena *arena, int64_t deadline_ms, const char **line_r,
	struct mr_error *error)
{
	enum outcome outcome;
	size_t seen = 0, length;
	char *lf = NULL;

	for (;;) {
		if (connection->length > seen)
			lf = memchr(connection->buffer + seen, '\n',
				connection->length - seen);
		if (lf != NULL)
			break;
		seen = connection->length;
		outcome = receive(connection, deadline_ms, error);
		if (outcome != ANSWERED)
			return outcome;
	}
	length = (size_t)(lf - connection->buffer);
	if (memchr(connection->buffer, '\0', length) != NULL)
		return give_up(error, "a NUL in the reply");
	*line_r = mr_arena_strndup(arena, connection->buffer, length);
	connection->length -= length + 1;
	memmove(connection->buffer, lf + 1, connection->length);
	return ANSWERED;
}

static enum outcome read_reply(struct connection *connection,
	struct mr_arena *arena, int64_t deadline_ms, enum mr_lookup *answer_r,
	const char **value_r, struct mr_error *error)
{
	const char *line, *rest;
	enum outcome outcome;

	for (int lines = 0; lines < GREETING_LINES; lines++) {
		outcome =
			read_line(connection, arena, deadline_ms, &line, error);
		if (outcome != ANSWERED)
			return outcome;
		switch (mr_userdb_parse(line, connection->last_id, &rest)) {
		case MR_USERDB_GREETING:
			continue;
		case MR_USERDB_GARBAGE:
			return give_up(error, rest);
		case MR_USERDB_USER:
			*answer_r = MR_FOUND;
			*value_r = rest;
			return ANSWERED;
		case MR_USERDB_NOTFOUND:
			*answer_r = MR_NOTFOUND;
			return ANSWERED;
		case MR_USERDB_FAIL:
			*answer_r = MR_TEMPFAIL;
			mr_error_set(error, "Dovecot says FAIL %s",
				mr_text_printable(arena, rest, SHOWN_REASON));
			return ANSWERED;
		}
	}
	return give_up(error, "an endless greeting");
}

static enum outcome ask(struct connection *connection, struct mr_arena *arena,
	const char *key, int64_t deadline_ms, enum mr_lookup *answer_r,
	const char **value_r, struct mr_error *error)
{
	const char *greeting =
		connection->last_id == 0 ? "VERSION\t1\t1\n" : "";
	enum outcome outcome;
	const char *request;

	request = mr_arena_printf(arena, "%sUSER\t%u\t%s\tservice=lmtp\n",
		greeting, ++connection->last_id, key);
	outcome = send_all(connection, request, deadline_ms, error);
	if (outcome != ANSWERED)
		return outcome;
	outcome = read_reply(
		connection, arena, deadline_ms, answer_r, value_r, error);
	if (outcome == ANSWERED && connection->length > 0)
		return give_up(error, "more than the reply to our question");
	return outcome;
}

static struct connection *take_idle(struct userdb *map)
{
	struct connection *connection;

	pthread_mutex_lock(&map->lock);
	connection = map->idle;
	if (connection != NULL) {
		map->idle = connection->next;
		map->n_idle--;
	}
	pthread_mutex_unlock(&map->lock);
	return connection;
}

static void keep_idle(struct userdb *map, struct connection *connection)
{
	connection->used = true;
	pthread_mutex_lock(&map->lock);
	if (map->n_idle < IDLE_CONNECTIONS && connection->last_id < UINT_MAX) {
		connection->next = map->idle;
		map->idle = connection;
		map->n_idle++;
		connection = NULL;
	}
	pthread_mutex_unlock(&map->lock);
	if (connection != NULL)
		hang_up(connection);
}

static enum mr_lookup userdb_get(void *state, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	struct userdb *map = state;
	enum mr_lookup answer = MR_TEMPFAIL;
	struct connection *connection;
	enum outcome outcome;
	bool used;

	(void)now_ms;
	if (!mr_userdb_can_ask(key))
		return MR_NOTFOUND;
	connection = take_idle(map);
	do {
		if (connection == NULL)
			connection = dial(map->path, deadline_ms, error);
		if (connection == NULL)
			return MR_TEMPFAIL;
		used = connection->used;
		outcome = ask(connection, arena, key, deadline_ms, &answer,
			value_r, error);
		if (outcome == ANSWERED) {
			keep_idle(map, connection);
			return answer;
		}
		hang_up(connection);
		connection = NULL;
		if (outcome == DIED && used)
			hang_up_idle(map);
	} while (outcome == DIED && used);
	return MR_TEMPFAIL;
}

static void userdb_close(void *state)
{
	struct userdb *map = state;

	hang_up_idle(map);
	pthread_mutex_destroy(&map->lock);
	free(map->path);
	free(map);
}

static int userdb_open(const char *name, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	struct connection *connection = dial(name, mr_clock_ms(), error);
	struct userdb *map;

	(void)now_ms;
	if (connection == NULL)
		return -1;
	hang_up(connection);
	map = mr_calloc(1, sizeof(*map));
	map->path = mr_calloc(1, strlen(name) + 1);
	strcpy(map->path, name);
	pthread_mutex_init(&map->lock, NULL);
	*state_r = map;
	return 0;
}

const struct mr_map_type mr_map_userdb = {
	.name = "userdb",
	.check = userdb_check,
	.open = userdb_open,
	.close = userdb_close,
	.get = userdb_get,
};
