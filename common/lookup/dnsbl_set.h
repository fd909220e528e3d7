/*
 * dnsbl_set - the lists of a policy with their health, as those see them who
 * ask
 *
 * Nothing that a look-up says of its failure is passed on: it names the zone,
 * and the zone may hold a key.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNSBL_SET_H
#define MR_LOOKUP_DNSBL_SET_H

#include "common/lookup/dnsbl_health.h"

#include <pthread.h>

/* How an item is asked for: IPv6 fails alone. */
enum mr_dnsbl_kind { MR_DNSBL_FIRST, MR_DNSBL_IPV6, MR_DNSBL_KINDS };

struct mr_dnsbl {
	struct mr_arena *arena;
	struct mr_dnsbl_list *lists;
	size_t n;
	unsigned references;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t ended;
	struct mr_dnsbl_health (*health)[MR_DNSBL_KINDS];
	struct mr_dns *dns; /* the watching thread's; NULL: not watched */
	bool ending;
};

/* When nobody holds it, and no thread watches it, any more. */
void mr_dnsbl_destroy(struct mr_dnsbl *dnsbl);

/* Gives the lock back, and tells a change of state. */
void mr_dnsbl_unlock(
	struct mr_dnsbl *dnsbl, size_t list, int kind, bool changed);

/* What the list says of a name in its zone. */
enum mr_dnsbl_says mr_dnsbl_question(struct mr_dns *dns,
	const struct mr_dnsbl_list *list, const char *name, int64_t deadline_ms,
	struct mr_arena *arena, struct mr_ip *code);

/* The names to ask for: of a name, of 127.a.b.c (RFC 5782 section 5; for IPv6
 * of ::ffff:127.a.b.c), and of something that cannot be listed and that no
 * cache knows. */
const char *mr_dnsbl_name(struct mr_arena *arena,
	const struct mr_dnsbl_list *list, const char *item);
const char *mr_dnsbl_test_address(struct mr_arena *arena,
	const struct mr_dnsbl_list *list, int kind,
	const unsigned char last[3]);
const char *mr_dnsbl_made_up(
	struct mr_arena *arena, const struct mr_dnsbl_list *list, int kind);

#endif
