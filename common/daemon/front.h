/*
 * front - a front end as its process sees it: what speaks with Postfix
 *
 * mailreeve-milter and mailreeve-policyd start, lose root's rights, listen,
 * reload and end alike (daemon.h, supervisor.h); each brings one of these.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_DAEMON_FRONT_H
#define MR_DAEMON_FRONT_H

#include "common/base/error.h"
#include "common/config/sections.h"
#include "common/daemon/listen.h"

#include <stdint.h>
#include <stdio.h>

struct mr_arena;
struct mr_engine;
struct mr_policy;

/* What is going on. */
struct mr_front_work {
	unsigned mails;   /* that the end should wait for */
	int64_t quiet_ms; /* CLOCK_MONOTONIC until when what was said may be on
	                     its way out, or who has come may begin; 0: never */
};

struct mr_front {
	const char *program;              /* "mailreeve-milter" */
	const struct mr_section *section; /* of the policy, its own */
	size_t sockets;                   /* how many it can listen on */
	const struct mr_service *(*settings)(const struct mr_policy *policy);
	/* Makes ready to answer, before the first thread. */
	int (*open)(void *state, struct mr_engine *engine,
		struct mr_listens *listens, struct mr_error *error);
	/* Begins to answer, in threads of its own, which inherit a mask that
	 * blocks all signals.  `ended` is an eventfd(2) to be written to if it
	 * cannot go on. */
	int (*start)(void *state, int ended, struct mr_error *error);
	/* Takes no more connections: the listening sockets in `listens` are the
	 * caller's now, by what number they have in there afterwards.  What is
	 * there goes on. */
	int (*quiesce)(void *state, struct mr_listens *listens,
		struct mr_error *error);
	/* The last that is called, when all of that is done or was waited for
	 * long enough; NULL: nothing to do. */
	void (*end)(void *state);
	struct mr_front_work (*work)(void *state);
	/* Its own part of `mailreeve status`, see status.h. */
	void (*status)(void *state, struct mr_arena *arena, FILE *out);
	/* `mailreeve status --rates`; NULL: it does not count. */
	void (*rates)(void *state, struct mr_arena *arena, FILE *out);
};

#endif
