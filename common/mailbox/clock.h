/*
 * clock - may mail be purged by what the host's clock says?
 *
 * A clock that is wrong by months makes all mail old.  So root's timer keeps a
 * mark of the clock, one line that everybody may read:
 *
 *	1 WALL BOOTTIME BOOTID
 *
 * the format, seconds since 1970, seconds on CLOCK_BOOTTIME, and the kernel's
 * boot id (/proc/sys/kernel/random/boot_id).  Mail is purged only while the
 * clock is near the mark, and the mark follows the clock only where something
 * else explains the way: CLOCK_BOOTTIME, which nobody can set, or NTP.  Else
 * root has to say that the clock is right: `mailreeve clock --clock-ok`.
 *
 * Not common/base/clock.h, which is for deadlines.  Nothing here reads a clock
 * or a file.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAILBOX_CLOCK_H
#define MR_MAILBOX_CLOCK_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_arena;

enum {
	MR_CLOCK_LINE = 65, /* the longest line of a mark, with its LF */
	MR_CLOCK_BOOT_ID = 36,
	MR_CLOCK_NEAR = 2 * 86400,
	MR_CLOCK_TOLERANCE = 10 * 60,
};

/* The end of the year 9999; the kernel's clocks end before. */
#define MR_CLOCK_LAST INT64_C(253402300799)

/* A mark, or what would be one now. */
struct mr_clock_mark {
	int64_t wall, boottime; /* seconds, 0 to MR_CLOCK_LAST */
	char boot_id[MR_CLOCK_BOOT_ID + 1];
};

/* Reads the whole of a mark's file, which may hold anything; a part of a line,
 * or more than one, is no mark.  The error says what to do; *mark is then left
 * as it was. */
int mr_clock_mark_parse(const char *text, size_t length,
	struct mr_clock_mark *mark, struct mr_error *error);

/* The line, which mr_clock_mark_parse takes, with its LF. */
char *mr_clock_mark_format(
	struct mr_arena *arena, const struct mr_clock_mark *mark);

/* Is `text` a boot id as the kernel writes it: 36 characters, lower case? */
bool mr_clock_is_boot_id(const char *text, size_t length);

/* May the mark move to `now`?  0, also without a mark (NULL): there is nothing
 * to compare with.  -1, and the error says why not and what to do.
 * `synchronised`: NTP keeps this clock, says the kernel.  Backwards needs as
 * good an explanation as forwards.  A file that is no mark is not "without". */
int mr_clock_mark_may_advance(const struct mr_clock_mark *mark,
	const struct mr_clock_mark *now, bool synchronised,
	struct mr_error *error);

/* May mail be purged at `now`, seconds since 1970?  That is, at most
 * MR_CLOCK_NEAR before or after the mark. */
bool mr_clock_mark_is_near(const struct mr_clock_mark *mark, int64_t now);

/* A duration for people, in its two largest units: "92 days 3 h", "12 min". */
char *mr_clock_span_format(struct mr_arena *arena, int64_t seconds);

#endif
