/*
 * view - what the published policy says about one mailbox's user
 *
 * Knows nothing of Dovecot.  A view never changes; a new one is loaded when the
 * published copy has changed, or after MR_VIEW_SECONDS, as the tables of groups
 * change without it.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_VIEW_H
#define MR_PLUGIN_VIEW_H

#include "common/base/error.h"
#include "common/mailbox/purge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MR_VIEW_SECONDS = 60 };

/* What a scanner's mark on a mail means to this user. */
struct mr_filing {
	const char *scanner;
	const char *folder; /* a name, or a special use (\Junk) */
	bool skips_sieve;
	const char *at; /* FILE:LINE of `folder` */
};

struct mr_view {
	bool observe; /* nothing is refused or purged, only logged */
	bool unsure;  /* a group's table could not be read: the most generous
	                 quota counts, nothing is purged, and only what is filed
	                 whatever group it may be */
	char unsure_why[MR_ERROR_TEXT];

	uint64_t quota; /* octets, MR_UNLIMITED */
	bool quota_is_users; /* set by `user`, so above the userdb's own */
	const char *quota_at; /* FILE:LINE, or "default" */
	uint64_t trash;       /* octets above it for a copy to \Trash */
	const int64_t *levels; /* percent, rising */
	size_t n_levels;
	const char *warn_command, *warn_mail; /* paths, or NULL */

	const struct mr_purge_rule *rules;
	size_t n_rules;
	int64_t share; /* percent */

	const char *mark; /* the header in which the milter leaves marks */
	const struct mr_filing *filings; /* a mail's first that applies counts */
	size_t n_filings;

	const char *usage; /* the socket of mailreeve-policyd for reports */
};

/* The view of `address` (lower case) in the copy at `path`.  -1: the error
 * names the file, and the line if there is one. */
int mr_view_load(const char *path, const char *address, struct mr_view **view_r,
	struct mr_error *error);
/* NULL-safe; clears the pointer. */
void mr_view_free(struct mr_view **view);

/* A sum of what decides when mail is due and when the owner is warned: another
 * one for another policy. */
uint64_t mr_view_sum(const struct mr_view *view);

/* Should another one be loaded?  `now_ms` is CLOCK_MONOTONIC. */
bool mr_view_is_stale(const struct mr_view *view, int64_t now_ms);

#endif
