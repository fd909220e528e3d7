/* test_clock - the line of a mark, when it may move, and what is near */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "common/mailbox/clock.h"

#define ID "12ccd92c-9ef5-452d-812a-bf95ae489c43"
#define OTHER_ID "22ccd92c-9ef5-452d-812a-bf95ae489c43"
#define DAY 86400
#define LINE(text) text, sizeof(text) - 1

static void test_line(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		int64_t wall, boottime; /* wall -1: refused */
	} cases[] = {
		{ LINE("1 1795632000 86400 " ID "\n"), 1795632000, 86400 },
		{ LINE("1 0 0 " ID "\n"), 0, 0 },
		{ LINE("1 253402300799 253402300799 " ID "\n"), MR_CLOCK_LAST,
			MR_CLOCK_LAST },
		{ LINE(""), -1, 0 },
		{ LINE("\n"), -1, 0 },
		{ LINE("1"), -1, 0 },
		{ LINE("1 "), -1, 0 },
		{ LINE("1 1795632000"), -1, 0 },
		{ LINE("1 1795632000 86400"), -1, 0 },
		{ LINE("1 1795632000 86400 " ID), -1, 0 },
		{ LINE("1 1795632000 86400 " ID "\r\n"), -1, 0 },
		{ LINE("1 1795632000 86400 " ID " \n"), -1, 0 },
		{ LINE("1 1795632000 86400 " ID "\n\n"), -1, 0 },
		{ LINE("1 1795632000 86400 " ID "\n1"), -1, 0 },
		{ LINE("1 1795632000 86400 " ID "\n\0"), -1, 0 },
		{ LINE("1 1795632000 86400\0" ID "\n"), -1, 0 },
		{ LINE("1 1795632000 86400 \n"), -1, 0 },
		{ LINE("1 1795632000 86400 12ccd92c\n"), -1, 0 },
		{ LINE("1 1795632000 86400 " ID "0\n"), -1, 0 },
		{ LINE("1 1 1 12CCD92C-9ef5-452d-812a-bf95ae489c43\n"), -1, 0 },
		{ LINE("1 1 1 g2ccd92c-9ef5-452d-812a-bf95ae489c43\n"), -1, 0 },
		{ LINE("1 1 1 12ccd92c-9ef5-452d-812abbf95ae489c43\n"), -1, 0 },
		{ LINE("1 1 1 -2ccd92c-9ef5-452d-812a-bf95ae489c43\n"), -1, 0 },
		{ LINE("1 1  1 " ID "\n"), -1, 0 },
		{ LINE("1\t1 1 " ID "\n"), -1, 0 },
		{ LINE(" 1 1 1 " ID "\n"), -1, 0 },
		{ LINE("2 1 1 " ID "\n"), -1, 0 },
		{ LINE("11 1 1 " ID "\n"), -1, 0 },
		{ LINE("1 01 1 " ID "\n"), -1, 0 },
		{ LINE("1 1 00 " ID "\n"), -1, 0 },
		{ LINE("1 -1 1 " ID "\n"), -1, 0 },
		{ LINE("1 +1 1 " ID "\n"), -1, 0 },
		{ LINE("1 1.5 1 " ID "\n"), -1, 0 },
		{ LINE("1 0x1 1 " ID "\n"), -1, 0 },
		{ LINE("1 1 253402300800 " ID "\n"), -1, 0 },
		{ LINE("1 18446744073709551617 1 " ID "\n"), -1, 0 },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_clock_mark mark = { .wall = -1 };
		struct mr_error error = { "" };
		int result = mr_clock_mark_parse(
			cases[i].text, cases[i].length, &mark, &error);

		expect_number(
			cases[i].text, result, cases[i].wall < 0 ? -1 : 0);
		expect_number(cases[i].text, mark.wall, cases[i].wall);
		if (result < 0) {
			expect_part(cases[i].text, error.text, "--clock-ok");
			continue;
		}
		expect_number(cases[i].text, mark.boottime, cases[i].boottime);
		expect_text(cases[i].text, mark.boot_id, ID);
		expect_text(cases[i].text, mr_clock_mark_format(arena, &mark),
			cases[i].text);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_longest_line(void **state)
{
	struct mr_clock_mark mark = { MR_CLOCK_LAST, MR_CLOCK_LAST, ID };
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	assert_int_equal(
		strlen(mr_clock_mark_format(arena, &mark)), MR_CLOCK_LINE);
	mr_arena_free(&arena);
}

/* The mark is of the day 20000, an hour after the start of the host. */
static void test_may_advance(void **state)
{
	static const struct {
		const char *name;
		int64_t wall, boottime; /* from the mark to now */
		const char *boot_id;
		bool synchronised;
		const char *refused; /* a part of why, or NULL */
	} cases[] = {
		{ "at once", 0, 0, ID, false, NULL },
		{ "an hour", 3600, 3600, ID, false, NULL },
		{ "a year without the timer", 365 * DAY, 365 * DAY, ID, false,
			NULL },
		{ "10 min", 4200, 3600, ID, false, NULL },
		{ "10 min back", 3000, 3600, ID, false, NULL },
		{ "more than that", 4201, 3600, ID, false,
			"moved forwards by 10 min 1 s " },
		{ "more than that back", 2999, 3600, ID, false,
			"moved back by 10 min 1 s " },
		{ "92 days", 92 * DAY + 3600, 3600, ID, false,
			"moved forwards by 92 days since " },
		{ "92 days back", -92 * DAY, 3600, ID, false,
			"moved back by 92 days 1 h since " },
		{ "92 days and NTP", 92 * DAY, 3600, ID, true, NULL },
		{ "92 days back and NTP", -92 * DAY, 3600, ID, true, NULL },
		{ "the clock stood still", 0, 3 * DAY, ID, false,
			"moved back by 3 days since " },
		{ "boottime goes back", 0, -1, ID, false, "CLOCK_BOOTTIME" },
		{ "both go back", -1, -1, ID, false, "CLOCK_BOOTTIME" },
		{ "boottime goes back and NTP", 0, -1, ID, true, NULL },
		{ "restarted", 3600, -3540, OTHER_ID, false, "restarted" },
		{ "restarted quickly", 60, -3540, OTHER_ID, false,
			"restarted" },
		{ "restarted long ago", 3600, 3600, OTHER_ID, false,
			"restarted" },
		{ "restarted back", -60, -3540, OTHER_ID, false, "restarted" },
		{ "restarted and NTP", 3600, -3540, OTHER_ID, true, NULL },
		{ "the last second there is", MR_CLOCK_LAST - 20000 * DAY, 3600,
			ID, false, "moved forwards by " },
		{ "the first", INT64_C(-20000) * DAY, 3600, ID, false,
			"moved back by 20000 days 1 h " },
	};
	const struct mr_clock_mark mark = { 20000 * INT64_C(86400), 3600, ID };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_clock_mark now = { mark.wall + cases[i].wall,
			mark.boottime + cases[i].boottime, "" };
		struct mr_error error = { "" };
		int result;

		strcpy(now.boot_id, cases[i].boot_id);
		result = mr_clock_mark_may_advance(
			&mark, &now, cases[i].synchronised, &error);
		expect_number(cases[i].name, result,
			cases[i].refused == NULL ? 0 : -1);
		if (cases[i].refused != NULL) {
			expect_part(
				cases[i].name, error.text, cases[i].refused);
			expect_part(cases[i].name, error.text,
				"run: mailreeve clock --clock-ok");
		}
		expect_number("the first mark",
			mr_clock_mark_may_advance(
				NULL, &now, cases[i].synchronised, &error),
			0);
	}
	expect_done();
}

static void test_near(void **state)
{
	static const struct {
		const char *name;
		int64_t wall, now;
		bool near;
	} cases[] = {
		{ "now", 1795632000, 1795632000, true },
		{ "2 days", 1795632000, 1795632000 + 2 * DAY, true },
		{ "2 days before", 1795632000, 1795632000 - 2 * DAY, true },
		{ "and a second", 1795632000, 1795632001 + 2 * DAY, false },
		{ "and a second before", 1795632000, 1795631999 - 2 * DAY,
			false },
		{ "1970", 0, 0, true },
		{ "before", 0, -2 * DAY, true },
		{ "never", 0, INT64_MIN, false },
		{ "ever", MR_CLOCK_LAST, INT64_MAX, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_clock_mark mark = { cases[i].wall, 0, ID };

		expect_number(cases[i].name,
			mr_clock_mark_is_near(&mark, cases[i].now),
			cases[i].near);
	}
	expect_done();
}

static void test_span(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "0 s" },
		{ 1, "1 s" },
		{ -59, "59 s" },
		{ 60, "1 min" },
		{ 61, "1 min 1 s" },
		{ 3599, "59 min 59 s" },
		{ 3600, "1 h" },
		{ 3601, "1 h" },
		{ 5400, "1 h 30 min" },
		{ DAY, "1 day" },
		{ DAY + 59, "1 day" },
		{ 2 * DAY - 1, "1 day 23 h" },
		{ -92 * DAY, "92 days" },
		{ INT64_MIN, "106751991167300 days 15 h" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_text(cases[i].text,
			mr_clock_span_format(arena, cases[i].seconds),
			cases[i].text);
	mr_arena_free(&arena);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_may_advance),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
