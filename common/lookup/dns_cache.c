/* dns_cache - see dns_cache.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/dns_cache.h"
#include "common/base/arena.h"
#include "common/base/siphash.h"

#include <stdlib.h>
#include <string.h>

/* What malloc(3) adds to a piece, and how many octets of the bound there are
 * for each place in the table. */
enum { MALLOC_ADDS = 16, OCTETS_A_PLACE = 512, LEAST_PLACES = 64 };

struct entry {
	struct entry *next;          /* in the same place */
	struct entry *newer, *older; /* by when they were asked for */
	struct mr_dns_kept *kept;
	uint64_t hash;
	size_t octets;
	enum mr_dns_type type;
	char name[];
};

struct mr_dns_cache {
	struct mr_dns_secret secret;
	struct entry **places;
	size_t n_places; /* a power of two */
	struct entry *newest, *oldest;
	size_t most, octets, count;
};

/* --- where a name is */

uint64_t mr_dns_hash(const struct mr_dns_secret *secret, const char *name,
	enum mr_dns_type type)
{
	return mr_siphash(secret->key, (uint64_t)type, name);
}

/* --- the table */

struct mr_dns_cache *mr_dns_cache_new(
	size_t most_octets, const struct mr_dns_secret *secret)
{
	struct mr_dns_cache *cache = mr_calloc(1, sizeof(*cache));

	cache->secret = *secret;
	cache->n_places = LEAST_PLACES;
	while (cache->n_places < most_octets / OCTETS_A_PLACE)
		cache->n_places *= 2;
	cache->places = mr_calloc(cache->n_places, sizeof(*cache->places));
	cache->most = most_octets;
	cache->octets = cache->n_places * sizeof(*cache->places);
	return cache;
}

static struct entry **place_of(struct mr_dns_cache *cache, uint64_t hash)
{
	return &cache->places[hash & (cache->n_places - 1)];
}

static void take_from_line(struct mr_dns_cache *cache, struct entry *entry)
{
	if (entry->newer != NULL)
		entry->newer->older = entry->older;
	else
		cache->newest = entry->older;
	if (entry->older != NULL)
		entry->older->newer = entry->newer;
	else
		cache->oldest = entry->newer;
}

static void put_in_front(struct mr_dns_cache *cache, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	if (cache->newest != NULL)
		cache->newest->newer = entry;
	else
		cache->oldest = entry;
	cache->newest = entry;
}

static void forget(struct mr_dns_cache *cache, struct entry *entry)
{
	struct entry **at = place_of(cache, entry->hash);

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	take_from_line(cache, entry);
	cache->octets -= entry->octets;
	cache->count--;
	mr_dns_kept_release(entry->kept);
	free(entry);
}

static struct entry *find(struct mr_dns_cache *cache, const char *name,
	enum mr_dns_type type, uint64_t hash)
{
	struct entry *entry = *place_of(cache, hash);

	while (entry != NULL && (entry->hash != hash || entry->type != type ||
					strcmp(entry->name, name) != 0))
		entry = entry->next;
	return entry;
}

void mr_dns_cache_put(struct mr_dns_cache *cache, const char *name,
	enum mr_dns_type type, struct mr_dns_kept *kept)
{
	uint64_t hash = mr_dns_hash(&cache->secret, name, type);
	struct entry *entry = find(cache, name, type, hash);
	size_t size = sizeof(*entry) + strlen(name) + 1;
	size_t octets = size + kept->size + 2 * MALLOC_ADDS;

	if (entry != NULL)
		forget(cache, entry);
	if (octets > cache->most / 8)
		return;
	while (cache->octets + octets > cache->most && cache->oldest != NULL)
		forget(cache, cache->oldest);
	entry = mr_calloc(1, size);
	entry->hash = hash;
	entry->type = type;
	entry->octets = octets;
	strcpy(entry->name, name);
	entry->kept = kept;
	kept->references++;
	entry->next = *place_of(cache, hash);
	*place_of(cache, hash) = entry;
	put_in_front(cache, entry);
	cache->octets += octets;
	cache->count++;
}

const struct mr_dns_kept *mr_dns_cache_get(struct mr_dns_cache *cache,
	const char *name, enum mr_dns_type type, int64_t now_ms)
{
	struct entry *entry = find(
		cache, name, type, mr_dns_hash(&cache->secret, name, type));

	if (entry == NULL)
		return NULL;
	if (now_ms >= entry->kept->until_ms) {
		forget(cache, entry);
		return NULL;
	}
	take_from_line(cache, entry);
	put_in_front(cache, entry);
	return entry->kept;
}

size_t mr_dns_cache_octets(const struct mr_dns_cache *cache)
{
	return cache->octets;
}

size_t mr_dns_cache_count(const struct mr_dns_cache *cache)
{
	return cache->count;
}

void mr_dns_cache_free(struct mr_dns_cache **cache)
{
	struct mr_dns_cache *c = *cache;

	*cache = NULL;
	if (c == NULL)
		return;
	while (c->oldest != NULL)
		forget(c, c->oldest);
	free(c->places);
	free(c);
}
