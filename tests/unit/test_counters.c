/* test_counters - windows, bounds, what is saved, and clocks that jump. */
/* SPDX-License-Identifier: ISC */
#include "policyd/counters.h"
#include "common/config/sections.h"
#include "tests/unit/expect.h"

#include <stdlib.h>

enum { HOUR = 3600, HOUR_MS = HOUR * 1000 };

static struct mr_rate_key key_of(
	enum mr_rate_kind kind, enum mr_rate_measure measure, const char *name)
{
	return (struct mr_rate_key){ kind, measure, HOUR, name };
}

/* --- one window of an hour; times in minutes */

static const struct {
	const char *name;
	int64_t minute;
	uint64_t amount, sum; /* sum: before the amount is added */
} window[] = {
	{ "nothing yet", 600, 10, 0 },
	{ "at once", 600, 10, 10 },
	{ "in the same piece", 630, 20, 20 },
	{ "at its end", 659, 0, 40 },
	{ "half of the piece before", 690, 0, 20 },
	{ "and a quarter, and what is new", 705, 4, 10 },
	{ "which counts whole", 705, 0, 14 },
	{ "of that piece two thirds are left", 740, 0, 2 },
	{ "a long pause", 1000, 5, 0 },
	{ "begins anew", 1059, 0, 5 },
	{ NULL, 0, 0, 0 },
};

static void test_window(void **state)
{
	struct mr_counters *c = mr_counters_new(MR_COUNTERS_MOST);
	struct mr_rate_key key =
		key_of(MR_RATE_LOGIN, MR_RATE_MESSAGES, "ann@a.example");

	(void)state;
	for (size_t i = 0; window[i].name != NULL; i++) {
		int64_t now = window[i].minute * 60 * 1000;

		expect_number(window[i].name,
			(long long)mr_counters_sum(c, &key, now),
			(long long)window[i].sum);
		if (window[i].amount > 0)
			mr_counters_add(c, &key, window[i].amount, 100, now);
	}
	mr_counters_free(&c);
	expect_done();
}

/* The caller's time is CLOCK_BOOTTIME; even so, one that goes backwards holds
 * nobody up for longer and forgets nothing. */
static void test_backwards(void **state)
{
	struct mr_counters *c = mr_counters_new(MR_COUNTERS_MOST);
	struct mr_rate_key key =
		key_of(MR_RATE_LOGIN, MR_RATE_MESSAGES, "ann@a.example");

	(void)state;
	mr_counters_add(c, &key, 7, 100, 10 * (int64_t)HOUR_MS);
	expect_number("an hour back",
		(long long)mr_counters_sum(c, &key, 9 * (int64_t)HOUR_MS), 7);
	expect_number(
		"to the start", (long long)mr_counters_sum(c, &key, 0), 7);
	expect_number("two windows on",
		(long long)mr_counters_sum(c, &key, 12 * (int64_t)HOUR_MS), 0);
	mr_counters_free(&c);
	expect_done();
}

static void test_apart(void **state)
{
	struct mr_counters *c = mr_counters_new(MR_COUNTERS_MOST);
	struct mr_rate_key ours =
		key_of(MR_RATE_LOGIN, MR_RATE_MESSAGES, "a.example");
	struct mr_rate_key kind =
		key_of(MR_RATE_SENDER_DOMAIN, MR_RATE_MESSAGES, "a.example");
	struct mr_rate_key measure =
		key_of(MR_RATE_LOGIN, MR_RATE_BYTES, "a.example");
	struct mr_rate_key seconds = ours, name = ours;

	(void)state;
	seconds.seconds = 60;
	name.name = "b.example";
	mr_counters_add(c, &ours, UINT64_MAX - 1, 100, 1000);
	mr_counters_add(c, &ours, 5, 100, 1000);
	expect_number("does not run over",
		mr_counters_sum(c, &ours, 1000) == UINT64_MAX, 1);
	expect_number("kind", (long long)mr_counters_sum(c, &kind, 1000), 0);
	expect_number(
		"measure", (long long)mr_counters_sum(c, &measure, 1000), 0);
	expect_number(
		"window", (long long)mr_counters_sum(c, &seconds, 1000), 0);
	expect_number("name", (long long)mr_counters_sum(c, &name, 1000), 0);
	mr_counters_free(&c);
	expect_done();
}

static void test_news(void **state)
{
	struct mr_counters *c = mr_counters_new(MR_COUNTERS_MOST);
	struct mr_rate_key key =
		key_of(MR_RATE_LOGIN, MR_RATE_MESSAGES, "ann@a.example");

	(void)state;
	expect_number("unknown", mr_counters_is_news(c, &key, 1000), false);
	mr_counters_add(c, &key, 7, 5, 1000);
	expect_number("first", mr_counters_is_news(c, &key, 1000), true);
	expect_number("again", mr_counters_is_news(c, &key, 2000), false);
	mr_counters_add(c, &key, 7, 5, 3000);
	expect_number("more", mr_counters_is_news(c, &key, 4000), false);
	expect_number("next window",
		mr_counters_is_news(c, &key, 1000 + HOUR_MS), true);
	mr_counters_free(&c);
	expect_done();
}

/* --- bounds */

enum { ROOM = 20 * 1000, MANY = 1000 };

static void add_numbered(
	struct mr_counters *c, enum mr_rate_kind kind, int i, int64_t now)
{
	char name[32];
	struct mr_rate_key key = key_of(kind, MR_RATE_MESSAGES, name);

	snprintf(name, sizeof(name), "x%04d.example", i);
	mr_counters_add(c, &key, 1, 100, now);
}

static long long sum_numbered(
	struct mr_counters *c, enum mr_rate_kind kind, int i, int64_t now)
{
	char name[32];
	struct mr_rate_key key = key_of(kind, MR_RATE_MESSAGES, name);

	snprintf(name, sizeof(name), "x%04d.example", i);
	return (long long)mr_counters_sum(c, &key, now);
}

static void test_bound(void **state)
{
	struct mr_counters *c = mr_counters_new(ROOM);
	struct mr_counters_status status;

	(void)state;
	add_numbered(c, MR_RATE_LOGIN, 0, 1000);
	for (int i = 0; i < MANY; i++) {
		add_numbered(c, MR_RATE_SENDER_DOMAIN, i, 1000);
		add_numbered(c, MR_RATE_SENDER_DOMAIN, 0, 1000);
	}
	status = mr_counters_status(c);
	expect_number("within its room", status.octets <= ROOM + 200, true);
	expect_number("not wasted", status.octets > ROOM * 9 / 10, true);
	expect_number("dropped", (long long)(status.count + status.dropped),
		MANY + 1);
	expect_number("a login is not pushed out",
		sum_numbered(c, MR_RATE_LOGIN, 0, 1000), 1);
	expect_number("nor what goes on",
		sum_numbered(c, MR_RATE_SENDER_DOMAIN, 0, 1000), MANY + 1);
	expect_number("the newest is there",
		sum_numbered(c, MR_RATE_SENDER_DOMAIN, MANY - 1, 1000), 1);
	expect_number("the oldest is not",
		sum_numbered(c, MR_RATE_SENDER_DOMAIN, 1, 1000), 0);
	mr_counters_free(&c);
	expect_done();
}

/* --- for status and store */

static void test_top(void **state)
{
	static const struct {
		const char *name;
		uint64_t amount, limit;
	} rows[] = {
		{ "low@a.example", 10, 100 },
		{ "high@a.example", 99, 100 },
		{ "over@a.example", 5, 2 },
		{ "much@a.example", 500, 1000 },
	};
	struct mr_counters *c = mr_counters_new(MR_COUNTERS_MOST);
	struct mr_counter top[3];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mr_rate_key key =
			key_of(MR_RATE_LOGIN, MR_RATE_MESSAGES, rows[i].name);

		mr_counters_add(c, &key, rows[i].amount, rows[i].limit, 1000);
	}
	n = mr_counters_top(c, 1000, top, 3);
	assert_int_equal(n, 3);
	expect_text("first", top[0].key.name, "over@a.example");
	expect_text("second", top[1].key.name, "high@a.example");
	expect_text("third", top[2].key.name, "much@a.example");
	expect_number("its sum", (long long)top[2].sum, 500);
	for (size_t i = 0; i < n; i++)
		free((char *)top[i].key.name);
	expect_number("over and gone",
		(long long)mr_counters_top(
			c, 1000 + 2 * (int64_t)HOUR_MS, top, 3),
		0);
	mr_counters_free(&c);
	expect_done();
}

struct copies {
	struct mr_counters *into;
	int64_t passed_ms, now_ms;
	unsigned n;
};

static void copy(void *context, const struct mr_counter *counter)
{
	struct copies *copies = context;
	struct mr_counter saved = *counter;

	saved.age_ms += copies->passed_ms;
	mr_counters_load(copies->into, &saved, copies->now_ms);
	copies->n++;
}

/* A host that was off for half an hour and has been up for a minute. */
static void test_store(void **state)
{
	struct mr_counters *c = mr_counters_new(MR_COUNTERS_MOST);
	struct copies copies = { mr_counters_new(MR_COUNTERS_MOST), HOUR_MS / 2,
		60 * 1000, 0 };
	int64_t now = 10 * (int64_t)HOUR_MS;

	(void)state;
	for (int i = 0; i < 10; i++)
		add_numbered(c, MR_RATE_LOGIN, i, now);
	expect_number("at most so many",
		(long long)mr_counters_changed(c, now, 4, copy, &copies), 4);
	expect_number("the rest",
		(long long)mr_counters_changed(c, now, 100, copy, &copies), 6);
	expect_number("nothing new",
		(long long)mr_counters_changed(c, now, 100, copy, &copies), 0);
	add_numbered(c, MR_RATE_LOGIN, 3, now);
	expect_number("one changed",
		(long long)mr_counters_changed(c, now, 100, copy, &copies), 1);
	expect_number("told of", copies.n, 11);
	expect_number("it is back",
		sum_numbered(copies.into, MR_RATE_LOGIN, 9, copies.now_ms), 1);
	expect_number("nothing is put back twice",
		sum_numbered(copies.into, MR_RATE_LOGIN, 3, copies.now_ms), 1);
	expect_number("nor saved again",
		(long long)mr_counters_changed(
			copies.into, copies.now_ms, 100, copy, &copies),
		0);
	expect_number("and ends when it should",
		sum_numbered(copies.into, MR_RATE_LOGIN, 9,
			copies.now_ms + HOUR_MS * 3 / 2),
		0);
	mr_counters_free(&copies.into);
	mr_counters_free(&c);
	expect_done();
}

static void test_load_odd(void **state)
{
	static const struct {
		const char *name;
		struct mr_counter counter;
	} rows[] = {
		{ "too old", { .key = { 0, 0, HOUR, "a" },
				     .current = 9,
				     .age_ms = 2 * HOUR_MS } },
		{ "from the future", { .key = { 0, 0, HOUR, "a" },
					     .current = 9,
					     .age_ms = -1 } },
		{ "no such kind",
			{ .key = { 9, 0, HOUR, "a" }, .current = 9 } },
		{ "no such measure",
			{ .key = { 0, 7, HOUR, "a" }, .current = 9 } },
		{ "no window", { .key = { 0, 0, 0, "a" }, .current = 9 } },
		{ "an endless one",
			{ .key = { 0, 0, INT64_MAX, "a" }, .current = 9 } },
	};
	struct mr_counters *c = mr_counters_new(MR_COUNTERS_MOST);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mr_counters_load(c, &rows[i].counter, 1000);
		expect_number(rows[i].name,
			(long long)mr_counters_status(c).count, 0);
	}
	mr_counters_free(&c);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_load_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
