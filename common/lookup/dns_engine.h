/*
 * dns_engine - the two halves of the engine: callers, and the I/O thread
 *
 * A question is in the table from when it is first asked until its answer is
 * there; whoever asks the same meanwhile waits for it.  Callers find or make
 * questions and hand them over (`handed`); the thread alone has sockets, and
 * puts what it hears into the cache.  A question lives for the engine's
 * time-out whoever waits for it, so that its answer serves the next who asks.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNS_ENGINE_H
#define MR_LOOKUP_DNS_ENGINE_H

#include "common/lookup/dns_cache.h"
#include "common/lookup/dns_exchange.h"

#include <pthread.h>

enum {
	MR_DNS_MOST_SOCKETS = 4096, /* and half of RLIMIT_NOFILE */
	MR_DNS_MOST_QUESTIONS = 8192,
	MR_DNS_PLACES = 4096, /* of the table, a power of two */
};

struct mr_dns_question {
	struct mr_dns_question *next_in_place, *next, *previous;
	const char *name; /* behind the struct */
	enum mr_dns_type type;
	uint64_t hash;
	int64_t deadline_ms;

	/* the thread's */
	int64_t due_ms; /* when to ask once more */
	unsigned times; /* it was asked */
	struct mr_dns_exchange *exchanges;
	struct mr_error error; /* the last that a server said */

	/* the lock's */
	unsigned waiters;
	struct mr_dns_kept *kept; /* NULL: under way */
	pthread_cond_t answered;  /* on CLOCK_MONOTONIC */
};

struct mr_dns_line {
	struct mr_dns_question *first, *last;
};

struct mr_dns_engine {
	struct mr_arena *arena;
	int64_t timeout_ms;
	size_t cache_bound;
	int64_t (*clock)(void); /* of the cache */
	struct mr_dns_secret secret;

	pthread_mutex_t lock;
	struct mr_dns_servers servers; /* written by the thread only */
	struct mr_dns_cache *cache;
	struct mr_dns_question *places[MR_DNS_PLACES];
	struct mr_dns_line handed;
	size_t under_way;
	uint64_t asked, from_cache, joined, turned_away;
	bool started, stopping;

	pthread_t thread;
	int epoll, wake; /* -1: not started; epoll(7) and eventfd(2) */
};

/* At the end of a line; out of its midst. */
void mr_dns_line_add(
	struct mr_dns_line *line, struct mr_dns_question *question);
void mr_dns_line_remove(
	struct mr_dns_line *line, struct mr_dns_question *question);

/* With the lock, which guards its answer's count. */
void mr_dns_question_free(struct mr_dns_question *question);
/* With the lock: takes it out of the table. */
void mr_dns_question_forget(
	struct mr_dns_engine *engine, struct mr_dns_question *question);

/* The I/O thread; the argument is the engine. */
void *mr_dns_loop(void *engine);

#endif
