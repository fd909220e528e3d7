/* listen - see listen.h. */
/* SPDX-License-Identifier: ISC */
#include "common/daemon/listen.h"
#include "common/base/arena.h"
#include "common/base/units.h"
#include "common/daemon/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Accepted sockets inherit TCP_NODELAY from the listening one (Linux). */
static int prepare(int fd, int family)
{
	int yes = 1;

	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
					  &yes, sizeof(yes)) < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
		return -1;
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

static int listen_at(
	const struct addrinfo *at, const char *where, struct mr_error *error)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int problem;

	if (fd >= 0 && prepare(fd, at->ai_family) == 0 &&
		bind(fd, at->ai_addr, at->ai_addrlen) == 0 &&
		listen(fd, SOMAXCONN) == 0)
		return fd;
	problem = errno;
	if (fd >= 0)
		close(fd);
	return mr_error_set(
		error, "cannot listen on %s: %s", where, strerror(problem));
}

/* PORT or PORT@HOST */
static int listen_tcp(int family, const char *port_at_host, const char *where,
	struct mr_error *error)
{
	const struct addrinfo hints = {
		.ai_family = family,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	const char *at = strchr(port_at_host, '@');
	size_t length =
		at == NULL ? strlen(port_at_host) : (size_t)(at - port_at_host);
	char port[sizeof("65535")], host[NI_MAXHOST] = "";
	struct mr_error ignored;
	struct addrinfo *found;
	int64_t number;
	int problem, fd;

	snprintf(port, sizeof(port), "%.*s", (int)length, port_at_host);
	if (length >= sizeof(port) ||
		mr_number_parse(port, 1, 65535, &number, &ignored) < 0)
		return mr_error_set(error,
			"%s has no port: write inet:8891@127.0.0.1", where);
	if (at != NULL && at[1] == '[' && at[strlen(at) - 1] == ']')
		snprintf(host, sizeof(host), "%.*s", (int)strlen(at) - 3,
			at + 2);
	else if (at != NULL)
		snprintf(host, sizeof(host), "%s", at + 1);
	problem =
		getaddrinfo(*host == '\0' ? NULL : host, port, &hints, &found);
	if (problem != 0)
		return mr_error_set(
			error, "%s: %s", where, gai_strerror(problem));
	fd = listen_at(found, where, error);
	freeaddrinfo(found);
	return fd;
}

/* Is it what we can answer on? */
static int check_passed(int fd, const char *what, struct mr_error *error)
{
	int listening = 0, type = 0, family = 0, yes = 1;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0)
		return mr_error_set(
			error, "%s is not a socket: %s", what, strerror(errno));
	size = sizeof(int);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	size = sizeof(int);
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
	if (!listening || type != SOCK_STREAM ||
		(family != AF_UNIX && family != AF_INET && family != AF_INET6))
		return mr_error_set(
			error, "%s is not a listening stream socket", what);
	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

static int listen_passed(int fd, const char *what, struct mr_listen *listen,
	struct mr_error *error)
{
	if (check_passed(fd, what, error) < 0)
		return -1;
	listen->fd = fd;
	listen->passed = true;
	return 0;
}

static int listen_numbered(
	const char *number, struct mr_listen *listen, struct mr_error *error)
{
	struct mr_error ignored;
	char what[64];
	int64_t fd;

	if (mr_number_parse(number, 3, 65535, &fd, &ignored) < 0)
		return mr_error_set(
			error, "fd:%s is no descriptor: write fd:3", number);
	snprintf(what, sizeof(what), "fd:%d", (int)fd);
	return listen_passed((int)fd, what, listen, error);
}

int mr_listen_idle(const char *path, struct mr_error *error)
{
	struct sockaddr_un address;
	int fd;

	if (mr_socket_address(path, &address, error) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 1) < 0)
		return mr_error_set(error, "%s: %s", path, strerror(errno));
	unlink(path);
	return fd;
}

static const char *behind(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static int listen_at_place(
	const char *where, struct mr_listen *listen, struct mr_error *error)
{
	const char *rest;

	if ((rest = behind(where, "fd:")) != NULL)
		return listen_numbered(rest, listen, error);
	if ((rest = behind(where, "unix:")) != NULL) {
		if (mr_socket_listen(rest, &listen->file, error) < 0)
			return -1;
		listen->fd = listen->file.fd;
		return 0;
	}
	if ((rest = behind(where, "inet6:")) != NULL)
		listen->fd = listen_tcp(AF_INET6, rest, where, error);
	else if ((rest = behind(where, "inet:")) != NULL)
		listen->fd = listen_tcp(AF_INET, rest, where, error);
	else
		mr_error_set(error,
			"%s is no socket: write unix:PATH or inet:PORT@HOST",
			where);
	return listen->fd < 0 ? -1 : 0;
}

static struct mr_listen *add(struct mr_listens *listens)
{
	struct mr_listen *listen = &listens->socket[listens->n++];

	*listen = (struct mr_listen){ .fd = -1, .file.fd = -1 };
	return listen;
}

int mr_listens_open(const struct mr_list *where, size_t most,
	struct mr_listens *listens, struct mr_error *error)
{
	int first, passed = mr_notify_passed(&first, error);
	const char *const *places = where->items;

	listens->n = 0;
	if (passed < 0)
		return -1;
	if ((size_t)passed > most)
		return mr_error_set(error,
			"systemd passed %d sockets: we take no more than %zu",
			passed, most);
	for (int i = 0; i < passed; i++)
		if (listen_passed(first + i, "the socket of systemd",
			    add(listens), error) < 0)
			return -1;
	for (size_t i = 0; passed == 0 && i < where->count; i++)
		if (listen_at_place(places[i], add(listens), error) < 0)
			return -1;
	return 0;
}

void mr_listens_remove(struct mr_listens *listens)
{
	for (size_t i = 0; i < listens->n; i++)
		mr_socket_remove(&listens->socket[i].file);
}

const char *mr_listens_text(const struct mr_list *where, struct mr_arena *arena)
{
	const char *const *places = where->items;
	const char *text = places[0];

	for (size_t i = 1; i < where->count; i++)
		text = mr_arena_printf(arena, "%s %s", text, places[i]);
	return text;
}
