/*
 * server - connections, those of Postfix's processes or the milter's, and the
 * threads that answer
 *
 * All connections are in one epoll(7) set, each armed for one event.  Whichever
 * thread is free takes the next that can be read, answers all whole requests in
 * what came, and arms it again.  An answer may wait for the DNS or a table, so
 * one more thread looks whether all of them wait, and then starts others; those
 * that have had nothing to do for a while end.
 *
 * While no thread is free, answers are held, a few at a time, until there is no
 * other request to answer at once, or somebody would wait for them: to wake an
 * asker costs as much as to judge what it asks, and those on one core are then
 * woken together.
 *
 * A connection that waits costs its descriptor and a small struct; it may wait
 * for ever, as Postfix closes it when it wants.  What ends a connection, with a
 * line in the log:
 *
 *   a request that is broken, or longer than MR_REQUEST_LONGEST
 *   half a request that is not finished within MR_SERVER_READ_MS
 *   answers that are not taken within MR_SERVER_WRITE_MS
 *   too many connections: the new one
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_SERVER_H
#define MR_POLICYD_SERVER_H

#include "common/base/error.h"
#include "common/daemon/listen.h"

#include <stddef.h>
#include <stdint.h>

struct mr_answerer;
struct mr_server;

/* 256 requests that all wait are more than Postfix's default_process_limit. */
enum {
	MR_SERVER_THREADS = 256,
	MR_SERVER_CONNECTIONS = 20000,
	MR_SERVER_READ_MS = 10 * 1000,
	MR_SERVER_WRITE_MS = 10 * 1000,
	MR_SERVER_IDLE_MS = 3 * 1000, /* until a thread too many ends */
};

struct mr_server_status {
	unsigned connections, threads;
	unsigned under_way; /* requests */
	uint64_t requests;  /* answered so far */
};

/* Before the first thread; `answerer` is borrowed, `listens` stay the
 * caller's. */
int mr_server_open(const struct mr_answerer *answerer,
	struct mr_listens *listens, struct mr_server **server_r,
	struct mr_error *error);
/* Begins to answer, in threads that inherit the caller's signal mask and run
 * until the process ends; `ended` is written to if they cannot go on. */
int mr_server_start(
	struct mr_server *server, int ended, struct mr_error *error);
/* Takes no more connections; those there are go on. */
void mr_server_quiesce(struct mr_server *server);
struct mr_server_status mr_server_status(struct mr_server *server);

#endif
