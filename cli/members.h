/* members - the members of a list, in a sentence for people. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_MEMBERS_H
#define MR_CLI_MEMBERS_H

#include "common/lookup/members.h"

struct mr_arena;

/* "5 mailboxes: ann@example.net, bob@example.net..." */
const char *mr_members_text(
	struct mr_arena *arena, const struct mr_members *members);

#endif
