/*
 * counter_rows - the counters as rows of the store, and when they are from
 *
 * Rows are dated by a clock of the store's own.  It begins as the wall clock
 * and goes on as CLOCK_BOOTTIME does, so that setting the host's clock neither
 * forgets what was counted nor holds anybody up for longer.  With each write it
 * is saved beside both clocks and the number of the boot.  Only what passed
 * while the host was off is told by its clock; where that stands before the
 * last write it says nothing, and no time has passed.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_COUNTER_ROWS_H
#define MR_POLICYD_COUNTER_ROWS_H

#include <stdbool.h>
#include <stdint.h>

struct mr_counters;
struct mr_state_store;
struct mr_state_store_row;

/* CLOCK_BOOTTIME and CLOCK_REALTIME, the caller's. */
struct mr_counter_rows_now {
	int64_t boot_ms, wall_ms;
};
struct mr_counter_rows_now mr_counter_rows_now(void);

enum { MR_COUNTER_ROWS_BOOT = 40 };
/* Starts zeroed, but for the first two; one thread at a time. */
struct mr_counter_rows {
	struct mr_counters *counters;    /* borrowed */
	char boot[MR_COUNTER_ROWS_BOOT]; /* "": unknown */
	bool dated;
	int64_t ahead_ms; /* of CLOCK_BOOTTIME, once it is dated */
	int64_t forgot_ms;
};
/* The host's. */
void mr_counter_rows_read_boot(char boot[MR_COUNTER_ROWS_BOOT]);

/* A row that was saved; of another kind it does nothing. */
void mr_counter_rows_load(struct mr_counter_rows *rows,
	const struct mr_state_store_row *row,
	const struct mr_counter_rows_now *now);
/* Puts what has changed, or, if `all`, begins to put everything. */
void mr_counter_rows_save(struct mr_counter_rows *rows,
	struct mr_state_store *store, bool all,
	const struct mr_counter_rows_now *now);

#endif
