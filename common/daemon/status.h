/*
 * status - what the control socket answers
 *
 *   status       to whoever may connect
 *   rates        the same; the policy daemon only
 *   exceptions   the same: how often each was used
 *   reload       to root and to the user that the program runs as
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_DAEMON_STATUS_H
#define MR_DAEMON_STATUS_H

#include <stdio.h>
#include <sys/types.h>

struct mr_arena;

/* A mr_control_handler; the context is a struct mr_supervisor. */
void mr_status_answer(
	void *context, const char *request, uid_t peer, FILE *answer);

/* For a front end's own part: one line, name=value; whatever the value quotes
 * stays on it. */
void mr_status_say(struct mr_arena *arena, FILE *out, const char *name,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
