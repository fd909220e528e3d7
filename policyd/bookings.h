/*
 * bookings - mail that was accepted and is not in its mailbox yet
 *
 * A booking goes when Dovecot reports that it saved a mail of that size, when
 * the mail is refused after all, and after a time: the mail may have gone
 * elsewhere (another milter refused it, a script forwarded it), or the report
 * was lost.
 *
 * Nothing here locks: usages.c does.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_BOOKINGS_H
#define MR_POLICYD_BOOKINGS_H

#include <stddef.h>
#include <stdint.h>

/* How many at once; what is beyond is accepted, and not booked. */
enum { MR_BOOKINGS_MOST = 200 * 1000 };
/* A saved mail is that of a booking if it has at most so many octets more. */
enum { MR_BOOKINGS_ADDED = 8 * 1024 };

struct mr_booked;

/* Of one mailbox; starts zeroed. */
struct mr_book {
	struct mr_booked *first; /* the oldest */
	uint64_t octets;         /* of all, with MR_QUOTA_HEADERS each */
};

struct mr_bookings {
	int64_t hold_ms;
	struct mr_booked *all; /* the oldest first, which expires first */
	size_t n;
	uint64_t octets;
};

/* Lets those go whose time is over. */
void mr_bookings_expire(struct mr_bookings *bookings, int64_t now_ms);
/* `number` is the mail's; `size` without headers that a delivery adds. */
void mr_bookings_add(struct mr_bookings *bookings, struct mr_book *book,
	uint64_t number, uint64_t size, int64_t now_ms);
/* Of a mail that was saved with `size` octets; if several could be its, the
 * largest, and of these the oldest. */
void mr_bookings_saved(
	struct mr_bookings *bookings, struct mr_book *book, uint64_t size);
void mr_bookings_cancel(
	struct mr_bookings *bookings, struct mr_book *book, uint64_t number);
/* Lets all of them go. */
void mr_bookings_clear(struct mr_bookings *bookings);

#endif
