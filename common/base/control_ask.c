/* control_ask - the client's side of control.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/clock.h"
#include "common/base/arena.h"
#include "common/base/control.h"
#include "common/base/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What is left until `deadline_ms`, for SO_RCVTIMEO and SO_SNDTIMEO, which
 * bound connect(2) on a full queue, too; zero would mean for ever. */
static int set_timeout(int fd, int64_t deadline_ms)
{
	int64_t left = deadline_ms - mr_clock_ms();
	struct timeval time = { 0, 1 };

	if (left > 0)
		time = (struct timeval){ left / 1000, left % 1000 * 1000 };
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) < 0)
		return -1;
	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
}

static int say(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);

		if (sent < 0)
			return -1;
		text += sent;
		length -= (size_t)sent;
	}
	return 0;
}

static char *take(int fd, int64_t deadline_ms, struct mr_arena *arena)
{
	char *answer = NULL, *copy = NULL;
	size_t length = 0;
	ssize_t got = 1;

	while (got > 0 && length < MR_CONTROL_ANSWER) {
		answer = mr_realloc(answer, length + 4096);
		got = set_timeout(fd, deadline_ms) < 0
		              ? -1
		              : recv(fd, answer + length, 4096, 0);
		if (got > 0)
			length += (size_t)got;
	}
	if (got == 0)
		copy = mr_arena_strndup(arena, answer, length);
	free(answer);
	return copy;
}

int mr_control_ask(const char *path, const char *request, int timeout_ms,
	struct mr_arena *arena, char **answer_r, struct mr_error *error)
{
	int64_t deadline_ms = mr_clock_ms() + timeout_ms;
	struct sockaddr_un address;
	int fd, problem;

	*answer_r = NULL;
	if (mr_socket_address(path, &address, error) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return mr_error_set(error, "socket: %s", strerror(errno));
	if (set_timeout(fd, deadline_ms) == 0 &&
		connect(fd, (struct sockaddr *)&address, sizeof(address)) ==
			0 &&
		say(fd, request, strlen(request)) == 0 && say(fd, "\n", 1) == 0)
		*answer_r = take(fd, deadline_ms, arena);
	problem = errno;
	close(fd);
	if (*answer_r != NULL)
		return 0;
	if (problem == EAGAIN)
		return mr_error_set(error, "no answer on %s within %d ms", path,
			timeout_ms);
	return mr_error_set(error, "%s: %s", path, strerror(problem));
}
