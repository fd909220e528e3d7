/*
 * quotas - what the policy asks of how full mailboxes are, which the policy
 * daemon knows
 *
 * It asks its memory directly, the milter asks over a socket (quotas_client.h).
 * Only the policy daemon books: what was accepted is as good as in the mailbox
 * until Dovecot says that it has saved it, or a time-out.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_STATE_QUOTAS_H
#define MR_STATE_QUOTAS_H

#include "common/base/error.h"

#include <stddef.h>
#include <stdint.h>

/* What a delivery adds to a mail at most: Return-Path, Received and what other
 * milters write on top (octets).  And how long Dovecot's word that a mailbox is
 * full counts: its owner may have made room, and the report was lost. */
enum { MR_QUOTA_HEADERS = 2048, MR_QUOTA_FULL_MS = 60 * 60 * 1000 };

/* A mailbox, in octets. */
struct mr_fill {
	uint64_t bytes;  /* that it has at most, by Dovecot's last word */
	uint64_t least;  /* that it had when it was counted; never: 0 */
	uint64_t booked; /* that are on their way, with headers */
	int64_t age_ms;  /* of the count */
};

enum mr_room {
	MR_ROOM_ENOUGH,
	MR_ROOM_UNKNOWN, /* nothing was said of the mailbox */
	MR_ROOM_BOOKED,  /* not beside what is on its way, or a hair's breadth
	                    too little: Dovecot alone can tell */
	MR_ROOM_OLD,     /* none, by a count that is too old to go by, or was
	                    not made for what came since */
	MR_ROOM_NONE,
};

/* Is there room for a mail of `size` octets (0: not known)?  `limit` is what
 * the mailbox may hold; MR_UNLIMITED has room for all. */
enum mr_room mr_quotas_room(
	const struct mr_fill *fill, uint64_t size, uint64_t limit);

struct mr_booking {
	const char *mailbox;
	uint64_t size, limit;
	enum mr_room room; /* the answer */
};

/* From any thread. */
struct mr_quotas {
	void *context;
	/* MR_NOTFOUND: nothing was said of the mailbox. */
	enum mr_lookup (*find)(void *context, const char *mailbox,
		struct mr_fill *fill, struct mr_error *error);
	/* At the end of a mail: looks for room in all of its mailboxes at once,
	 * and books it where there is enough.  MR_ROOM_OLD lets one mail in,
	 * and keeps others out until Dovecot has counted, or for as long again.
	 * Returns a number for `cancel`, 0: there is nothing to cancel.  NULL:
	 * others book. */
	uint64_t (*book)(void *context, struct mr_booking *bookings, size_t n);
	/* The mail was refused after all. */
	void (*cancel)(void *context, const struct mr_booking *bookings,
		size_t n, uint64_t number);
};

#endif
