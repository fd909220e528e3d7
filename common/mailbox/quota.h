/*
 * quota - what a mailbox may hold, when its owner is warned, and the record
 * that keeps parallel deliveries from overshooting
 *
 * Pure rules; sizes are octets.  The record is what a user's file
 * `mailreeve.usage` holds: it is written, under that file's lock, before each
 * commit, so that its `bytes` are at least what the mailbox holds, as far as
 * mail comes by commits that are measured.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAILBOX_QUOTA_H
#define MR_MAILBOX_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Do `added` octets fit beside `used`?  MR_UNLIMITED takes all; nothing
 * overflows. */
bool mr_quota_fits(uint64_t limit, uint64_t used, uint64_t added);

/* `limit` and what may be above it, MR_UNLIMITED if that is no number. */
uint64_t mr_quota_extended(uint64_t limit, uint64_t extra);

/* The highest of the rising `levels` (percent) that `used` has reached; 0:
 * none, or no limit.  A limit of 0 is reached at every level. */
int mr_quota_level(
	uint64_t limit, uint64_t used, const int64_t *levels, size_t count);

/* `used` of `limit` in whole percent, rounded down; 0 without a limit; at most
 * 9999. */
int mr_quota_percent(uint64_t limit, uint64_t used);

/* Does NAME=VALUE of a userdb say what the whole mailbox may hold?  To Dovecot
 * 2.3 a quota_rule about all folders does, to 2.4 quota_storage_size, perhaps
 * behind the names of filters. */
bool mr_quota_is_rule(const char *field);
bool mr_quota_is_size(const char *field);

struct mr_usage {
	uint64_t bytes;   /* at least what the mailbox holds */
	int level;        /* the level the owner was last warned of, 0: none */
	int64_t scanned;  /* when all folders were last scanned, seconds since
	                     1970; 0: never */
	uint32_t counted; /* when a count last agreed with `bytes`; 0: it is not
	                     known */
};

/* As in the file: one line of MR_USAGE_SIZE octets, whatever it says. */
enum { MR_USAGE_SIZE = 64 };
void mr_usage_format(const struct mr_usage *usage, char line[MR_USAGE_SIZE]);
/* false: not one of ours; *usage is then empty, with bytes = UINT64_MAX, so
 * that the mailbox is counted. */
bool mr_usage_parse(const char *line, size_t length, struct mr_usage *usage);

/* What comes by no commit that is measured is seen within so many seconds. */
enum { MR_USAGE_TRUSTED_S = 60 * 60 };
/* Is it enough to know of a delivery at `now`, seconds since 1970, without a
 * count?  Where more than half of the limit may be taken, it is not. */
bool mr_usage_suffices(
	const struct mr_usage *usage, uint64_t limit, int64_t now);

#endif
