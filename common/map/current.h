/*
 * current - what stands behind the name of a table now, for types that keep it
 * open (known to lmdb.c and sqlite.c only)
 *
 * Those who ask hold it meanwhile; one at a time looks whether the name means
 * something else by now, and puts that in its place.  The old one goes with its
 * last holder.  What is asked through (a reader, a connection) is for one
 * thread at a time: it is borrowed, and a few are kept.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_CURRENT_H
#define MR_MAP_CURRENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct mr_current;

/* The head of what a type keeps for each thread. */
struct mr_idle {
	struct mr_idle *next;
};

/* The head of what a type opens. */
struct mr_opened {
	unsigned holders;
	struct mr_idle *idle;
	unsigned n_idle;
};

struct mr_current_kind {
	const char *type;   /* as the log calls it */
	const char *advice; /* what counts while the file is gone */
	unsigned most_idle; /* more are made and thrown away */
	void (*free_idle)(struct mr_idle *idle);
	/* After those that are idle. */
	void (*free)(struct mr_opened *opened);
	/* Once a second, by one thread: has it changed?  Calls mr_current_put
	 * or mr_current_gone. */
	void (*look)(struct mr_current *current);
};

struct mr_current {
	const struct mr_current_kind *kind;
	char *path;
	pthread_mutex_t looking; /* taken first; who has it may put */
	pthread_mutex_t lock;    /* guards what follows and what it points to */
	struct mr_opened *opened;
	bool gone; /* what is there now cannot be used */
	int64_t next_look_ms;
};

/* Takes over `path`, from malloc, and what was opened first. */
void mr_current_init(struct mr_current *current,
	const struct mr_current_kind *kind, char *path,
	struct mr_opened *opened, int64_t now_ms);
void mr_current_end(struct mr_current *current);
/* Looks if it is time to. */
void mr_current_look(struct mr_current *current, int64_t now_ms);
/* Under `looking`: takes it over, and says that the file is back if it was
 * gone. */
void mr_current_put(struct mr_current *current, struct mr_opened *opened);
/* Under `looking`: `why` it cannot be used, NULL: it can.  Logs a change. */
void mr_current_gone(struct mr_current *current, const char *why);

/* *idle_r NULL: none is idle.  *gone_r: what it lacks may be in the file that
 * cannot be used. */
struct mr_opened *mr_current_hold(
	struct mr_current *current, struct mr_idle **idle_r, bool *gone_r);
/* `idle` NULL: nothing is to be kept for the next. */
void mr_current_release(struct mr_current *current, struct mr_opened *opened,
	struct mr_idle *idle);

#endif
