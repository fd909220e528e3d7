/*
 * supervisor - the main thread: signals, reload, the control socket, the end
 *
 * It alone gets signals (through a descriptor, so nothing happens inside a
 * handler), and it never answers Postfix.
 *
 *   SIGTERM, SIGINT  take no more connections, finish the mails under way, end
 *   SIGUSR1, SIGHUP  read the policy again; a broken one changes nothing
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_DAEMON_SUPERVISOR_H
#define MR_DAEMON_SUPERVISOR_H

#include "common/base/error.h"
#include "common/config/problem.h"
#include "common/daemon/front.h"

#include <stdbool.h>
#include <time.h>

struct mr_arena;
struct mr_control;
struct mr_engine;

/* How long the end waits for the mails under way. */
enum { MR_SUPERVISOR_DRAIN_MS = 20 * 1000 };

struct mr_supervisor {
	const struct mr_front *front;
	void *state;      /* the front end's */
	const char *path; /* of the policy file, absolute */
	struct mr_engine *engine;
	struct mr_listens listens;
	struct mr_control *control;
	time_t started, loaded;
	struct mr_arena *broken;     /* NULL: the last reload was fine */
	struct mr_problems problems; /* of the last reload, if broken */
	int signals;                 /* signalfd(2) */
	int ended; /* eventfd(2): the front end could not go on */
	bool stopping;
	bool closing; /* are the listening sockets ours, to turn callers away */
	int64_t drain_until_ms;
};

/* Blocks the signals and opens their descriptor; before the first thread. */
int mr_supervisor_open(
	struct mr_supervisor *supervisor, struct mr_error *error);
/* Starts the threads that answer Postfix. */
int mr_supervisor_start(
	struct mr_supervisor *supervisor, struct mr_error *error);
/* Until the end: exits with 0, or with 1 if the front end broke down. */
_Noreturn void mr_supervisor_run(struct mr_supervisor *supervisor);

/* For the control socket. */
int mr_supervisor_reload(struct mr_supervisor *supervisor);

#endif
