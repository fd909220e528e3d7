/*
 * purge - which rule a folder has, when a mail is due, and what holds it back
 *
 * Pure rules.  They err towards keeping: no rule is never, an unknown age is
 * kept, nothing younger than the floor goes, and a rule that no dry run has
 * reported does nothing yet.  Times are seconds since 1970, durations seconds.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAILBOX_PURGE_H
#define MR_MAILBOX_PURGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_arena;

struct mr_purge_rule {
	const char *folder; /* a name, a special use (\Trash), a glob, or `*` */
	int64_t after;
	int64_t minimum; /* the floor, keep { minimum } */
	bool keep_flagged;
	const char *scope; /* whose: "global", "domain npo.example" */
	const char *at;    /* FILE:LINE of `after` */
};

struct mr_purge_folder {
	const char *name;  /* as IMAP shows it; INBOX is "INBOX" */
	const char *below; /* `name` without its namespace's prefix */
	const char
		*special; /* its special uses, separated by blanks; or NULL */
};

/* The rule of a folder: by its whole name before one by special use, before
 * the glob with the longest text, before `*`; NULL: none, so never.  Names keep
 * their case, but for INBOX, which only `INBOX` and `*` mean.  A name does not
 * stand for the folders below it. */
const struct mr_purge_rule *mr_purge_find(const struct mr_purge_rule *rules,
	size_t count, const struct mr_purge_folder *folder);

/* Does the rule want more than one name, so that all folders are looked at? */
bool mr_purge_is_pattern(const struct mr_purge_rule *rule);

/* Mail that was saved at or before it is due. */
int64_t mr_purge_cutoff(const struct mr_purge_rule *rule, int64_t now);

/* Would `due` of `total` messages be more than `share` percent? */
bool mr_purge_is_too_much(uint64_t due, uint64_t total, int64_t share);

/* The full scan, which also finds mail that is out of order, comes once in
 * MR_PURGE_SCAN_EVERY seconds, on another day for another `user`. */
enum { MR_PURGE_SCAN_EVERY = 7 * 24 * 60 * 60 };
bool mr_purge_wants_scan(const char *user, int64_t scanned, int64_t now);
/* When the next one behind `now` is. */
int64_t mr_purge_next_scan(const char *user, int64_t now);

/* The line, without its newline, by which a dry run makes a rule known. */
char *mr_purge_reported_line(
	struct mr_arena *arena, const struct mr_purge_rule *rule);
/* Has one of the lines of `text` reported the rule, or one of the same scope
 * and folder that keeps no more than it? */
bool mr_purge_is_reported(const char *text, const struct mr_purge_rule *rule);

#endif
