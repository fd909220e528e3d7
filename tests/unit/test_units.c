/* test_units - sizes, durations, dates, numbers, percentages, rates */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "common/base/units.h"

#include <inttypes.h>
#include <stdlib.h>

static void test_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t octets;
		const char *formatted; /* NULL: refused */
	} cases[] = {
		{ "0", 0, "0" },
		{ "1", 1, "1" },
		{ "25M", 25 * 1048576, "25M" },
		{ "25MB", 25 * 1048576, "25M" },
		{ "25mb", 25 * 1048576, "25M" },
		{ "26214401", 26214401, "26214401" },
		{ "26214400", 26214400, "25M" },
		{ "100B", 100, "100" },
		{ "1024K", 1048576, "1M" },
		{ "1536M", 1536ull << 20, "1536M" },
		{ "2T", 2ull << 40, "2T" },
		{ "unlimited", MR_UNLIMITED, "unlimited" },
		{ "9223372036854775807", INT64_MAX, "9223372036854775807" },
		{ "8388607T", 8388607ull << 40, "8388607T" },
		{ "8388608T", 0, NULL },
		{ "9223372036854775808", 0, NULL },
		{ "99999999999999999999999", 0, NULL },
		{ "", 0, NULL },
		{ "M", 0, NULL },
		{ "-1", 0, NULL },
		{ "+1", 0, NULL },
		{ " 1", 0, NULL },
		{ "1 M", 0, NULL },
		{ "25X", 0, NULL },
		{ "25MM", 0, NULL },
		{ "25MBB", 0, NULL },
		{ "1.5G", 0, NULL },
		{ "0x10", 0, NULL },
		{ "Unlimited", 0, NULL },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_error error = { "" };
		uint64_t octets = 0;
		int result = mr_size_parse(cases[i].text, &octets, &error);

		expect_number(cases[i].text, result,
			cases[i].formatted == NULL ? -1 : 0);
		if (result < 0) {
			expect_part(cases[i].text, error.text, "such as");
			continue;
		}
		expect_number(cases[i].text, (long long)octets,
			(long long)cases[i].octets);
		expect_text(cases[i].text, mr_size_format(arena, octets),
			cases[i].formatted);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_size_for_people(void **state)
{
	static const struct {
		uint64_t octets;
		const char *want;
	} cases[] = {
		{ 0, "0 bytes" },
		{ 1, "1 byte" },
		{ 1023, "1023 bytes" },
		{ 1024, "1 KB" },
		{ 1025, "1.1 KB" },
		{ 1023 * 1024 + 1023, "1023.9 KB" },
		{ 25 << 20, "25 MB" },
		{ (25 << 20) + 1, "25.1 MB" },
		{ (25 << 20) - 1, "24.9 MB" },
		{ (25 << 20) + 300000, "25.3 MB" },
		{ 1536ull << 20, "1.5 GB" },
		{ (1536ull << 20) + 1, "1.6 GB" },
		{ (1536ull << 20) - 1, "1.4 GB" },
		{ 1ull << 40, "1 TB" },
		{ INT64_MAX, "8388607.9 TB" },
		{ MR_UNLIMITED, "unlimited" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_text(cases[i].want,
			mr_size_for_people(arena, cases[i].octets),
			cases[i].want);
	mr_arena_free(&arena);
	expect_done();
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
		const char *formatted;
	} cases[] = {
		{ "0", 0, "0" },
		{ "0d", 0, "0" },
		{ "8s", 8, "8s" },
		{ "90s", 90, "90s" },
		{ "120s", 120, "2m" },
		{ "10m", 600, "10m" },
		{ "24h", 86400, "1d" },
		{ "92d", 92 * 86400, "92d" },
		{ "2w", 14 * 86400, "14d" },
		{ "2W", 14 * 86400, "14d" },
		{ "365243d", MR_DURATION_LONGEST, "365243d" },
		{ "365244d", 0, NULL },
		{ "9223372036854775807w", 0, NULL },
		{ "99999999999999999999s", 0, NULL },
		{ "8", 0, NULL },
		{ "", 0, NULL },
		{ "d", 0, NULL },
		{ "-1d", 0, NULL },
		{ "1d2h", 0, NULL },
		{ "1 d", 0, NULL },
		{ "3y", 0, NULL },
		{ "1ms", 0, NULL },
	};
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int result = mr_duration_parse(cases[i].text, &seconds, &error);

		expect_number(cases[i].text, result,
			cases[i].formatted == NULL ? -1 : 0);
		if (result < 0)
			continue;
		expect_number(cases[i].text, seconds, cases[i].seconds);
		expect_text(cases[i].text, mr_duration_format(arena, seconds),
			cases[i].formatted);
	}
	assert_int_equal(mr_duration_parse("8", &seconds, &error), -1);
	expect_part("no unit", error.text, "needs a unit");
	mr_arena_free(&arena);
	expect_done();
}

static void test_date(void **state)
{
	static const struct {
		const char *zone, *text, *last; /* a second of that day */
		bool good;
	} cases[] = {
		{ "UTC", "2026-12-31", "1798761599", true },
		{ "UTC", "1970-01-01", "86399", true },
		{ "UTC", "2024-02-29", "1709251199", true },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29", "1774821599",
			true },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25", "1792969199",
			true },
		{ "UTC", "2023-02-29", NULL, false },
		{ "UTC", "2100-02-29", NULL, false },
		{ "UTC", "2026-13-01", NULL, false },
		{ "UTC", "2026-00-01", NULL, false },
		{ "UTC", "2026-04-31", NULL, false },
		{ "UTC", "2026-04-00", NULL, false },
		{ "UTC", "1969-12-31", NULL, false },
		{ "UTC", "2026-4-1", NULL, false },
		{ "UTC", "31.12.2026", NULL, false },
		{ "UTC", "2026-12-31 ", NULL, false },
		{ "UTC", "20261-2-31", NULL, false },
		{ "UTC", "", NULL, false },
	};
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		time_t end = 0;
		int result;

		setenv("TZ", cases[i].zone, 1);
		tzset();
		result = mr_date_parse(cases[i].text, &end, &error);
		expect_number(cases[i].text, result, cases[i].good ? 0 : -1);
		if (result < 0)
			continue;
		expect_text(cases[i].text,
			mr_arena_printf(arena, "%lld", (long long)end - 1),
			cases[i].last);
		expect_text(cases[i].text, mr_date_format(arena, end),
			cases[i].text);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_number(void **state)
{
	static const struct {
		const char *text;
		int64_t least, most, number;
		bool good;
	} cases[] = {
		{ "0", 0, INT64_MAX, 0, true },
		{ "9223372036854775807", 0, INT64_MAX, INT64_MAX, true },
		{ "9223372036854775808", 0, INT64_MAX, 0, false },
		{ "-1", 0, INT64_MAX, 0, false },
		{ "-5", -5, 5, -5, true },
		{ "-6", -5, 5, 0, false },
		{ "65535", 1, 65535, 65535, true },
		{ "65536", 1, 65535, 0, false },
		{ "0", 1, 65535, 0, false },
		{ "", 0, 9, 0, false },
		{ "-", -9, 9, 0, false },
		{ "5 ", 0, 9, 0, false },
		{ "0x5", 0, 9, 0, false },
		{ "5.0", 0, 9, 0, false },
	};
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t number = 0;
		int result = mr_number_parse(cases[i].text, cases[i].least,
			cases[i].most, &number, &error);

		expect_number(cases[i].text, result, cases[i].good ? 0 : -1);
		if (result == 0)
			expect_number(cases[i].text, number, cases[i].number);
	}
	expect_done();
}

static void test_percent_and_rate(void **state)
{
	static const char *const bad_percents[] = { "", "%", "80", "101%",
		"-1%", "80 %", "80%%", "99999999999999999999%" };
	static const char *const bad_rates[] = { "", "5", "5 /", "/ 10m",
		"5 / 10", "5 / 0", "5 / 0s", "-5 / 1h", "5 / 1h / 2h",
		"99999999999999999999 / 1h" };
	static const char *const rates[] = { "5 / 10m", "5/10m", "5 /\t600s" };
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;
	struct mr_rate rate;
	int64_t percent;

	(void)state;
	assert_int_equal(mr_percent_parse("0%", &percent, &error), 0);
	expect_number("0%", percent, 0);
	assert_int_equal(mr_percent_parse("100%", &percent, &error), 0);
	expect_number("100%", percent, 100);
	for (size_t i = 0; i < sizeof(bad_percents) / sizeof(char *); i++)
		expect_number(bad_percents[i],
			mr_percent_parse(bad_percents[i], &percent, &error),
			-1);
	for (size_t i = 0; i < sizeof(rates) / sizeof(char *); i++) {
		assert_int_equal(mr_rate_parse(rates[i], &rate, &error), 0);
		expect_text(rates[i], mr_rate_format(arena, rate), "5 / 10m");
	}
	for (size_t i = 0; i < sizeof(bad_rates) / sizeof(char *); i++)
		expect_number(bad_rates[i],
			mr_rate_parse(bad_rates[i], &rate, &error), -1);
	mr_arena_free(&arena);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_size_for_people),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_date),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_percent_and_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
