/* bookings - see bookings.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/bookings.h"
#include "common/base/arena.h"
#include "common/state/quotas.h"

#include <stdbool.h>
#include <stdlib.h>
#include <utlist.h>

struct mr_booked {
	struct mr_book *book;
	uint64_t number, size;
	int64_t until_ms;
	struct mr_booked *prev, *next;   /* in the mailbox's */
	struct mr_booked *older, *newer; /* in all */
};

static uint64_t octets_of(const struct mr_booked *one)
{
	return one->size + MR_QUOTA_HEADERS;
}

static void drop(struct mr_bookings *bookings, struct mr_booked *one)
{
	one->book->octets -= octets_of(one);
	bookings->octets -= octets_of(one);
	bookings->n--;
	DL_DELETE(one->book->first, one);
	DL_DELETE2(bookings->all, one, older, newer);
	free(one);
}

void mr_bookings_expire(struct mr_bookings *bookings, int64_t now_ms)
{
	while (bookings->all != NULL && bookings->all->until_ms <= now_ms)
		drop(bookings, bookings->all);
}

/* A size that is none is not booked, so that no sum overflows. */
void mr_bookings_add(struct mr_bookings *bookings, struct mr_book *book,
	uint64_t number, uint64_t size, int64_t now_ms)
{
	struct mr_booked *one;

	if (bookings->n >= MR_BOOKINGS_MOST ||
		size > INT64_MAX / MR_BOOKINGS_MOST)
		return;
	one = mr_calloc(1, sizeof(*one));
	*one = (struct mr_booked){
		.book = book,
		.number = number,
		.size = size,
		.until_ms = now_ms + bookings->hold_ms,
	};
	DL_APPEND(book->first, one);
	DL_APPEND2(bookings->all, one, older, newer);
	book->octets += octets_of(one);
	bookings->octets += octets_of(one);
	bookings->n++;
}

void mr_bookings_saved(
	struct mr_bookings *bookings, struct mr_book *book, uint64_t size)
{
	struct mr_booked *found = NULL;

	for (struct mr_booked *one = book->first; one != NULL; one = one->next)
		if (one->size <= size &&
			size - one->size <= MR_BOOKINGS_ADDED &&
			(found == NULL || one->size > found->size))
			found = one;
	if (found != NULL)
		drop(bookings, found);
}

/* It is among the newest: its mail was judged just now. */
void mr_bookings_cancel(
	struct mr_bookings *bookings, struct mr_book *book, uint64_t number)
{
	struct mr_booked *first = book->first;
	struct mr_booked *one = first == NULL ? NULL : first->prev;

	while (one != NULL && one->number != number)
		one = one == first ? NULL : one->prev;
	if (one != NULL)
		drop(bookings, one);
}

void mr_bookings_clear(struct mr_bookings *bookings)
{
	while (bookings->all != NULL)
		drop(bookings, bookings->all);
}
