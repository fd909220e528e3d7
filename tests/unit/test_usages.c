/* test_usages - reports of usage, whole and broken, and what is known then. */
/* SPDX-License-Identifier: ISC */
#include "policyd/report.h"
#include "policyd/store.h"
#include "policyd/usages.h"
#include "tests/unit/expect.h"
#include "tests/unit/files.h"

#include <stdlib.h>

#define HEAD "request=mailreeve_usage\n"
#define REST "bytes=5\nmessages=2\nlimit=10\n"

static const struct {
	const char *name, *text, *error; /* "": it is fine */
} reports[] = {
	{ "whole", HEAD "mailbox=ann\n" REST "\n", "" },
	{ "another order", REST "mailbox=ann\n" HEAD "\n", "" },
	{ "unknown", HEAD "x=y\nx=z\nmailbox=ann\n" REST "\n", "" },
	{ "nothing", "", "its end is missing" },
	{ "cut", HEAD "mailbox=ann\n" REST, "its end is missing" },
	{ "cut in a number", HEAD "mailbox=ann\n" REST "limit",
		"its end is missing" },
	{ "two", HEAD "mailbox=ann\n" REST "\n\n", "more behind its end" },
	{ "no =", HEAD "mailbox\n" REST "\n", "a line without =" },
	{ "twice", HEAD "mailbox=ann\nmailbox=ben\n" REST "\n",
		"mailbox is there twice" },
	{ "nobody", HEAD REST "\n", "mailbox is missing" },
	{ "an empty name", HEAD "mailbox=\n" REST "\n", "mailbox is no name" },
	{ "a blank", HEAD "mailbox=a b\n" REST "\n", "mailbox is no name" },
	{ "another request", "request=x\nmailbox=ann\n" REST "\n",
		"it is no request=mailreeve_usage" },
	{ "no limit", HEAD "mailbox=ann\nbytes=5\nmessages=2\n\n",
		"limit is missing" },
	{ "negative", HEAD "mailbox=ann\nbytes=-5\nmessages=2\nlimit=1\n\n",
		"bytes is no number" },
	{ "empty", HEAD "mailbox=ann\nbytes=\nmessages=2\nlimit=1\n\n",
		"bytes is no number" },
	{ "a delivery", HEAD "mailbox=ann\nsaved=7\ntime=9\n" REST "\n", "" },
	{ "saved nothing", HEAD "mailbox=ann\nsaved=\n" REST "\n",
		"saved is no number" },
	{ "saved twice", HEAD "mailbox=ann\nsaved=1\nsaved=2\n" REST "\n",
		"saved is there twice" },
	{ "long ago", HEAD "mailbox=ann\ntime=-1\n" REST "\n",
		"time is no number" },
	{ "never", HEAD "mailbox=ann\ntime=99999999999999999999\n" REST "\n",
		"time is too large" },
	{ "not counted", HEAD "mailbox=ann\nbytes=5\nlimit=10\n\n", "" },
	{ "messages are no number",
		HEAD "mailbox=ann\nbytes=5\nlimit=10\nmessages=-1\n\n",
		"messages is no number" },
	{ "large",
		HEAD "mailbox=ann\nbytes=1\nmessages=2\n"
		     "limit=9223372036854775808\n\n",
		"limit is too large" },
};

static void test_reports(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		size_t length = strlen(reports[i].text);
		char *text = strdup(reports[i].text);
		struct mr_report report;
		struct mr_error error = { "" };
		int result = mr_report_parse(text, length, &report, &error);

		expect_text(reports[i].name, error.text, reports[i].error);
		if (result == 0) {
			expect_text(reports[i].name, report.mailbox, "ann");
			expect_number(reports[i].name, report.bytes, 5);
			expect_number(reports[i].name, report.messages,
				strstr(reports[i].text, "messages")
					? 2
					: MR_REPORT_NOT_COUNTED);
			expect_number(reports[i].name, report.limit, 10);
			expect_number(reports[i].name, report.saved,
				strstr(reports[i].text, "saved") ? 7 : 0);
			expect_number(reports[i].name, report.time,
				strstr(reports[i].text, "time") ? 9 : 0);
		}
		free(text);
	}
	expect_done();
}

static void seen(void *context, const struct mr_state_store_row *row)
{
	/* a new boot, a minute later by the clock */
	mr_usages_load(context, row,
		&(struct mr_usages_now){ .boot_ms = 1000, .wall = 1060 });
}

static struct mr_state_store *open_store(struct mr_usages *usages)
{
	return mr_state_store_new(&mr_state_store_sqlite, "state.sqlite",
		&(struct mr_state_store_owner){ usages, seen, NULL });
}

static void set(struct mr_usages *usages, struct mr_state_store *store,
	const char *mailbox, int64_t bytes, int64_t wall, int want)
{
	expect_number(mailbox,
		mr_usages_set(usages,
			&(struct mr_report){ mailbox, bytes, 1, 10, 0, 0 },
			&(struct mr_usages_now){ 500000, wall }, store),
		want);
}

static void expect_known(struct mr_usages *usages, const char *mailbox,
	int64_t boot_ms, int64_t bytes, int64_t age_ms)
{
	struct mr_usages_now now = { .boot_ms = boot_ms, .wall = 5 };
	struct mr_fill fill;

	expect_number(mailbox, mr_usages_find(usages, mailbox, &now, &fill),
		bytes < 0 ? MR_NOTFOUND : MR_FOUND);
	if (bytes < 0)
		return;
	expect_number(mailbox, (long long)fill.bytes, bytes);
	expect_number(mailbox, fill.age_ms, age_ms);
}

static void test_known(void **state)
{
	struct mr_usages *usages = mr_usages_new(2, 60000);
	struct mr_state_store *store = open_store(usages);

	(void)state;
	set(usages, store, "ann", 6, 1000, 0);
	set(usages, store, "ann", 7, 1000, 0);
	set(usages, store, "ben", 8, 9000, 0);
	set(usages, store, "cat", 9, 1000, -1); /* no room */
	expect_known(usages, "ann", 501000, 7, 1000);
	expect_known(usages, "cat", 501000, -1, 0);
	mr_state_store_free(&store);
	mr_usages_free(&usages);

	usages = mr_usages_new(2, 60000);
	store = open_store(usages);
	expect_number("loaded",
		(long)mr_usages_status(
			usages, &(struct mr_usages_now){ 1000, 1060 })
			.mailboxes,
		2);
	expect_known(usages, "ann", 1000, 7, 60000);
	/* written when the clock was ahead */
	expect_known(usages, "ben", 1000, 8, 0);
	mr_state_store_free(&store);
	mr_usages_free(&usages);
	expect_done();
}

/* Datagrams of two processes come in any order. */
static void test_order(void **state)
{
	static const struct {
		int64_t counted_ms, bytes, want;
	} steps[] = {
		{ 1000, 5, 5 },
		{ 900, 4, 5 },       /* counted before */
		{ 1000, 6, 6 },      /* by the same clock tick */
		{ 999999999, 7, 7 }, /* in the future: counted now */
		{ 5000, 8, 8 },
		{ 0, 9, 9 }, /* not said: now */
		{ 4000, 1, 9 },
	};
	struct mr_usages *usages = mr_usages_new(2, 60000);
	struct mr_state_store *store = open_store(usages);

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct mr_report report = { "ann", steps[i].bytes, 1, 10, 0,
			steps[i].counted_ms };

		mr_usages_set(usages, &report,
			&(struct mr_usages_now){ 5000, 1000 }, store);
		expect_known(usages, "ann", 5000, steps[i].want, 0);
	}
	mr_state_store_free(&store);
	mr_usages_free(&usages);
	expect_done();
}

static enum mr_room book(struct mr_usages *usages, uint64_t size)
{
	struct mr_booking booking = { "ann", size, 100000, MR_ROOM_UNKNOWN };

	mr_usages_book(usages, &booking, 1,
		&(struct mr_usages_now){ .boot_ms = 2000, .wall = 1060 });
	return booking.room;
}

/* What nobody counted refuses nothing for good, and lets one mail in to see,
 * which is booked; the store knows of it. */
static void test_at_most(void **state)
{
	struct mr_report report = { "ann", 50000, MR_REPORT_NOT_COUNTED, 100000,
		0, 1000 };
	const struct mr_usages_now now = { .boot_ms = 1000, .wall = 1000 };
	struct mr_usages *usages = mr_usages_new(2, 60000);
	struct mr_state_store *store = open_store(usages);

	(void)state;
	mr_usages_set(usages, &report, &now, store);
	mr_state_store_free(&store);
	mr_usages_free(&usages);
	usages = mr_usages_new(2, 60000);
	store = open_store(usages);
	expect_number("for nobody", book(usages, 100001), MR_ROOM_NONE);
	expect_number("it fits", book(usages, 10000), MR_ROOM_ENOUGH);
	expect_number("to see", book(usages, 60000), MR_ROOM_OLD);
	expect_number("one at a time", book(usages, 60000), MR_ROOM_BOOKED);
	expect_number("beside it", book(usages, 10000), MR_ROOM_BOOKED);
	/* a small one is delivered meanwhile */
	report.bytes = 51000;
	report.time = 1500;
	mr_usages_set(usages, &report, &now, store);
	expect_number("still one", book(usages, 60000), MR_ROOM_BOOKED);
	report.messages = 5;
	mr_usages_set(
		usages, &report, &(struct mr_usages_now){ 2000, 1060 }, store);
	expect_number("counted", book(usages, 60000), MR_ROOM_NONE);
	mr_state_store_free(&store);
	mr_usages_free(&usages);
	expect_done();
}

/* A count and a bound, each by its time. */
static void test_bounds(void **state)
{
	static const struct {
		int64_t bytes, messages, time, want, want_least, want_age_ms;
	} steps[] = {
		{ 40000, 4, 1000, 40000, 40000, 0 },
		{ 50000, MR_REPORT_NOT_COUNTED, 3000, 50000, 40000, 1000 },
		{ 99999, MR_REPORT_NOT_COUNTED, 900, 50000, 40000, 2000 },
		/* began to be counted before that delivery */
		{ 30000, 3, 2000, 50000, 30000, 0 },
		{ 60000, 6, 2500, 60000, 60000, 0 },
		{ 61000, MR_REPORT_NOT_COUNTED, 4000, 61000, 60000, 1000 },
		{ 45000, MR_REPORT_NOT_COUNTED, 5000, 45000, 45000, 2000 },
		{ 45000, 7, 6000, 45000, 45000, 0 },
	};
	struct mr_usages *usages = mr_usages_new(2, 60000);
	struct mr_state_store *store = open_store(usages);

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct mr_report report = { "ann", steps[i].bytes,
			steps[i].messages, 100000, 0, steps[i].time };
		struct mr_usages_now now = { 10000 + (int64_t)i * 1000, 1000 };
		struct mr_fill fill = { 0 };

		mr_usages_set(usages, &report, &now, store);
		expect_known(usages, "ann", now.boot_ms, steps[i].want,
			steps[i].want_age_ms);
		mr_usages_find(usages, "ann", &now, &fill);
		expect_number(
			"least", (long long)fill.least, steps[i].want_least);
	}
	mr_state_store_free(&store);
	mr_usages_free(&usages);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports),
		cmocka_unit_test_setup_teardown(
			test_known, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_order, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_at_most, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_bounds, files_enter, files_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
