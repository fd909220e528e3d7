/* test_dns_cache - how long answers are kept, and that the cache stays under
 * its bound; a day passes in it in seconds. */
/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/arena.h"
#include "common/lookup/dns_cache.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct mr_dns_secret secret = { { 1, 2 } };

static struct mr_dns_kept *keep(
	enum mr_lookup found, uint32_t ttl, int64_t now_ms)
{
	const struct mr_dns_record records[] = {
		{ .owner = "a.example",
			.type = MR_DNS_MX,
			.ttl = ttl,
			.preference = 10,
			.target = "mx.a.example" },
		{ .owner = "a.example",
			.type = MR_DNS_MX,
			.ttl = ttl + 5,
			.preference = 20,
			.target = NULL },
	};
	struct mr_dns_answer answer = { records, 2, true, ttl };
	struct mr_error error = { "why not" };

	if (found == MR_NOTFOUND)
		answer = (struct mr_dns_answer){ .ttl = ttl };
	return mr_dns_kept_new(found, &answer, &error, now_ms);
}

static const struct {
	enum mr_lookup found;
	uint32_t ttl;
	int64_t want_s;
} keep_rows[] = {
	{ MR_FOUND, 300, 300 },
	{ MR_FOUND, 0, 10 },
	{ MR_FOUND, 7 * 86400, 86400 },
	{ MR_FOUND, UINT32_MAX, 86400 },
	{ MR_NOTFOUND, 300, 300 },
	{ MR_NOTFOUND, 0, 10 },
	{ MR_NOTFOUND, 86400, 3600 },
	{ MR_TEMPFAIL, 0, 5 },
};

static void test_how_long(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(keep_rows) / sizeof(keep_rows[0]); i++) {
		struct mr_dns_cache *cache = mr_dns_cache_new(100000, &secret);
		struct mr_dns_kept *kept =
			keep(keep_rows[i].found, keep_rows[i].ttl, 1000);
		int64_t end_ms = 1000 + keep_rows[i].want_s * 1000;

		mr_dns_cache_put(cache, "a.example", MR_DNS_MX, kept);
		mr_dns_kept_release(kept);
		if (mr_dns_cache_get(cache, "a.example", MR_DNS_MX,
			    end_ms - 1) == NULL ||
			mr_dns_cache_get(
				cache, "a.example", MR_DNS_MX, end_ms) != NULL)
			fail_msg("%d, TTL %u: not %d s",
				(int)keep_rows[i].found, keep_rows[i].ttl,
				(int)keep_rows[i].want_s);
		assert_int_equal(mr_dns_cache_count(cache), 0);
		mr_dns_cache_free(&cache);
	}
}

static void test_what_is_told(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns_kept *kept = keep(MR_FOUND, 300, 5000);
	struct mr_dns_answer answer;
	struct mr_error error;

	(void)state;
	assert_int_equal(mr_dns_kept_tell(kept, 65999, arena, &answer, &error),
		MR_FOUND);
	mr_dns_kept_release(kept);
	assert_int_equal(answer.n, 2);
	assert_int_equal(answer.ttl, 240);
	assert_int_equal(answer.records[1].ttl, 245);
	assert_string_equal(answer.records[1].owner, "a.example");
	assert_string_equal(answer.records[0].target, "mx.a.example");
	assert_null(answer.records[1].target);
	kept = keep(MR_TEMPFAIL, 0, 5000);
	assert_int_equal(mr_dns_kept_tell(kept, 5000, arena, &answer, &error),
		MR_TEMPFAIL);
	assert_string_equal(error.text, "why not");
	assert_int_equal(answer.n, 0);
	mr_dns_kept_release(kept);
	mr_arena_free(&arena);
}

/* TXT may hold NULs. */
static void test_text(void **state)
{
	static const struct mr_dns_record record = { .owner = "t.example",
		.type = MR_DNS_TXT,
		.text = "a\0b",
		.length = 3 };
	struct mr_dns_answer answer = { &record, 1, true, 60 };
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;
	struct mr_dns_kept *kept =
		mr_dns_kept_new(MR_FOUND, &answer, &error, 0);

	(void)state;
	mr_dns_kept_tell(kept, 0, arena, &answer, &error);
	assert_int_equal(answer.records[0].length, 3);
	assert_memory_equal(answer.records[0].text, "a\0b", 4);
	mr_dns_kept_release(kept);
	mr_arena_free(&arena);
}

static void put_name(
	struct mr_dns_cache *cache, const char *name, int64_t now_ms)
{
	struct mr_dns_kept *kept = keep(MR_FOUND, 86400, now_ms);

	mr_dns_cache_put(cache, name, MR_DNS_MX, kept);
	mr_dns_kept_release(kept);
}

static void test_least_wanted_goes(void **state)
{
	struct mr_dns_cache *cache = mr_dns_cache_new(8192, &secret);
	char name[32];
	size_t most;

	(void)state;
	put_name(cache, "wanted.example", 0);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		put_name(cache, name, 0);
		assert_non_null(mr_dns_cache_get(
			cache, "wanted.example", MR_DNS_MX, 1));
		assert_null(
			mr_dns_cache_get(cache, "wanted.example", MR_DNS_A, 1));
		assert_true(mr_dns_cache_octets(cache) <= 8192);
	}
	most = mr_dns_cache_count(cache);
	assert_in_range(most, 10, 50);
	assert_null(mr_dns_cache_get(cache, "n0.example", MR_DNS_MX, 1));
	assert_non_null(mr_dns_cache_get(cache, "n99.example", MR_DNS_MX, 1));
	put_name(cache, "n99.example", 1); /* in place of the other */
	assert_int_equal(mr_dns_cache_count(cache), most);
	mr_dns_cache_free(&cache);
}

static size_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long all, resident = 0;

	if (fscanf(file, "%lu %lu", &all, &resident) != 2)
		resident = 0;
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Octets of malloc's. */
static size_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* What the DNS says of the `i`th name of the day: mostly what holds for some
 * time, of any length, and now and then a failure. */
static void put_name_of_day(struct mr_dns_cache *cache, int i)
{
	static const uint32_t ttls[] = { 30, 300, 3600, 86400 };
	static const enum mr_lookup found[] = { MR_FOUND, MR_FOUND, MR_NOTFOUND,
		MR_FOUND, MR_TEMPFAIL };
	struct mr_dns_kept *kept =
		keep(found[i % 5], ttls[i / 5 % 4], i * INT64_C(50));
	char name[256];

	snprintf(name, sizeof(name), "%x.%0*d.names.example", i * 2654435761u,
		i / 7 % 60 + 1, i);
	mr_dns_cache_put(cache, name, MR_DNS_MX, kept);
	mr_dns_kept_release(kept);
}

/* 20 new names a second for 24 hours. */
static void test_a_day(void **state)
{
	enum { BOUND = 4 * 1024 * 1024, NAMES = 20 * 24 * 3600 };
	struct mr_dns_cache *cache = mr_dns_cache_new(BOUND, &secret);
	size_t resident_once = 0, allocated_once = 0, before = resident();
	size_t at_the_end, allocated_most = 0;

	(void)state;
	for (int i = 0; i < NAMES; i++) {
		put_name_of_day(cache, i);
		assert_true(mr_dns_cache_octets(cache) <= BOUND);
		if (i == 20 * 3600) {
			resident_once = resident();
			allocated_once = allocated();
		} else if (i > 20 * 3600 && i % 1000 == 0 &&
			   allocated() > allocated_most) {
			allocated_most = allocated();
		}
	}
	at_the_end = resident();
	print_message("a day of %d names in %d octets: %zu answers, resident "
		      "+%zu KB; after the first hour %+ld KB, of malloc "
		      "%+ld KB at most\n",
		NAMES, BOUND, mr_dns_cache_count(cache),
		(at_the_end - before) / 1024,
		((long)at_the_end - (long)resident_once) / 1024,
		((long)allocated_most - (long)allocated_once) / 1024);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_true(at_the_end < before + BOUND + BOUND / 2);
	assert_true(at_the_end < resident_once + BOUND / 8);
	assert_true(allocated_most < allocated_once + BOUND / 16);
#endif
	mr_dns_cache_free(&cache);
}

static void test_places_are_secret(void **state)
{
	const struct mr_dns_secret other = { { 1, 3 } };

	(void)state;
	assert_int_equal(mr_dns_hash(&secret, "a.example", MR_DNS_A),
		mr_dns_hash(&secret, "a.example", MR_DNS_A));
	assert_int_not_equal(mr_dns_hash(&secret, "a.example", MR_DNS_A),
		mr_dns_hash(&other, "a.example", MR_DNS_A));
	assert_int_not_equal(mr_dns_hash(&secret, "a.example", MR_DNS_A),
		mr_dns_hash(&secret, "a.example", MR_DNS_MX));
	assert_int_not_equal(mr_dns_hash(&secret, "abcdefg", MR_DNS_A),
		mr_dns_hash(&secret, "abcdefgh", MR_DNS_A));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_long),
		cmocka_unit_test(test_what_is_told),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_least_wanted_goes),
		cmocka_unit_test(test_a_day),
		cmocka_unit_test(test_places_are_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
