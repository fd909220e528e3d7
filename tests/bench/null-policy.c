/* null-policy - a policy server that says DUNNO to everything: the floor that
 * tests/bench/policyd.py measures ours against.
 *
 * usage: null-policy PATH    (a unix socket; runs in the foreground) */
/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LONGEST = 64 * 1024, MOST = 64 };

struct connection {
	int fd;
	size_t length;
	char octets[LONGEST];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		die(path);
	strcpy(address.sun_path, path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, SOMAXCONN) < 0)
		die(path);
	return fd;
}

static void watch(int epoll, int fd, struct connection *connection)
{
	struct epoll_event event = { .events = EPOLLIN,
		.data.ptr = connection };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll");
}

static void greet(int epoll, int listening)
{
	struct connection *connection = malloc(sizeof(*connection));

	if (connection == NULL)
		die("memory");
	connection->length = 0;
	connection->fd = accept(listening, NULL, NULL);
	if (connection->fd < 0)
		die("accept");
	watch(epoll, connection->fd, connection);
}

static void serve(struct connection *c)
{
	static const char answer[] = "action=DUNNO\n\n";
	ssize_t got = recv(
		c->fd, c->octets + c->length, sizeof(c->octets) - c->length, 0);
	char *end;

	if (got <= 0) {
		close(c->fd);
		free(c);
		return;
	}
	c->length += (size_t)got;
	while ((end = memmem(c->octets, c->length, "\n\n", 2)) != NULL) {
		end += 2;
		if (send(c->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
			break;
		c->length -= (size_t)(end - c->octets);
		memmove(c->octets, end, c->length);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[MOST];
	int listening, epoll = epoll_create1(0);

	if (argc != 2) {
		fputs("usage: null-policy PATH\n", stderr);
		return 2;
	}
	listening = listen_at(argv[1]);
	watch(epoll, listening, NULL);
	for (;;) {
		int n = epoll_wait(epoll, events, MOST, -1);

		for (int i = 0; i < n; i++)
			if (events[i].data.ptr == NULL)
				greet(epoll, listening);
			else
				serve(events[i].data.ptr);
	}
}
