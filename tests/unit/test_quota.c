/* test_quota - what fits, the levels of warnings, and the record of a user */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/units.h"
#include "common/mailbox/quota.h"

#define ALL MR_UNLIMITED

static void test_fits(void **state)
{
	static const struct {
		const char *name;
		uint64_t limit, used, added;
		bool want;
	} cases[] = {
		{ "empty", 100, 0, 100, true },
		{ "one too many", 100, 0, 101, false },
		{ "to the brim", 100, 99, 1, true },
		{ "over already", 100, 101, 0, false },
		{ "nothing is no more", 100, 100, 0, true },
		{ "no limit", ALL, ALL, ALL, true },
		{ "a limit of nothing", 0, 0, 1, false },
		{ "no overflow", ALL - 1, ALL - 2, ALL, false },
		{ "no overflow of used", 100, ALL, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_number(cases[i].name,
			mr_quota_fits(
				cases[i].limit, cases[i].used, cases[i].added),
			cases[i].want);
	expect_number("extended", (long long)mr_quota_extended(100, 25), 125);
	expect_number("extended without end",
		mr_quota_extended(100, ALL) == ALL &&
			mr_quota_extended(ALL, 1) == ALL &&
			mr_quota_extended(ALL - 1, 1) == ALL,
		1);
	expect_done();
}

static void test_levels(void **state)
{
	static const int64_t levels[] = { 80, 95 };
	static const struct {
		uint64_t limit, used;
		size_t count;
		int level, percent;
	} cases[] = {
		{ 1000, 0, 2, 0, 0 },
		{ 1000, 799, 2, 0, 79 },
		{ 1000, 800, 2, 80, 80 },
		{ 1000, 949, 2, 80, 94 },
		{ 1000, 950, 2, 95, 95 },
		{ 1000, 5000, 2, 95, 500 },
		{ 1000, 1000, 0, 0, 100 },
		{ 0, 0, 2, 95, 100 },
		{ 0, 1, 2, 95, 9999 },
		{ ALL, ALL, 2, 0, 0 },
		{ 1, ALL, 2, 95, 9999 },
		{ INT64_MAX, INT64_MAX, 2, 95, 100 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%llu of %llu",
			(unsigned long long)cases[i].used,
			(unsigned long long)cases[i].limit);
		expect_number(name,
			mr_quota_level(cases[i].limit, cases[i].used, levels,
				cases[i].count),
			cases[i].level);
		expect_number(name,
			mr_quota_percent(cases[i].limit, cases[i].used),
			cases[i].percent);
	}
	expect_done();
}

/* Pads to the size of a record. */
static void pad(char line[MR_USAGE_SIZE], const char *text)
{
	memset(line, ' ', MR_USAGE_SIZE - 1);
	line[MR_USAGE_SIZE - 1] = '\n';
	memcpy(line, text, strlen(text));
}

static void test_record(void **state)
{
	static const struct mr_usage good[] = {
		{ 0, 0, 0, 0 },
		{ 123456789, 80, 1795632000, 1795632001 },
		{ UINT64_MAX, 100, INT64_MAX, UINT32_MAX },
	};
	static const char *const bad[] = {
		"",
		"1",
		"1 1",
		"1 1 1",
		"0 1 1 1",
		"2 1 1 1",
		"3 1 1 1 1",
		"2 1 1 1 4294967296",
		"2 1 1 1 1 1",
		"2 1 1 1 -1",
		"1 -1 1 1",
		"1 1 101 1",
		"1 18446744073709551616 1 1",
		"1 1 1 9223372036854775808",
		"1 1 1 1 1",
		"1 1 1 1x",
		"1\t1 1 1",
		" 1 1 1 1",
		"1 1 1 1\n",
	};
	struct mr_usage usage;
	char line[MR_USAGE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		mr_usage_format(&good[i], line);
		assert_true(mr_usage_parse(line, sizeof(line), &usage));
		expect_number("bytes", usage.bytes == good[i].bytes, 1);
		expect_number("level", usage.level, good[i].level);
		expect_number("scanned", usage.scanned, good[i].scanned);
		expect_number("counted", usage.counted, good[i].counted);
	}
	pad(line, "1 5 80 7");
	expect_number(
		"older", mr_usage_parse(line, sizeof(line), &usage), true);
	expect_number("older bytes", (int64_t)usage.bytes, 5);
	expect_number("older scan", usage.scanned, 7);
	expect_number("older count", usage.counted, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		pad(line, bad[i]);
		expect_number(bad[i],
			mr_usage_parse(line, sizeof(line), &usage), false);
		/* so that the mailbox is counted */
		expect_number(bad[i], usage.bytes == UINT64_MAX, 1);
		expect_number(bad[i], usage.level, 0);
	}
	mr_usage_format(&good[1], line);
	expect_number(
		"short", mr_usage_parse(line, sizeof(line) - 1, &usage), false);
	expect_number("nothing", mr_usage_parse(line, 0, &usage), false);
	expect_done();
}

static void test_without_a_count(void **state)
{
	enum { NOW = 1795632000 };
	static const struct {
		uint64_t bytes, limit;
		int64_t counted;
		int suffices;
	} rows[] = {
		{ 0, 100, NOW, true },
		{ 50, 100, NOW, true },
		{ 51, 100, NOW, false },
		{ 0, 0, NOW, true },
		{ 1, 1, NOW, false },
		{ UINT64_MAX, 100, NOW, false },
		{ 0, MR_UNLIMITED, NOW, false },
		{ 50, 100, NOW - MR_USAGE_TRUSTED_S + 1, true },
		{ 50, 100, NOW - MR_USAGE_TRUSTED_S, false },
		{ 50, 100, NOW + 1, false },
		{ 50, 100, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct mr_usage usage = { .bytes = rows[i].bytes,
			.counted = (uint32_t)rows[i].counted };
		char name[16];

		snprintf(name, sizeof(name), "row %zu", i);
		expect_number(name,
			mr_usage_suffices(&usage, rows[i].limit, NOW),
			rows[i].suffices);
	}
	expect_done();
}

static void test_userdb_fields(void **state)
{
	static const struct {
		const char *field;
		int rule, size;
	} rows[] = {
		{ "quota_rule=*:storage=1G", true, false },
		{ "quota_rule2=?:bytes=5", true, false },
		{ "quota_rule=Trash:storage=1G", false, false },
		{ "quota_rule=*:messages=5", false, false },
		{ "quota_rule", false, false },
		{ "quota_storage_size=1G", false, true },
		{ "quota/User quota/quota_storage_size=1G", false, true },
		{ "my_quota_storage_size=1G", false, false },
		{ "quota_storage_size", false, false },
		{ "home=/x", false, false },
		{ "", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_number(rows[i].field, mr_quota_is_rule(rows[i].field),
			rows[i].rule);
		expect_number(rows[i].field, mr_quota_is_size(rows[i].field),
			rows[i].size);
	}
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_without_a_count),
		cmocka_unit_test(test_userdb_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
