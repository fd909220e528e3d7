/* names - a day of names that nobody asked for before, through the DNS engine
 * and a server on the loopback: does its memory stay what it was?  The day
 * passes on the cache's clock, in some minutes.  Prints name=value.
 *
 * usage: names [NAMES] */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/config/sections.h"
#include "common/lookup/dns_source.h"
#include "tests/unit/dns_peer.h"

#include <malloc.h>

enum {
	NAMES = 2000 * 1000,
	DAY_MS = 24 * 60 * 60 * 1000,
	CACHE = 16 * 1024 * 1024, /* dns { cache } by default */
	TOGETHER = 256,           /* questions under way */
	FULL = CACHE / 100 * 99,  /* from then on memory should be what it will
	                             be */
};

static atomic_llong day_ms;

static int64_t read_clock(void)
{
	return atomic_load(&day_ms);
}

/* KB */
static long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long all = 0, pages = 0;

	if (file == NULL || fscanf(file, "%lu %lu", &all, &pages) != 2)
		abort();
	fclose(file);
	return (long)(pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
}

static long allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return (long)((info.uordblks + info.hblkhd) / 1024);
}

static const char *name_of(char *room, size_t size, unsigned i)
{
	/* some do not exist, some have no address */
	static const char *const firsts[] = { "nxdomain.", "nodata.", "" };

	snprintf(room, size, "%sx%08x.%u.names.example",
		firsts[i % 8 < 2 ? i % 8 : 2], i * 2654435761u, i);
	return room;
}

static unsigned ask_some(void *engine, unsigned first, unsigned end)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns_answer answer;
	struct mr_error error;
	unsigned failed = 0;
	char name[64];

	for (unsigned i = first; i < end; i++)
		mr_dns_engine.prefetch(
			engine, name_of(name, sizeof(name), i), MR_DNS_A);
	for (unsigned i = first; i < end; i++)
		failed += mr_dns_engine.ask(engine, arena,
				  name_of(name, sizeof(name), i), MR_DNS_A,
				  mr_clock_ms() + 5000, &answer,
				  &error) == MR_TEMPFAIL;
	mr_arena_free(&arena);
	return failed;
}

static size_t octets_of(void *engine, size_t *answers)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns_status status;
	size_t octets;

	mr_dns_engine.status(engine, arena, &status);
	*answers = status.cached;
	octets = status.cache_octets;
	mr_arena_free(&arena);
	return octets;
}

static void run(void *engine, unsigned names)
{
	long warm_resident = 0, warm_allocated = 0, most = 0;
	size_t most_octets = 0, answers = 0;
	int64_t start = mr_clock_ms();
	unsigned failed = 0;

	for (unsigned i = 0; i < names; i += TOGETHER) {
		unsigned end = i + TOGETHER < names ? i + TOGETHER : names;
		size_t octets;

		atomic_store(&day_ms, (int64_t)DAY_MS * i / names);
		failed += ask_some(engine, i, end);
		octets = octets_of(engine, &answers);
		if (octets > most_octets)
			most_octets = octets;
		if (most_octets < FULL || warm_resident == 0) {
			warm_resident = resident();
			warm_allocated = allocated();
		} else if (resident() > most) {
			most = resident();
		}
	}
	if (most == 0)
		most = resident();
	printf("names=%u failed=%u seconds=%.0f answers=%zu bound=%d "
	       "most_octets=%zu warm_rss_kb=%ld rss_kb=%ld most_rss_kb=%ld "
	       "warm_malloc_kb=%ld malloc_kb=%ld\n",
		names, failed, (double)(mr_clock_ms() - start) / 1000, answers,
		(int)CACHE, most_octets, warm_resident, resident(), most,
		warm_allocated, allocated());
}

int main(int argc, char **argv)
{
	struct peer *peer = peer_begin();
	const char *servers[] = { peer->name };
	const struct mr_dns_settings settings = {
		.servers = { 1, servers }, .timeout = 5, .cache = CACHE
	};
	struct mr_error error;
	void *engine;

	if (mr_dns_engine_open(&settings, read_clock, &engine, &error) < 0) {
		fprintf(stderr, "names: %s\n", error.text);
		return 1;
	}
	run(engine, argc > 1 ? (unsigned)atoi(argv[1]) : NAMES);
	mr_dns_engine.close(engine);
	peer_end(peer);
	return 0;
}
