/* dns_world - an engine and its servers, and many who ask at once. */
/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_DNS_WORLD_H
#define TESTS_UNIT_DNS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/config/sections.h"
#include "common/lookup/dns_source.h"
#include "tests/unit/dns_peer.h"

/* What the cache goes by. */
static atomic_llong cache_clock;

static int64_t read_clock(void)
{
	return atomic_load(&cache_clock);
}

struct world {
	struct peer *peers[2];
	size_t n;
	uint64_t cache; /* octets */
	void *engine;
};

static void open_engine(struct world *w)
{
	const char *names[2] = { w->peers[0]->name,
		w->n > 1 ? w->peers[1]->name : NULL };
	const struct mr_dns_settings settings = {
		.servers = { w->n, names }, .timeout = 5, .cache = w->cache
	};
	struct mr_error error;

	if (mr_dns_engine_open(&settings, read_clock, &w->engine, &error) < 0)
		fail_msg("%s", error.text);
}

static int begin_with(void **state, size_t n)
{
	struct world *w = mr_calloc(1, sizeof(*w));

	w->n = n;
	w->cache = 16 * 1024 * 1024;
	for (size_t i = 0; i < n; i++)
		w->peers[i] = peer_begin();
	open_engine(w);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	mr_dns_engine.close(w->engine);
	for (size_t i = 0; i < w->n; i++)
		peer_end(w->peers[i]);
	free(w);
	return 0;
}

struct asked {
	enum mr_lookup found;
	size_t n;
	bool exists;
	uint32_t ttl;
	int64_t took_ms;
	char why[256];
};

static struct asked ask(struct world *w, const char *name, int64_t patience_ms)
{
	struct mr_arena *arena = mr_arena_new(0);
	int64_t start = mr_clock_ms();
	struct mr_dns_answer answer = { 0 };
	struct mr_error error = { "" };
	struct asked asked = { 0 };

	asked.found = mr_dns_engine.ask(w->engine, arena, name, MR_DNS_A,
		start + patience_ms, &answer, &error);
	asked.took_ms = mr_clock_ms() - start;
	asked.n = answer.n;
	asked.exists = answer.exists;
	asked.ttl = answer.ttl;
	snprintf(asked.why, sizeof(asked.why), "%s",
		asked.found == MR_TEMPFAIL ? error.text : "");
	mr_arena_free(&arena);
	return asked;
}

struct asker {
	struct world *w;
	pthread_t thread;
	const char *name; /* NULL: names of its own */
	unsigned number, times;
	int64_t patience_ms;
	unsigned found, failed;
	int64_t longest_ms;
	char why[256];
};

static void *ask_on(void *context)
{
	struct asker *a = context;

	for (unsigned i = 0; i < a->times; i++) {
		struct asked got;
		char name[64];

		snprintf(name, sizeof(name), "a%u.b%u.example", i, a->number);
		got = ask(
			a->w, a->name == NULL ? name : a->name, a->patience_ms);
		if (got.found == MR_FOUND)
			a->found++;
		else
			a->failed++;
		if (got.found == MR_TEMPFAIL)
			memcpy(a->why, got.why, sizeof(a->why));
		if (got.took_ms > a->longest_ms)
			a->longest_ms = got.took_ms;
	}
	return NULL;
}

/* The sum of what `n` threads saw. */
static struct asker ask_together(struct world *w, unsigned n, unsigned times,
	const char *name, int64_t patience_ms)
{
	struct asker *askers = mr_calloc(n, sizeof(*askers)), sum = { 0 };

	for (unsigned i = 0; i < n; i++) {
		askers[i] = (struct asker){ .w = w,
			.name = name,
			.number = i,
			.times = times,
			.patience_ms = patience_ms };
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_on,
					 &askers[i]),
			0);
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(askers[i].thread, NULL);
		sum.found += askers[i].found;
		sum.failed += askers[i].failed;
		if (askers[i].longest_ms > sum.longest_ms)
			sum.longest_ms = askers[i].longest_ms;
		if (askers[i].failed > 0)
			memcpy(sum.why, askers[i].why, sizeof(sum.why));
	}
	free(askers);
	return sum;
}

#define WITH(begin, test) cmocka_unit_test_setup_teardown(test, begin, end)

#endif
