/*
 * guard - what must hold before anything is purged: the clock is right, and a
 * dry run has shown the rule to somebody
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_GUARD_H
#define MR_PLUGIN_GUARD_H

#include "dovecot-plugin/compat.h"
#include "common/base/error.h"
#include "common/mailbox/purge.h"

/* Does the clock mark say that `now` can be believed?  -1: the error says what
 * to do. */
MR_EXPORTED int mr_guard_clock(int64_t now, struct mr_error *error);

/* The text of the rules that were reported, in `pool`; "" if there is none. */
const char *mr_guard_reported(pool_t pool);

/* Adds the lines (ends with NULL) that are not there yet; for root.  -1: they
 * could not be written. */
MR_EXPORTED int mr_guard_report(
	const char *const *lines, struct mr_error *error);

#endif
