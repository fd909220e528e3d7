/* control - the server's side of control.h.  Clients sit in fixed slots; an
 * empty one has no descriptor. */
/* SPDX-License-Identifier: ISC */
#include "common/base/control.h"
#include "common/base/arena.h"
#include "common/base/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	int fd; /* -1: an empty slot */
	int64_t deadline_ms;
	uid_t peer;
	char *request;
	size_t asked;
	char *answer; /* NULL while the request is read */
	size_t length, sent;
};

struct mr_control {
	struct mr_socket socket;
	mr_control_handler *handler;
	void *context;
	struct client clients[MR_CONTROL_CLIENTS];
};

static void drop(struct client *client)
{
	close(client->fd);
	free(client->request);
	free(client->answer);
	*client = (struct client){ .fd = -1 };
}

int mr_control_open(const char *path, mr_control_handler *handler,
	void *context, struct mr_control **control_r, struct mr_error *error)
{
	struct mr_socket sock;
	struct mr_control *control;

	*control_r = NULL;
	if (mr_socket_listen(path, &sock, error) < 0)
		return -1;
	control = mr_calloc(1, sizeof(*control));
	control->socket = sock;
	control->handler = handler;
	control->context = context;
	for (int i = 0; i < MR_CONTROL_CLIENTS; i++)
		control->clients[i].fd = -1;
	*control_r = control;
	return 0;
}

void mr_control_close(struct mr_control **control)
{
	struct mr_control *c = *control;

	if (c == NULL)
		return;
	mr_socket_remove(&c->socket);
	close(c->socket.fd);
	for (int i = 0; i < MR_CONTROL_CLIENTS; i++)
		if (c->clients[i].fd >= 0)
			drop(&c->clients[i]);
	free(c);
	*control = NULL;
}

static struct client *free_slot(struct mr_control *control)
{
	for (int i = 0; i < MR_CONTROL_CLIENTS; i++)
		if (control->clients[i].fd < 0)
			return &control->clients[i];
	return NULL;
}

/* polls[0] is the listener, polls[1 + i] the client in slot i; poll(2) passes
 * over a descriptor of -1. */
size_t mr_control_watch(struct mr_control *control,
	struct pollfd polls[MR_CONTROL_POLLS], int64_t now_ms, int *wait_ms)
{
	polls[0] = (struct pollfd){
		.fd = free_slot(control) == NULL ? -1 : control->socket.fd,
		.events = POLLIN,
	};
	for (int i = 0; i < MR_CONTROL_CLIENTS; i++) {
		const struct client *client = &control->clients[i];
		int64_t left = client->deadline_ms - now_ms;

		polls[1 + i] = (struct pollfd){
			.fd = client->fd,
			.events = client->answer == NULL ? POLLIN : POLLOUT,
		};
		if (client->fd < 0)
			continue;
		if (left < 0)
			left = 0;
		if (*wait_ms < 0 || left < *wait_ms)
			*wait_ms = (int)left;
	}
	return MR_CONTROL_POLLS;
}

static void greet(struct mr_control *control, int64_t now_ms)
{
	struct client *client = free_slot(control);
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(who);
	int fd = accept4(
		control->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return; /* it went away */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) {
		close(fd);
		return;
	}
	*client = (struct client){
		.fd = fd,
		.peer = who.uid,
		.deadline_ms = now_ms + MR_CONTROL_ASK_MS,
	};
}

static void answer(
	struct mr_control *control, struct client *client, int64_t now_ms)
{
	FILE *out = open_memstream(&client->answer, &client->length);

	if (out == NULL) {
		drop(client);
		return;
	}
	if (client->asked > MR_CONTROL_LONGEST)
		fputs("error=the request is too long\n", out);
	else
		control->handler(
			control->context, client->request, client->peer, out);
	if (fclose(out) != 0) {
		drop(client);
		return;
	}
	client->deadline_ms = now_ms + MR_CONTROL_TAKE_MS;
}

static void hear(
	struct mr_control *control, struct client *client, int64_t now_ms)
{
	char piece[4096];
	ssize_t got = recv(client->fd, piece, sizeof(piece), 0);
	size_t length = got > 0 ? (size_t)got : 0;
	char *end = length == 0 ? NULL : memchr(piece, '\n', length);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length == 0) {
		drop(client);
		return;
	}
	if (end != NULL)
		length = (size_t)(end - piece);
	client->request =
		mr_realloc(client->request, client->asked + length + 1);
	memcpy(client->request + client->asked, piece, length);
	client->asked += length;
	client->request[client->asked] = '\0';
	if (end != NULL || client->asked > MR_CONTROL_LONGEST)
		answer(control, client, now_ms);
}

static void speak(struct client *client)
{
	ssize_t sent = send(client->fd, client->answer + client->sent,
		client->length - client->sent, MSG_NOSIGNAL);
	char rest[4096];

	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (sent > 0)
		client->sent += (size_t)sent;
	if (sent >= 0 && client->sent < client->length)
		return;
	/* Unread octets would make the kernel reset the connection, and the
	 * client lose the answer. */
	for (int i = 0; i < MR_CONTROL_LONGEST / (int)sizeof(rest); i++)
		if (recv(client->fd, rest, sizeof(rest), 0) <= 0)
			break;
	drop(client);
}

void mr_control_serve(
	struct mr_control *control, const struct pollfd *polls, int64_t now_ms)
{
	for (int i = 0; i < MR_CONTROL_CLIENTS; i++) {
		struct client *client = &control->clients[i];

		if (client->fd < 0)
			continue;
		if (polls[1 + i].revents != 0 && client->answer != NULL)
			speak(client);
		else if (polls[1 + i].revents != 0)
			hear(control, client, now_ms);
		if (client->fd >= 0 && now_ms >= client->deadline_ms)
			drop(client);
	}
	if (polls[0].revents != 0 && free_slot(control) != NULL)
		greet(control, now_ms);
}
