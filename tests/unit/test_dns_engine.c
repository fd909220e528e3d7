/* test_dns_engine - the engine over real sockets, against a server that may be
 * hostile; see dns_peer.h for what it says to which name. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/dns_world.h"

#include <dirent.h>
#include <sys/resource.h>

/* Since the last time. */
static unsigned questions(struct world *w)
{
	unsigned all = 0;

	for (size_t i = 0; i < w->n; i++)
		all += atomic_exchange(&w->peers[i]->questions, 0);
	return all;
}

static int begin(void **state)
{
	return begin_with(state, 1);
}

static const struct {
	const char *name;
	int64_t patience_ms;
	enum mr_lookup want;
	unsigned questions; /* 0: any number */
	const char *why;
} live_rows[] = {
	{ "fine.example", 2000, MR_FOUND, 1, "" },
	{ "nxdomain.example", 2000, MR_NOTFOUND, 1, "" },
	{ "nodata.example", 2000, MR_NOTFOUND, 1, "" },
	{ "servfail.example", 2000, MR_TEMPFAIL, 1, "SERVFAIL" },
	{ "second.example", 2000, MR_FOUND, 2, "" },
	{ "truncated.example", 2000, MR_FOUND, 1, "" },
	{ "cut.example", 2000, MR_FOUND, 1, "" },
	{ "referral.example", 2000, MR_TEMPFAIL, 1, "does not recurse" },
	{ "tcpdies.example", 2000, MR_TEMPFAIL, 1, "TCP" },
	{ "tcphangs.example", 300, MR_TEMPFAIL, 1, "no answer" },
	{ "storm.example", 2000, MR_FOUND, 1, "" },
	{ "forged.example", 2000, MR_NOTFOUND, 1, "" },
	{ "alias.example", 2000, MR_FOUND, 1, "" },
	{ "silent.example", 700, MR_TEMPFAIL, 0, "no answer" },
	{ "wrongid.example", 200, MR_TEMPFAIL, 0, "no answer" },
	{ "wrongname.example", 200, MR_TEMPFAIL, 0, "no answer" },
	{ "wrongport.example", 200, MR_TEMPFAIL, 0, "no answer" },
	{ "question.example", 200, MR_TEMPFAIL, 0, "no answer" },
	{ "garbage.example", 200, MR_TEMPFAIL, 0, "no answer" },
	{ "short.example", 200, MR_TEMPFAIL, 0, "no answer" },
	{ "slow.example", 100, MR_TEMPFAIL, 0, "no answer" },
	{ "fine.example", 0, MR_FOUND, 0, "" }, /* cached: no wait at all */
};

static void test_live(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(live_rows) / sizeof(live_rows[0]); i++) {
		struct asked got =
			ask(w, live_rows[i].name, live_rows[i].patience_ms);
		unsigned n = questions(w);

		if (got.found != live_rows[i].want ||
			strstr(got.why, live_rows[i].why) == NULL)
			fail_msg("%s: got %d \"%s\", want %d \"%s\"",
				live_rows[i].name, got.found, got.why,
				live_rows[i].want, live_rows[i].why);
		if (live_rows[i].questions != 0 && n != live_rows[i].questions)
			fail_msg("%s: asked %u times, want %u",
				live_rows[i].name, n, live_rows[i].questions);
		if (got.took_ms > live_rows[i].patience_ms + 500)
			fail_msg("%s: took %d ms", live_rows[i].name,
				(int)got.took_ms);
	}
}

static void test_answers(void **state)
{
	struct world *w = *state;
	struct asked got = ask(w, "alias.example", 2000);

	assert_int_equal(got.n, 1);
	assert_int_equal(got.ttl, 20);
	got = ask(w, "truncated.example", 2000);
	assert_int_equal(got.n, 20);
	got = ask(w, "nodata.example", 2000);
	assert_true(got.exists);
	got = ask(w, "nxdomain.example", 2000);
	assert_false(got.exists);
	assert_int_equal(got.ttl, 30);
}

/* How often it was asked after so many seconds of the cache's clock. */
static const struct {
	const char *name;
	int after_s;
	unsigned want;
} expiry_rows[] = {
	{ "fine.example", 0, 1 },
	{ "fine.example", 59, 0 },
	{ "fine.example", 1, 1 },
	{ "nxdomain.example", 0, 1 },
	{ "nxdomain.example", 29, 0 },
	{ "nxdomain.example", 1, 1 },
	{ "nodata.example", 0, 1 },
	{ "nodata.example", 29, 0 },
	{ "nodata.example", 1, 1 },
	{ "barenxdomain.example", 0, 1 },
	{ "barenxdomain.example", 9, 0 },
	{ "barenxdomain.example", 1, 1 },
	{ "servfail.example", 0, 1 },
	{ "servfail.example", 4, 0 },
	{ "servfail.example", 1, 1 },
	{ "alias.example", 0, 1 },
	{ "alias.example", 19, 0 },
	{ "alias.example", 1, 1 },
};

static void test_expiry(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(expiry_rows) / sizeof(expiry_rows[0]);
		i++) {
		unsigned n;

		atomic_fetch_add(&cache_clock, expiry_rows[i].after_s * 1000);
		ask(w, expiry_rows[i].name, 2000);
		n = questions(w);
		if (n != expiry_rows[i].want)
			fail_msg("row %zu, %s: asked %u times, want %u", i,
				expiry_rows[i].name, n, expiry_rows[i].want);
	}
}

static void test_ids_and_ports_vary(void **state)
{
	struct world *w = *state;
	unsigned ports[20], ids[20], n_ports = 0, n_ids = 0;

	for (int i = 0; i < 20; i++) {
		unsigned port, id, j;
		char name[32];

		snprintf(name, sizeof(name), "n%d.example", i);
		assert_int_equal(ask(w, name, 2000).found, MR_FOUND);
		port = atomic_load(&w->peers[0]->last_port);
		id = atomic_load(&w->peers[0]->last_id);
		for (j = 0; j < n_ports && ports[j] != port; j++)
			;
		if (j == n_ports)
			ports[n_ports++] = port;
		for (j = 0; j < n_ids && ids[j] != id; j++)
			;
		if (j == n_ids)
			ids[n_ids++] = id;
	}
	assert_in_range(n_ports, 15, 20);
	assert_in_range(n_ids, 15, 20);
}

static void test_equal_ones_are_asked_once(void **state)
{
	struct world *w = *state;
	struct asker sum = ask_together(w, 30, 1, "slow.example", 3000);

	assert_int_equal(sum.found, 30);
	assert_int_equal(questions(w), 1);
}

static void test_prefetch(void **state)
{
	struct world *w = *state;
	int64_t start = mr_clock_ms();

	for (int i = 0; i < 10; i++)
		mr_dns_engine.prefetch(w->engine, "slow.example", MR_DNS_A);
	assert_in_range(mr_clock_ms() - start, 0, 100);
	assert_int_equal(ask(w, "slow.example", 2000).found, MR_FOUND);
	mr_dns_engine.prefetch(w->engine, "slow.example", MR_DNS_A);
	assert_int_equal(ask(w, "slow.example", 0).found, MR_FOUND);
	assert_int_equal(questions(w), 1);
	/* who does not wait has asked, too */
	start = mr_clock_ms();
	for (int i = 0; i < 10; i++)
		assert_int_equal(
			ask(w, "slow.example.net", 0).found, MR_TEMPFAIL);
	assert_in_range(mr_clock_ms() - start, 0, 100);
	assert_int_equal(ask(w, "slow.example.net", 2000).found, MR_FOUND);
	assert_int_equal(questions(w), 1);
	/* and closing while one is under way */
	mr_dns_engine.prefetch(w->engine, "silent.example", MR_DNS_A);
}

static void test_many_at_once(void **state)
{
	struct world *w = *state;
	int64_t start = mr_clock_ms();
	struct asker sum;

	atomic_store(&w->peers[0]->delay_ms, 20);
	sum = ask_together(w, 50, 40, NULL, 5000);
	print_message("50 threads, 2000 questions of 20 ms: %d ms, the longest "
		      "%d ms\n",
		(int)(mr_clock_ms() - start), (int)sum.longest_ms);
	if (sum.failed > 0)
		fail_msg("%u failed: %s", sum.failed, sum.why);
	assert_in_range(questions(w), 2000, 2100);
}

/* Answers leave the cache while others are told them. */
static void test_small_cache(void **state)
{
	struct world *w = *state;
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns_status status;
	struct asker sum;

	mr_dns_engine.close(w->engine);
	w->cache = 65536;
	open_engine(w);
	for (int i = 0; i < 3; i++) {
		sum = ask_together(w, 20, 50, NULL, 5000);
		if (sum.failed > 0)
			fail_msg("%u failed: %s", sum.failed, sum.why);
	}
	mr_dns_engine.status(w->engine, arena, &status);
	assert_in_range(status.cached, 100, 300);
	assert_in_range(status.cache_octets, 60000, 65536);
	mr_arena_free(&arena);
}

static unsigned count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 3;
}

/* More than there are sockets for. */
static void test_flood(void **state)
{
	struct world *w = *state;
	unsigned before = count_descriptors(), most = 0;
	struct rlimit old, few;
	char name[32];

	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = 128;
	setrlimit(RLIMIT_NOFILE, &few);
	atomic_store(&w->peers[0]->delay_ms, 5);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "f%d.example", i);
		mr_dns_engine.prefetch(w->engine, name, MR_DNS_A);
	}
	for (int i = 0; i < 2000; i++) {
		unsigned now = i % 50 == 0 ? count_descriptors() : 0;
		struct asked got;

		most = now > most ? now : most;
		snprintf(name, sizeof(name), "f%d.example", i);
		got = ask(w, name, 5000);
		if (got.found != MR_FOUND)
			fail_msg("%s: %s", name, got.why);
	}
	setrlimit(RLIMIT_NOFILE, &old);
	assert_in_range(most, before, before + 64 + 8);
}

static void test_too_many(void **state)
{
	struct world *w = *state;
	struct asked got = { .found = MR_FOUND };
	int64_t start = mr_clock_ms();
	char name[32];

	atomic_store(&w->peers[0]->dead, true);
	for (int i = 0; i < 8192; i++) {
		snprintf(name, sizeof(name), "t%d.example", i);
		mr_dns_engine.prefetch(w->engine, name, MR_DNS_A);
	}
	if (mr_clock_ms() - start < 4000)
		got = ask(w, "more.example", 2000);
	assert_int_equal(got.found, MR_TEMPFAIL);
	assert_non_null(strstr(got.why, "under way"));
	assert_in_range(got.took_ms, 0, 500);
}

static void test_alike(void **state)
{
	const char *servers[] = { "192.0.2.1", "192.0.2.1:53", "192.0.2.2" };
	void *engines[3];
	struct mr_error error;

	(void)state;
	for (int i = 0; i < 3; i++) {
		const struct mr_dns_settings settings = { .servers = { 1,
								  &servers[i] },
			.timeout = 5,
			.cache = 65536 };

		assert_int_equal(mr_dns_engine_open(&settings, read_clock,
					 &engines[i], &error),
			0);
	}
	assert_true(mr_dns_engine.alike(engines[0], engines[1]));
	assert_false(mr_dns_engine.alike(engines[0], engines[2]));
	for (int i = 0; i < 3; i++)
		mr_dns_engine.close(engines[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(begin, test_live),
		WITH(begin, test_answers),
		WITH(begin, test_expiry),
		WITH(begin, test_ids_and_ports_vary),
		WITH(begin, test_equal_ones_are_asked_once),
		WITH(begin, test_prefetch),
		WITH(begin, test_many_at_once),
		WITH(begin, test_small_cache),
		WITH(begin, test_flood),
		WITH(begin, test_too_many),
		cmocka_unit_test(test_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
