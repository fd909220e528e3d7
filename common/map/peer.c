/* peer - see peer.h. */
/* SPDX-License-Identifier: ISC */
#include "common/map/peer.h"
#include "common/base/arena.h"
#include "common/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_PEERS = 16 };

static void hang_up(struct mr_peer *peer)
{
	close(peer->fd);
	free(peer->buffer);
	free(peer);
}

static void hang_up_idle(struct mr_peers *peers)
{
	struct mr_peer *idle;

	pthread_mutex_lock(&peers->lock);
	idle = peers->idle;
	peers->idle = NULL;
	peers->n_idle = 0;
	pthread_mutex_unlock(&peers->lock);
	while (idle != NULL) {
		struct mr_peer *next = idle->next;

		hang_up(idle);
		idle = next;
	}
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

/* 0 or why not, as errno has it. */
static int finish_connecting(int fd, int64_t deadline_ms)
{
	socklen_t length = sizeof(int);
	int wrong;

	if (!wait_for(fd, POLLOUT, deadline_ms))
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &wrong, &length) < 0
	               ? errno
	               : wrong;
}

static int connect_until(
	int fd, const struct mr_peers *peers, int64_t deadline_ms)
{
	const struct timespec pause = { 0, 2 * 1000 * 1000 };

	while (connect(fd, (const struct sockaddr *)&peers->address,
		       peers->address_length) < 0) {
		if (errno == EINPROGRESS)
			return finish_connecting(fd, deadline_ms);
		/* A full backlog of a unix socket is EAGAIN, and cannot be
		 * polled for. */
		if ((errno != EAGAIN && errno != EINTR) ||
			mr_clock_left(deadline_ms) <= 0)
			return errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static struct mr_peer *dial(const struct mr_peers *peers, int64_t deadline_ms,
	struct mr_error *error)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int fd = socket(peers->address.ss_family, type, 0);
	int wrong = fd < 0 ? errno : connect_until(fd, peers, deadline_ms);
	struct mr_peer *peer;

	if (wrong != 0) {
		mr_error_set(error, "cannot connect: %s", strerror(wrong));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	peer = mr_calloc(1, sizeof(*peer));
	peer->fd = fd;
	return peer;
}

int mr_peers_open(
	struct mr_peers *peers, int64_t deadline_ms, struct mr_error *error)
{
	struct mr_peer *peer = dial(peers, deadline_ms, error);

	if (peer == NULL)
		return -1;
	hang_up(peer);
	pthread_mutex_init(&peers->lock, NULL);
	return 0;
}

void mr_peers_close(struct mr_peers *peers)
{
	hang_up_idle(peers);
	pthread_mutex_destroy(&peers->lock);
}

enum mr_peer_outcome mr_peer_give_up(struct mr_error *error, const char *wrong)
{
	mr_error_set(error, "%s",
		wrong == NULL ? "no answer before the deadline" : wrong);
	return MR_PEER_BROKEN;
}

enum mr_peer_outcome mr_peer_send(struct mr_peer *peer, const char *octets,
	size_t length, int64_t deadline_ms, struct mr_error *error)
{
	while (length > 0) {
		ssize_t sent = send(peer->fd, octets, length, MSG_NOSIGNAL);

		if (sent >= 0) {
			octets += sent;
			length -= (size_t)sent;
		} else if (errno == EAGAIN) {
			if (!wait_for(peer->fd, POLLOUT, deadline_ms))
				return mr_peer_give_up(error, NULL);
		} else if (errno != EINTR) {
			mr_error_set(
				error, "connection lost: %s", strerror(errno));
			return MR_PEER_DIED;
		}
	}
	return MR_PEER_ANSWERED;
}

enum mr_peer_outcome mr_peer_receive(struct mr_peer *peer, size_t longest,
	int64_t deadline_ms, struct mr_error *error)
{
	ssize_t got;

	if (peer->length >= longest)
		return mr_peer_give_up(error, "the reply is too long");
	if (peer->length == peer->size) {
		peer->size = peer->size * 2 + 1024;
		if (peer->size > longest)
			peer->size = longest;
		peer->buffer = mr_realloc(peer->buffer, peer->size);
	}
	do {
		if (!wait_for(peer->fd, POLLIN, deadline_ms))
			return mr_peer_give_up(error, NULL);
		got = recv(peer->fd, peer->buffer + peer->length,
			peer->size - peer->length, 0);
	} while (got < 0 && (errno == EAGAIN || errno == EINTR));
	if (got <= 0) {
		mr_error_set(error, "connection lost%s%s", got < 0 ? ": " : "",
			got < 0 ? strerror(errno) : "");
		return MR_PEER_DIED;
	}
	peer->length += (size_t)got;
	return MR_PEER_ANSWERED;
}

void mr_peer_take(struct mr_peer *peer, size_t length)
{
	peer->length -= length;
	memmove(peer->buffer, peer->buffer + length, peer->length);
}

/* What comes to an idle connection is no answer to what will be asked. */
static bool is_quiet(const struct mr_peer *peer)
{
	char octet;

	return recv(peer->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       errno == EAGAIN;
}

static struct mr_peer *take_one(struct mr_peers *peers)
{
	struct mr_peer *peer;

	pthread_mutex_lock(&peers->lock);
	peer = peers->idle;
	if (peer != NULL) {
		peers->idle = peer->next;
		peers->n_idle--;
	}
	pthread_mutex_unlock(&peers->lock);
	return peer;
}

static struct mr_peer *take_idle(struct mr_peers *peers)
{
	struct mr_peer *peer = take_one(peers);

	while (peer != NULL && !is_quiet(peer)) {
		hang_up(peer);
		peer = take_one(peers);
	}
	return peer;
}

static void keep_idle(struct mr_peers *peers, struct mr_peer *peer)
{
	peer->used = true;
	pthread_mutex_lock(&peers->lock);
	if (peers->n_idle < IDLE_PEERS && peer->asked < UINT_MAX) {
		peer->next = peers->idle;
		peers->idle = peer;
		peers->n_idle++;
		peer = NULL;
	}
	pthread_mutex_unlock(&peers->lock);
	if (peer != NULL)
		hang_up(peer);
}

int mr_peers_ask(struct mr_peers *peers, mr_peer_ask *ask, void *question,
	int64_t deadline_ms, struct mr_error *error)
{
	struct mr_peer *peer = take_idle(peers);
	enum mr_peer_outcome outcome;
	bool used;

	do {
		if (peer == NULL)
			peer = dial(peers, deadline_ms, error);
		if (peer == NULL)
			return -1;
		used = peer->used;
		peer->asked++;
		outcome = ask(peer, question, deadline_ms, error);
		if (outcome == MR_PEER_ANSWERED && peer->length > 0)
			outcome = mr_peer_give_up(
				error, "more than the reply to our question");
		if (outcome == MR_PEER_ANSWERED) {
			keep_idle(peers, peer);
			return 0;
		}
		hang_up(peer);
		peer = NULL;
		if (outcome == MR_PEER_DIED && used)
			hang_up_idle(peers);
	} while (outcome == MR_PEER_DIED && used);
	return -1;
}
