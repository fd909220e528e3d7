/*
 * peer - connections to a server of ours, one question at a time on each
 *
 * Idle connections are kept.  One that has died while idle is replaced
 * silently: the server was restarted.  Nothing waits beyond the deadline,
 * whatever the server does.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_PEER_H
#define MR_MAP_PEER_H

#include "common/base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct mr_peer {
	struct mr_peer *next;
	int fd;
	unsigned asked; /* questions, this one included */
	bool used;      /* has answered before, so it may have died since */
	char *buffer;   /* what was received and not yet taken */
	size_t size, length;
};

/* How one try on one connection ended. */
enum mr_peer_outcome { MR_PEER_ANSWERED, MR_PEER_BROKEN, MR_PEER_DIED };

/* Asks `question` and takes the whole answer off the buffer. */
typedef enum mr_peer_outcome mr_peer_ask(struct mr_peer *peer, void *question,
	int64_t deadline_ms, struct mr_error *error);

struct mr_peers {
	struct sockaddr_storage address;
	socklen_t address_length;
	pthread_mutex_t lock; /* guards what follows */
	struct mr_peer *idle;
	unsigned n_idle;
};

/* `peers` has its address; is somebody there?  -1: no, and nothing is kept. */
int mr_peers_open(
	struct mr_peers *peers, int64_t deadline_ms, struct mr_error *error);
void mr_peers_close(struct mr_peers *peers);
/* -1: no answer; `error` says why. */
int mr_peers_ask(struct mr_peers *peers, mr_peer_ask *ask, void *question,
	int64_t deadline_ms, struct mr_error *error);

/* For those who write a mr_peer_ask. */
enum mr_peer_outcome mr_peer_send(struct mr_peer *peer, const char *octets,
	size_t length, int64_t deadline_ms, struct mr_error *error);
/* More octets into the buffer, which never holds more than `longest`. */
enum mr_peer_outcome mr_peer_receive(struct mr_peer *peer, size_t longest,
	int64_t deadline_ms, struct mr_error *error);
void mr_peer_take(struct mr_peer *peer, size_t length);
/* BROKEN; `wrong` is NULL for a deadline that has passed. */
enum mr_peer_outcome mr_peer_give_up(struct mr_error *error, const char *wrong);

#endif
