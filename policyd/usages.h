/*
 * usages - how full each mailbox is, as far as Dovecot has told, and what is on
 * its way there
 *
 * In memory, with a copy in the store.  How old a report is goes by
 * CLOCK_BOOTTIME, so that setting the host's clock makes none older; of those
 * that the store had, by the wall clock, and one from the future is new.
 *
 * What is on its way (bookings.h) is in memory only: after a crash nobody is
 * kept out by mail that was delivered meanwhile, and what is let in too much is
 * Dovecot's to hold up.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_USAGES_H
#define MR_POLICYD_USAGES_H

#include "common/base/error.h"
#include "common/state/quotas.h"
#include "policyd/report.h"

#include <stddef.h>
#include <stdint.h>

struct mr_state_store_row;
struct mr_state_store;

/* Mailboxes that are remembered; of more nothing is known. */
enum { MR_USAGES_MOST = 1000 * 1000 };

struct mr_usages;

/* Bookings are held for `hold_ms`. */
struct mr_usages *mr_usages_new(size_t most, int64_t hold_ms);
/* NULL-safe; clears the pointer. */
void mr_usages_free(struct mr_usages **usages);

/* What is when: the caller's clocks, in milliseconds and seconds. */
struct mr_usages_now {
	int64_t boot_ms, wall;
};
struct mr_usages_now mr_usages_now(void);

/* -1: there is no room for another mailbox.  `store` gets a copy.  What was
 * counted before what is known is passed over; that it was saved is not. */
int mr_usages_set(struct mr_usages *usages, const struct mr_report *report,
	const struct mr_usages_now *now, struct mr_state_store *store);
/* From the store: what was reported since is kept. */
void mr_usages_load(struct mr_usages *usages,
	const struct mr_state_store_row *row, const struct mr_usages_now *now);

/* All of them, for a store that has none. */
void mr_usages_save(struct mr_usages *usages, const struct mr_usages_now *now,
	struct mr_state_store *store);

enum mr_lookup mr_usages_find(struct mr_usages *usages, const char *mailbox,
	const struct mr_usages_now *now, struct mr_fill *fill);

/* As struct mr_quotas has them. */
uint64_t mr_usages_book(struct mr_usages *usages, struct mr_booking *bookings,
	size_t n, const struct mr_usages_now *now);
void mr_usages_cancel(struct mr_usages *usages,
	const struct mr_booking *bookings, size_t n, uint64_t number);

struct mr_usages_status {
	size_t mailboxes, bookings;
	uint64_t booked; /* octets */
};
struct mr_usages_status mr_usages_status(
	struct mr_usages *usages, const struct mr_usages_now *now);

#endif
