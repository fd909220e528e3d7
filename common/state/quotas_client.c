/* quotas_client - see quotas_client.h. */
/* SPDX-License-Identifier: ISC */
#include "common/state/quotas_client.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/socket.h"
#include "common/state/quotas_wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct mr_quotas_client {
	char *path;
	pthread_mutex_t lock; /* of what follows */
	int kept[MR_QUOTAS_CLIENT_KEPT];
	size_t n_kept;
	int64_t pause_until_ms; /* CLOCK_MONOTONIC */
};

struct mr_quotas_client *mr_quotas_client_new(const char *path)
{
	struct mr_quotas_client *client = mr_calloc(1, sizeof(*client));

	client->path = mr_calloc(1, strlen(path) + 1);
	strcpy(client->path, path);
	pthread_mutex_init(&client->lock, NULL);
	return client;
}

void mr_quotas_client_free(struct mr_quotas_client **client)
{
	struct mr_quotas_client *c = *client;

	if (c == NULL)
		return;
	*client = NULL;
	while (c->n_kept > 0)
		close(c->kept[--c->n_kept]);
	pthread_mutex_destroy(&c->lock);
	free(c->path);
	free(c);
}

/* --- one connection */

/* A unix socket is connected at once, or never: with a full queue it says
 * EAGAIN, which is an answer, too. */
static int open_connection(
	const struct mr_quotas_client *client, struct mr_error *error)
{
	struct sockaddr_un address;
	int fd;

	if (mr_socket_address(client->path, &address, error) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address,
			       sizeof(address)) == 0)
		return fd;
	mr_error_set(error, "the policy daemon cannot be asked: %s: %s",
		client->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* How an exchange ended; of GONE the other side may have thought better of a
 * connection that was kept. */
enum exchange { DONE, GONE, BROKEN };

static enum exchange say(int fd, const char *question, struct mr_error *error)
{
	ssize_t sent = send(fd, question, strlen(question), MSG_NOSIGNAL);

	if (sent == (ssize_t)strlen(question))
		return DONE;
	mr_error_set(error, "the policy daemon takes no question: %s",
		sent < 0 ? strerror(errno) : "its queue is full");
	return sent < 0 && errno != EAGAIN ? GONE : BROKEN;
}

/* A whole answer is its empty line, and nothing behind it. */
static bool is_whole(const char *text, size_t length)
{
	return length >= 2 && memcmp(text + length - 2, "\n\n", 2) == 0;
}

static enum exchange hear(int fd, int64_t deadline_ms, char text[MR_QUOTA_WIRE],
	size_t *length_r, struct mr_error *error)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	*length_r = 0;
	while (!is_whole(text, *length_r)) {
		ssize_t n;

		if (poll(&wait, 1, mr_clock_left(deadline_ms)) <= 0) {
			mr_error_set(error,
				"the policy daemon did not answer in %d ms",
				MR_QUOTAS_CLIENT_MS);
			return BROKEN;
		}
		n = recv(fd, text + *length_r, MR_QUOTA_WIRE - *length_r, 0);
		if (n <= 0) {
			mr_error_set(error,
				*length_r == MR_QUOTA_WIRE
					? "the policy daemon's answer is too "
					  "long"
					: "the policy daemon hung up");
			return *length_r == 0 ? GONE : BROKEN;
		}
		*length_r += (size_t)n;
	}
	return DONE;
}

static enum exchange ask(int fd, const char *question, int64_t deadline_ms,
	enum mr_lookup *found_r, struct mr_fill *fill, struct mr_error *error)
{
	char text[MR_QUOTA_WIRE];
	size_t length;
	enum exchange end = say(fd, question, error);

	if (end == DONE)
		end = hear(fd, deadline_ms, text, &length, error);
	if (end == DONE)
		*found_r = mr_quota_answer_parse(text, length, fill, error);
	return end == DONE && *found_r == MR_TEMPFAIL ? BROKEN : end;
}

/* --- all of them */

/* -1: none is kept.  *paused_r: nobody should ask just now. */
static int take(struct mr_quotas_client *client, bool *paused_r)
{
	int fd = -1;

	pthread_mutex_lock(&client->lock);
	*paused_r = mr_clock_ms() < client->pause_until_ms;
	if (client->n_kept > 0)
		fd = client->kept[--client->n_kept];
	pthread_mutex_unlock(&client->lock);
	return fd;
}

static void keep(struct mr_quotas_client *client, int fd)
{
	pthread_mutex_lock(&client->lock);
	if (client->n_kept < MR_QUOTAS_CLIENT_KEPT) {
		client->kept[client->n_kept++] = fd;
		fd = -1;
	}
	pthread_mutex_unlock(&client->lock);
	if (fd >= 0)
		close(fd);
}

static void pause_asking(struct mr_quotas_client *client)
{
	pthread_mutex_lock(&client->lock);
	client->pause_until_ms = mr_clock_ms() + MR_QUOTAS_CLIENT_PAUSE_MS;
	pthread_mutex_unlock(&client->lock);
}

/* On a connection that was kept; if it is gone, the policy daemon may have been
 * started again: then on a new one. */
static enum exchange exchange(struct mr_quotas_client *client, int fd,
	const char *question, enum mr_lookup *found_r, struct mr_fill *fill,
	struct mr_error *error)
{
	int64_t deadline_ms = mr_clock_ms() + MR_QUOTAS_CLIENT_MS;
	enum exchange end = GONE;

	if (fd >= 0)
		end = ask(fd, question, deadline_ms, found_r, fill, error);
	if (end == GONE) {
		if (fd >= 0)
			close(fd);
		fd = open_connection(client, error);
		if (fd < 0)
			return BROKEN;
		end = ask(fd, question, deadline_ms, found_r, fill, error);
	}
	if (end == DONE)
		keep(client, fd);
	else
		close(fd);
	return end;
}

static enum mr_lookup find(void *context, const char *mailbox,
	struct mr_fill *fill, struct mr_error *error)
{
	struct mr_quotas_client *client = context;
	enum mr_lookup found = MR_TEMPFAIL;
	struct mr_arena *arena;
	bool paused;
	int fd;

	if (!mr_quota_is_name(mailbox))
		return MR_NOTFOUND;
	fd = take(client, &paused);
	if (paused) {
		if (fd >= 0)
			keep(client, fd);
		mr_error_set(error, "the policy daemon did not answer before");
		return MR_TEMPFAIL;
	}
	arena = mr_arena_new(2 * MR_QUOTA_WIRE);
	if (exchange(client, fd, mr_quota_question(arena, mailbox), &found,
		    fill, error) != DONE) {
		pause_asking(client);
		found = MR_TEMPFAIL;
	}
	mr_arena_free(&arena);
	return found;
}

struct mr_quotas mr_quotas_client_quotas(struct mr_quotas_client *client)
{
	return (struct mr_quotas){ .context = client, .find = find };
}
