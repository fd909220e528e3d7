/* map_server - what the tests of maps that are servers share: a server of which
 * each connection has a thread, and that can be restarted. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_TESTS_MAP_SERVER_H
#define MR_TESTS_MAP_SERVER_H

#include "tests/unit/map_world.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

struct server {
	struct world *world;
	char *path;
	int listener, stop[2];
	pthread_t thread;
	atomic_uint connections;
	void (*converse)(struct server *s, int fd);
};

/* Everything, whatever the socket takes at once. */
static inline void say(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		text += sent;
		length -= (size_t)sent;
	}
}

struct caller {
	struct server *server;
	int fd;
	pthread_t thread;
};

static inline void *converse_thread(void *argument)
{
	struct caller *caller = argument;

	caller->server->converse(caller->server, caller->fd);
	shutdown(caller->fd, SHUT_RDWR);
	return NULL;
}

enum { CALLERS = 200 };

/* Until stopped; then all connections end, as when Dovecot restarts. */
static inline void *serve(void *argument)
{
	struct server *s = argument;
	struct pollfd fds[] = { { s->listener, POLLIN, 0 },
		{ s->stop[0], POLLIN, 0 } };
	struct caller callers[CALLERS];
	size_t n = 0;

	while (poll(fds, 2, -1) > 0 && fds[1].revents == 0 && n < CALLERS) {
		callers[n].server = s;
		callers[n].fd = accept(s->listener, NULL, NULL);
		if (pthread_create(&callers[n].thread, NULL, converse_thread,
			    &callers[n]) == 0)
			n++;
	}
	while (n-- > 0) {
		shutdown(callers[n].fd, SHUT_RDWR);
		pthread_join(callers[n].thread, NULL);
		close(callers[n].fd);
	}
	return NULL;
}

static inline void start(struct server *s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
		bind(s->listener, (struct sockaddr *)&address, sizeof(address)),
		0);
	assert_int_equal(listen(s->listener, 50), 0);
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static inline void stop(struct server *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->listener);
	unlink(s->path);
}

/* `name` is the socket's, in the world's directory. */
static inline int begin_with(void **state, const char *name,
	void (*converse)(struct server *s, int fd))
{
	struct server *s = mr_calloc(1, sizeof(*s));
	void *world;

	begin(&world);
	s->world = world;
	s->path = path_of(s->world, name);
	s->converse = converse;
	start(s);
	*state = s;
	return 0;
}

static inline int end_server(void **state)
{
	struct server *s = *state;
	void *world = s->world;

	stop(s);
	end(&world);
	free(s);
	return 0;
}

/* After a good answer a key is asked for, and the good one again: is the
 * connection kept by then? */
static inline void expect_reply(struct server *s, struct mr_map *map,
	const char *good, const char *key, const char *want, bool keeps)
{
	unsigned before;

	expect(s->world, map, "ann@a.test", good);
	expect(s->world, map, key, want);
	before = atomic_load(&s->connections);
	expect(s->world, map, "ann@a.test", good);
	if ((atomic_load(&s->connections) == before) != keeps)
		fail_msg("%s: %s", key,
			keeps ? "connection was closed"
			      : "connection was kept");
}

#endif
