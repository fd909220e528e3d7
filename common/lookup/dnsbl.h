/*
 * dnsbl - block lists and lists of good senders in the DNS (RFC 5782)
 *
 * A list is believed only while it is well.  Its test points are asked every
 * MR_DNSBL_PROBE_MS, and each probe also asks for something made up that cannot
 * be listed, which no cache knows.  In between, a listing counts only if such a
 * made-up question was answered "not listed" within MR_DNSBL_TRUST_MS and at
 * most MR_DNSBL_TRUSTED listings ago; else it is asked first.  So a list that
 * begins to list everything makes us refuse a handful of mails, and from a list
 * that always did, none.  A list that is taken out is as if it were not there,
 * until it is well again.
 *
 * A zone may have a secret key in it: no text made here names a zone, only the
 * list's title.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNSBL_H
#define MR_LOOKUP_DNSBL_H

#include "common/base/codes.h"
#include "common/config/sections.h"
#include "common/lookup/dns.h"

struct mr_dnsbl;

struct mr_dnsbl_list {
	const char *title;
	const char *zone; /* secret */
	const struct mr_codes *codes;
	size_t n_codes; /* 0: any code counts */
	int64_t weight; /* white: 0 outweighs everything */
	enum mr_listed ask;
	bool white;
	const char *test, *url; /* see struct mr_list_settings */
};

/* --- one answer (pure) */

enum mr_dnsbl_says {
	MR_DNSBL_UNASKED, /* no such item, or the list is taken out */
	MR_DNSBL_SILENT,  /* could not find out */
	MR_DNSBL_CLEAR,
	MR_DNSBL_LISTED,
	MR_DNSBL_OTHER,   /* listed by a code that does not count */
	MR_DNSBL_REFUSED, /* 127.255.255.0/24, 127.0.0.1, 127.0.0.255: it does
	                     not answer us */
	MR_DNSBL_PARKED,  /* not of 127.0.0.0/8: that is no list any more */
};

/* What the addresses of an item mean; *code is the one that told. */
enum mr_dnsbl_says mr_dnsbl_read(const struct mr_dnsbl_list *list,
	enum mr_lookup found, const struct mr_dns_answer *answer,
	struct mr_ip *code);

/* --- all lists together (pure) */

struct mr_dnsbl_found {
	enum mr_dnsbl_says says;
	struct mr_ip code; /* if any was seen */
	const char *item;  /* what it was asked about, NULL: nothing */
};

enum mr_dnsbl_sum {
	MR_DNSBL_BELOW,
	MR_DNSBL_REACHED,
	MR_DNSBL_OPEN, /* what silent lists would say could change it */
};

/* Compares the weights with the threshold. */
enum mr_dnsbl_sum mr_dnsbl_weigh(const struct mr_dnsbl_list *lists, size_t n,
	const struct mr_dnsbl_found *found, int64_t threshold, int64_t *score);

/* --- the lists of a policy */

/* Copies what it is given. */
struct mr_dnsbl *mr_dnsbl_new(const struct mr_dnsbl_list *lists, size_t n);
struct mr_dnsbl *mr_dnsbl_hold(struct mr_dnsbl *dnsbl);
/* Counted, NULL-safe, clears the pointer. */
void mr_dnsbl_free(struct mr_dnsbl **dnsbl);
/* Do both have the same lists? */
bool mr_dnsbl_alike(const struct mr_dnsbl *dnsbl, const struct mr_dnsbl *other);
const struct mr_dnsbl_list *mr_dnsbl_lists(
	const struct mr_dnsbl *dnsbl, size_t *n);

/* Begins to probe the lists, in a thread of its own, until the last hold is
 * given back.  Lists that nobody probes are only checked when they list
 * something. */
void mr_dnsbl_watch(struct mr_dnsbl *dnsbl, struct mr_dns *dns);

/* Probes those that are due, and waits for it, at most 5 s. */
void mr_dnsbl_probe(struct mr_dnsbl *dnsbl, struct mr_dns *dns);

/* By enum mr_listed: addresses and names as text, NULL where there is none. */
struct mr_dnsbl_items {
	struct mr_ip client; /* family 0: none */
	const char *names[MR_LISTED_CLIENT_NAME + 1];
};

/* Begins to ask all lists that are well; never waits. */
void mr_dnsbl_prefetch(struct mr_dnsbl *dnsbl, struct mr_dns *dns,
	const struct mr_dnsbl_items *items);
/* Asks them; an array with one for each list, in `arena`. */
const struct mr_dnsbl_found *mr_dnsbl_ask(struct mr_dnsbl *dnsbl,
	struct mr_dns *dns, const struct mr_dnsbl_items *items,
	int64_t deadline_ms, struct mr_arena *arena);

/* Calls back with "zen, IPv6" and how it is, for each kind of question that
 * the list is asked. */
void mr_dnsbl_status(struct mr_dnsbl *dnsbl, int64_t now_ms,
	void (*seen)(void *context, const char *list, const char *health),
	void *context);

#endif
