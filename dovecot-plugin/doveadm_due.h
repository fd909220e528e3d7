/*
 * doveadm_due - the users that a purge of many leaves out, as nothing of theirs
 * is due yet
 *
 * Making a user of Dovecot's costs more than looking into his folders, so it is
 * known before.  Only root remembers, and only root is spared.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_DOVEADM_DUE_H
#define MR_PLUGIN_DOVEADM_DUE_H

#include "dovecot-plugin/doveadm.h"

struct mr_purge_plan;
struct mr_dues;

/* What earlier runs have remembered; NULL for others than root. */
struct mr_dues *mr_dues_open(time_t now);

/* NULL-safe, as all of these. */
bool mr_dues_is_later(const struct mr_dues *dues, const char *username);

/* After all of a plan was carried out, if there was anything in it. */
void mr_dues_remember(struct mr_dues *dues, const char *username,
	const struct mr_purge_plan *plan);

/* Writes what was remembered, and clears the pointer. */
void mr_dues_close(struct mr_dues **dues);

#endif
