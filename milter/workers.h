/*
 * workers - keeps sessions from being parked behind callbacks that wait
 *
 * libmilter's pool hands a command to an idle worker by marking it and waking
 * one, and starts a new worker only if none is idle.  But a worker counts as
 * idle until it has woken up: commands that come together are all marked for
 * the same two, and those left over lie there until some callback ends.  With
 * 100 sessions that all wait 6 s for the DNS the last one waited 76 s.
 *
 * A worker that has ended anything looks for marked commands, though, and a new
 * connection while none is idle starts one.  So while callbacks wait, we call
 * ourselves and hang up: each call makes a worker that takes what is parked.
 * It costs nothing while callbacks are short.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MILTER_WORKERS_H
#define MR_MILTER_WORKERS_H

#include "common/base/error.h"

struct mr_workers;

/* `fd` is the listening socket; its address is all that is kept. */
int mr_workers_new(
	int fd, struct mr_workers **workers_r, struct mr_error *error);
/* Begins to watch, in a thread that inherits the caller's signal mask and is
 * there until the process ends. */
int mr_workers_watch(struct mr_workers *workers, struct mr_error *error);
/* No more calls: nobody listens. */
void mr_workers_quiesce(struct mr_workers *workers);

/* Around each callback that may wait.  `began` is what the first one gave. */
unsigned mr_workers_begin(struct mr_workers *workers);
void mr_workers_end(struct mr_workers *workers, unsigned began);

#endif
