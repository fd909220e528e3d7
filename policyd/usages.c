/* usages - see usages.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/usages.h"
#include "common/base/arena.h"
#include "policyd/bookings.h"
#include "policyd/store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

struct usage {
	int64_t bytes, messages; /* as counted; never: 0, and the messages are
	                            MR_REPORT_NOT_COUNTED */
	int64_t most;            /* bytes that may be there */
	int64_t limit;
	int64_t at_ms; /* of the count; CLOCK_BOOTTIME, before the boot:
	                  negative */
	int64_t counted_ms, most_ms; /* by the reports, which may have been on
	                                their way for longer than the next one;
	                                0: unknown */
	int64_t tried_ms; /* when one mail was let in to see whether it is still
	                     full, or is at all; 0: never */
	struct mr_book book;
	UT_hash_handle hh;
	char mailbox[];
};

struct mr_usages {
	size_t most;
	pthread_mutex_t lock; /* guards what follows */
	struct usage *all;
	struct mr_bookings bookings;
	uint64_t number; /* of the newest */
};

struct mr_usages *mr_usages_new(size_t most, int64_t hold_ms)
{
	struct mr_usages *usages = mr_calloc(1, sizeof(*usages));

	usages->most = most;
	usages->bookings.hold_ms = hold_ms;
	pthread_mutex_init(&usages->lock, NULL);
	return usages;
}

void mr_usages_free(struct mr_usages **usages)
{
	struct usage *one, *next;

	if (*usages == NULL)
		return;
	mr_bookings_clear(&(*usages)->bookings);
	HASH_ITER (hh, (*usages)->all, one, next) {
		HASH_DEL((*usages)->all, one);
		free(one);
	}
	pthread_mutex_destroy(&(*usages)->lock);
	free(*usages);
	*usages = NULL;
}

struct mr_usages_now mr_usages_now(void)
{
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (struct mr_usages_now){
		.boot_ms = (int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000,
		.wall = time(NULL),
	};
}

/* NULL: there is no room. */
static struct usage *find_or_add(
	struct mr_usages *usages, const char *mailbox, bool *added_r)
{
	size_t length = strlen(mailbox);
	struct usage *one;

	HASH_FIND(hh, usages->all, mailbox, length, one);
	*added_r = one == NULL;
	if (one != NULL || HASH_COUNT(usages->all) >= usages->most)
		return one;
	one = mr_calloc(1, sizeof(*one) + length + 1);
	memcpy(one->mailbox, mailbox, length);
	HASH_ADD(hh, usages->all, mailbox, length, one);
	return one;
}

/* Not in the future: what is counted after it would be old. */
static int64_t when_counted(
	const struct mr_report *report, const struct mr_usages_now *now)
{
	return report->time == 0 || report->time > now->boot_ms ? now->boot_ms
	                                                        : report->time;
}

/* What is known at most is stored as if it had never been counted. */
static struct mr_state_store_row row_of(const struct usage *one,
	const char *mailbox, const struct mr_usages_now *now)
{
	return (struct mr_state_store_row){
		.kind = MR_STORE_USAGE,
		.name = mailbox,
		.at = now->wall - (now->boot_ms - one->at_ms) / 1000,
		.value = { one->most,
			one->most == one->bytes ? one->messages
						: MR_REPORT_NOT_COUNTED,
			one->limit },
	};
}

/* A delivery that nobody counted tells at most how much is there: that a mail
 * does not fit is still known from the last count alone. */
static void take(struct usage *one, const struct mr_report *report,
	int64_t when_ms, const struct mr_usages_now *now)
{
	one->limit = report->limit;
	if (report->messages == MR_REPORT_NOT_COUNTED) {
		one->most = report->bytes;
		one->most_ms = when_ms;
		return;
	}
	one->bytes = report->bytes;
	one->messages = report->messages;
	one->at_ms = now->boot_ms;
	one->counted_ms = when_ms;
	one->tried_ms = 0;
	/* counted before the last delivery was there, perhaps */
	if (when_ms >= one->most_ms || one->most < one->bytes)
		one->most = one->bytes;
}

int mr_usages_set(struct mr_usages *usages, const struct mr_report *report,
	const struct mr_usages_now *now, struct mr_state_store *store)
{
	int64_t when_ms = when_counted(report, now);
	struct mr_state_store_row row;
	struct usage *one;
	bool added, old;

	pthread_mutex_lock(&usages->lock);
	one = find_or_add(usages, report->mailbox, &added);
	if (added && one != NULL)
		one->messages = MR_REPORT_NOT_COUNTED;
	old = one != NULL && when_ms < one->counted_ms;
	if (one != NULL && !old) {
		take(one, report, when_ms, now);
		row = row_of(one, report->mailbox, now);
	}
	if (one != NULL && report->saved > 0)
		mr_bookings_saved(
			&usages->bookings, &one->book, (uint64_t)report->saved);
	pthread_mutex_unlock(&usages->lock);
	if (one == NULL)
		return -1;
	if (!old)
		mr_state_store_put(store, &row);
	return 0;
}

static int64_t passed_ms(int64_t at, int64_t now)
{
	int64_t passed;

	if (at >= now || __builtin_sub_overflow(now, at, &passed))
		return 0;
	return passed > INT64_MAX / 2000 ? INT64_MAX / 2 : passed * 1000;
}

void mr_usages_load(struct mr_usages *usages,
	const struct mr_state_store_row *row, const struct mr_usages_now *now)
{
	struct usage *one;
	bool added;

	if (strcmp(row->kind, MR_STORE_USAGE) != 0 || row->value[0] < 0 ||
		row->value[1] < MR_REPORT_NOT_COUNTED || row->value[2] < 0)
		return;
	pthread_mutex_lock(&usages->lock);
	one = find_or_add(usages, row->name, &added);
	if (one != NULL && added) {
		one->most = row->value[0];
		one->messages = row->value[1];
		one->bytes =
			one->messages == MR_REPORT_NOT_COUNTED ? 0 : one->most;
		one->limit = row->value[2];
		one->at_ms = now->boot_ms - passed_ms(row->at, now->wall);
	}
	pthread_mutex_unlock(&usages->lock);
}

void mr_usages_save(struct mr_usages *usages, const struct mr_usages_now *now,
	struct mr_state_store *store)
{
	struct usage *one, *next;

	pthread_mutex_lock(&usages->lock);
	HASH_ITER (hh, usages->all, one, next) {
		struct mr_state_store_row row = row_of(one, one->mailbox, now);

		mr_state_store_put(store, &row);
	}
	pthread_mutex_unlock(&usages->lock);
}

static struct usage *find(struct mr_usages *usages, const char *mailbox)
{
	struct usage *one;

	HASH_FIND(hh, usages->all, mailbox, strlen(mailbox), one);
	return one;
}

static struct mr_fill fill_of(
	const struct usage *one, const struct mr_usages_now *now)
{
	return (struct mr_fill){
		.bytes = (uint64_t)one->most,
		.least = (uint64_t)(one->bytes < one->most ? one->bytes
							   : one->most),
		.booked = one->book.octets,
		.age_ms = now->boot_ms -
		          (one->tried_ms == 0 ? one->at_ms : one->tried_ms),
	};
}

enum mr_lookup mr_usages_find(struct mr_usages *usages, const char *mailbox,
	const struct mr_usages_now *now, struct mr_fill *fill)
{
	struct usage *one;

	pthread_mutex_lock(&usages->lock);
	mr_bookings_expire(&usages->bookings, now->boot_ms);
	one = find(usages, mailbox);
	if (one != NULL)
		*fill = fill_of(one, now);
	pthread_mutex_unlock(&usages->lock);
	return one == NULL ? MR_NOTFOUND : MR_FOUND;
}

/* --- what is on its way */

/* Is a mail let in to see whether there is room, and Dovecot's word to come? */
static bool is_tried(const struct usage *one, const struct mr_usages_now *now)
{
	return one->tried_ms != 0 &&
	       now->boot_ms - one->tried_ms <= MR_QUOTA_FULL_MS;
}

/* What a mail to a full mailbox would take is not booked, unless it may fit. */
static bool book(struct mr_usages *usages, struct mr_booking *booking,
	const struct mr_usages_now *now, uint64_t number)
{
	struct usage *one = find(usages, booking->mailbox);
	struct mr_fill fill;

	booking->room = MR_ROOM_UNKNOWN;
	if (one == NULL)
		return false;
	fill = fill_of(one, now);
	booking->room = mr_quotas_room(&fill, booking->size, booking->limit);
	if (booking->room == MR_ROOM_OLD && is_tried(one, now))
		booking->room = MR_ROOM_BOOKED;
	if (booking->room == MR_ROOM_OLD)
		one->tried_ms = now->boot_ms;
	if (booking->room == MR_ROOM_ENOUGH ||
		(booking->room == MR_ROOM_OLD && fill.least < fill.bytes))
		mr_bookings_add(&usages->bookings, &one->book, number,
			booking->size, now->boot_ms);
	return booking->room == MR_ROOM_ENOUGH || booking->room == MR_ROOM_OLD;
}

uint64_t mr_usages_book(struct mr_usages *usages, struct mr_booking *bookings,
	size_t n, const struct mr_usages_now *now)
{
	uint64_t number;
	bool any = false;

	pthread_mutex_lock(&usages->lock);
	mr_bookings_expire(&usages->bookings, now->boot_ms);
	number = ++usages->number;
	for (size_t i = 0; i < n; i++)
		any |= book(usages, &bookings[i], now, number);
	pthread_mutex_unlock(&usages->lock);
	return any ? number : 0;
}

void mr_usages_cancel(struct mr_usages *usages,
	const struct mr_booking *bookings, size_t n, uint64_t number)
{
	pthread_mutex_lock(&usages->lock);
	for (size_t i = 0; i < n; i++) {
		struct usage *one = find(usages, bookings[i].mailbox);

		if (one == NULL)
			continue;
		mr_bookings_cancel(&usages->bookings, &one->book, number);
		if (bookings[i].room == MR_ROOM_OLD)
			one->tried_ms = 0;
	}
	pthread_mutex_unlock(&usages->lock);
}

struct mr_usages_status mr_usages_status(
	struct mr_usages *usages, const struct mr_usages_now *now)
{
	struct mr_usages_status status;

	pthread_mutex_lock(&usages->lock);
	mr_bookings_expire(&usages->bookings, now->boot_ms);
	status = (struct mr_usages_status){
		.mailboxes = HASH_COUNT(usages->all),
		.bookings = usages->bookings.n,
		.booked = usages->bookings.octets,
	};
	pthread_mutex_unlock(&usages->lock);
	return status;
}
