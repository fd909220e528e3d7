/*
 * tally - counts of what has a name in the policy
 *
 * Names come with a reload and go with one, so their counts are kept apart from
 * those of the checks, whose number is known.  A name that is gone keeps its
 * count, as it may come back.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_TALLY_H
#define MR_POLICY_TALLY_H

#include <stdint.h>
#include <time.h>

struct mr_tally;
struct mr_counted; /* what has one name */

struct mr_tally *mr_tally_new(void);
void mr_tally_free(struct mr_tally **tally);
/* The count of a name, 0 if it is new; it lives as long as the tally.  From any
 * thread, as what follows. */
struct mr_counted *mr_tally_find(struct mr_tally *tally, const char *name);
void mr_tally_count(struct mr_counted *counted, time_t now);
/* *last_r: when that was last, 0: never. */
uint64_t mr_tally_read(struct mr_counted *counted, time_t *last_r);
/* In the order in which they were first looked for. */
void mr_tally_each(struct mr_tally *tally,
	void (*seen)(void *context, const char *name, uint64_t count),
	void *context);

#endif
