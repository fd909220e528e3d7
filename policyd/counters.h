/*
 * counters - how much of what there was in a window that ends now
 *
 * Of a window (an hour) two pieces as long as it are kept, this one and the one
 * before; that one counts by the share of it that the window still covers.  So
 * a counter is some 100 octets with its name, and is wrong only as far as the
 * earlier piece was uneven.
 *
 * Each kind (logins, clients...) has a table and a bound of its own, so that
 * strangers who make up sender domains push out no login.  When a table is full
 * the counter goes that has not changed for the longest: what it held up is
 * free again, and the status counts it.
 *
 * Time is the caller's CLOCK_BOOTTIME: setting the host's clock changes
 * nothing.  What was saved comes back by its age, see counter_rows.h.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_COUNTERS_H
#define MR_POLICYD_COUNTERS_H

#include "common/state/rates.h"

#include <stdbool.h>
#include <stddef.h>

/* MOST: octets of all counters of one kind, beside 2 MB for their places. */
enum {
	MR_COUNTERS_KINDS = 4,
	MR_COUNTERS_MEASURES = 3,
	MR_COUNTERS_MOST = 28 * 1000 * 1000,
};

struct mr_counters;

/* `most`: octets of a kind. */
struct mr_counters *mr_counters_new(size_t most);
/* NULL-safe; clears the pointer. */
void mr_counters_free(struct mr_counters **counters);

uint64_t mr_counters_sum(struct mr_counters *counters,
	const struct mr_rate_key *key, int64_t now_ms);
/* `limit` is remembered for mr_counters_top. */
void mr_counters_add(struct mr_counters *counters,
	const struct mr_rate_key *key, uint64_t amount, uint64_t limit,
	int64_t now_ms);
/* Is it the first time in this piece of time that this is asked?  Never of what
 * was not counted. */
bool mr_counters_is_news(struct mr_counters *counters,
	const struct mr_rate_key *key, int64_t now_ms);

struct mr_counters_status {
	size_t count, octets;
	size_t unsaved;   /* changed since mr_counters_changed told of them */
	uint64_t dropped; /* before their window was over */
};
struct mr_counters_status mr_counters_status(struct mr_counters *counters);

/* A counter as it is, for whoever shows or saves it. */
struct mr_counter {
	struct mr_rate_key key; /* the name is lent */
	uint64_t sum, limit;    /* at that time */
	uint64_t before, current;
	int64_t age_ms; /* of the current piece */
};

/* The `n` that are nearest to their limit, nearest first; returns how many
 * there are.  Their names are malloc(3)ed and the caller's. */
size_t mr_counters_top(struct mr_counters *counters, int64_t now_ms,
	struct mr_counter *top, size_t n);

/* For a store.  Calls back for at most `most` counters that changed since they
 * were last told of, longest unchanged first; returns how many.  The table is
 * locked meanwhile, so `seen` copies and does not wait. */
size_t mr_counters_changed(struct mr_counters *counters, int64_t now_ms,
	size_t most,
	void (*seen)(void *context, const struct mr_counter *counter),
	void *context);
/* Puts one back that was saved, unless it is too old, or there already, or has
 * no room.  What was counted meanwhile is added to it. */
void mr_counters_load(struct mr_counters *counters,
	const struct mr_counter *counter, int64_t now_ms);
/* As if all had changed: what was saved is lost. */
void mr_counters_unsave(struct mr_counters *counters);

#endif
