/*
 * leaving - the mails that go for what a transaction adds
 *
 * By MOVE those that are copied, by REPLACE the old one.  They free their octets
 * only if nobody else has removed them since the client asked: two sessions may
 * move one mail at the same time.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_LEAVING_H
#define MR_PLUGIN_LEAVING_H

#include "dovecot-plugin/user.h"

struct mr_leaving;

/* `octets` are what it frees; it `moves`, or is replaced.  *leaving: NULL at
 * first. */
void mr_leaving_add(struct mr_leaving **leaving, struct mail *mail,
	uint64_t octets, bool moves);

struct mr_leaving_gone {
	unsigned int mails;
	uint64_t moved, replaced; /* octets */
};

/* Which of them are not there any more?  Opens and syncs their folders.  What
 * cannot be looked at counts as being there; the log says so. */
void mr_leaving_gone(struct mr_leaving *leaving, struct mr_user *u,
	struct mr_leaving_gone *gone_r);

void mr_leaving_free(struct mr_leaving **leaving);

#endif
