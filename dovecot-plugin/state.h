/*
 * state - what purges leave for the next ones, in files of Mailreeve's state
 * directory: root writes them, everybody may read them
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_STATE_H
#define MR_PLUGIN_STATE_H

#include "dovecot-plugin/compat.h"
#include "common/base/error.h"

struct mr_arena;

/* The rules that a dry run has shown; see common/mailbox/purge.h. */
#define MR_STATE_REPORTED MAILREEVE_STATEDIR "/purge.reported"
/* Until when nothing of a user's is due; see common/mailbox/due.h. */
#define MR_STATE_DUE MAILREEVE_STATEDIR "/purge.due"

/* A file's text, with a NUL behind it; "" if it cannot be read. */
MR_EXPORTED const char *mr_state_read(
	struct mr_arena *arena, const char *path, size_t *length_r);

/* Replaces it, whole or not at all; for root, also where doveadm has laid aside
 * root's rights behind the last user. */
MR_EXPORTED int mr_state_write(const char *path, const char *text,
	size_t length, struct mr_error *error);

#endif
