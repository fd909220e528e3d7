/*
 * dns_cache - answers by name and type, for as long as they may be kept
 *
 * Bounded in octets: what was not asked for longest goes first.  Names come
 * from strangers, so where a name lands in the table is a secret (SipHash).
 * Not locked: whoever shares it does that.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNS_CACHE_H
#define MR_LOOKUP_DNS_CACHE_H

#include "common/lookup/dns.h"

/* For how long, in seconds, whatever a TTL says.  The least is a session's:
 * what was asked at its beginning is not asked again at its end. */
enum {
	MR_DNS_KEEP_LEAST = 10,
	MR_DNS_KEEP_MOST = 24 * 60 * 60,
	MR_DNS_KEEP_NEGATIVE = 60 * 60, /* RFC 2308 section 5: 1 to 3 hours */
	MR_DNS_KEEP_FAILURE = 5,        /* section 7: at most 5 minutes */
};

/* One answer in one piece of memory, shared and counted. */
struct mr_dns_kept {
	unsigned references;
	size_t size; /* octets, all in all */
	int64_t since_ms, until_ms;
	enum mr_lookup found;
	struct mr_dns_answer answer;
	const char *why; /* of MR_TEMPFAIL */
};

/* `error` is looked at for MR_TEMPFAIL only; times
 * are on the clock that mr_dns_cache_get gets. */
struct mr_dns_kept *mr_dns_kept_new(enum mr_lookup found,
	const struct mr_dns_answer *answer, const struct mr_error *error,
	int64_t now_ms);
/* NULL-safe. */
void mr_dns_kept_release(struct mr_dns_kept *kept);
/* The same in an arena, its TTLs as they are `now_ms`. */
enum mr_lookup mr_dns_kept_tell(const struct mr_dns_kept *kept, int64_t now_ms,
	struct mr_arena *arena, struct mr_dns_answer *answer,
	struct mr_error *error);

/* The secret that places a name in a table. */
struct mr_dns_secret {
	uint64_t key[2];
};
uint64_t mr_dns_hash(const struct mr_dns_secret *secret, const char *name,
	enum mr_dns_type type);

struct mr_dns_cache;

struct mr_dns_cache *mr_dns_cache_new(
	size_t most_octets, const struct mr_dns_secret *secret);
/* NULL-safe; clears the pointer. */
void mr_dns_cache_free(struct mr_dns_cache **cache);
/* Takes a reference of its own to `kept`.  An answer larger than an eighth of
 * the cache is not kept at all. */
void mr_dns_cache_put(struct mr_dns_cache *cache, const char *name,
	enum mr_dns_type type, struct mr_dns_kept *kept);
/* Borrowed until the next call; NULL: nothing that still holds. */
const struct mr_dns_kept *mr_dns_cache_get(struct mr_dns_cache *cache,
	const char *name, enum mr_dns_type type, int64_t now_ms);

/* What it takes, with what malloc adds; never more than it was told. */
size_t mr_dns_cache_octets(const struct mr_dns_cache *cache);
size_t mr_dns_cache_count(const struct mr_dns_cache *cache);

#endif
