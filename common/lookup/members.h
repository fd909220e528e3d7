/*
 * members - the mailboxes that a list like all@example.net reaches
 *
 * They are the live mailboxes of the list's own domain.  Who they are is told
 * by tables that can be listed; that they live by the mailbox tables.  All are
 * found, or it is a failure: nobody is left out because a table was slow.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_MEMBERS_H
#define MR_LOOKUP_MEMBERS_H

#include "common/lookup/recipient.h"

struct mr_members_query {
	const struct mr_recipient_maps *maps;
	struct mr_map *const *from; /* whose keys are the members; a key without
	                               a domain gets the list's */
	size_t n_from;              /* 0: the mailbox tables themselves */
	const char *list;           /* local@domain, no member of itself */
	size_t most;                /* more of them is a failure */
	int64_t deadline_ms;
};

struct mr_member {
	const char *address; /* for an envelope */
	const char *mailbox; /* as in struct mr_recipient_answer */
};

/* Members in the order in which they came, until they are sorted. */
struct mr_member_set {
	struct mr_member *of;
	size_t n, room;
};

void mr_member_set_add(struct mr_arena *arena, struct mr_member_set *set,
	struct mr_member member);
/* By `compare`, as qsort(3) has it; of equal ones one stays. */
void mr_member_set_sort(struct mr_member_set *set,
	int (*compare)(const void *a, const void *b));

struct mr_members {
	struct mr_member *of; /* by address, each once */
	size_t n;
	size_t dead; /* others in the tables, who have no mailbox */
};

/* -1: not all could be found. */
int mr_members_find(const struct mr_members_query *query,
	struct mr_arena *arena, struct mr_members *members,
	struct mr_error *error);

#endif
