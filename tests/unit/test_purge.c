/* test_purge - which rule a folder has, what is too much, what was reported */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "common/mailbox/purge.h"

#define DAY 86400

static void test_find(void **state)
{
	static const struct mr_purge_rule rules[] = {
		{ .folder = "*" },
		{ .folder = "Trash" },
		{ .folder = "\\Trash" },
		{ .folder = "Lists/*" },
		{ .folder = "Lists/old*" },
		{ .folder = "\\Junk" },
		{ .folder = "INBOX.Old" },
	};
	static const struct {
		const char *name, *below, *special, *want;
		size_t from; /* rules in front of it are left out */
	} cases[] = {
		{ "Trash", "Trash", "\\Trash", "Trash", 0 },
		{ "trash", "trash", NULL, "*", 0 },
		{ "Bin", "Bin", "\\Trash", "\\Trash", 0 },
		{ "Bin", "Bin", "\\trash", "\\Trash", 0 },
		{ "Bin", "Bin", "\\Sent \\Junk", "\\Junk", 0 },
		{ "Bin", "Bin", "\\Junky", NULL, 1 },
		{ "Trash/2019", "Trash/2019", NULL, "*", 0 },
		{ "Trash/2019", "Trash/2019", NULL, NULL, 1 },
		{ "Lists/new", "Lists/new", NULL, "Lists/*", 0 },
		{ "Lists/old1", "Lists/old1", NULL, "Lists/old*", 0 },
		{ "lists/old1", "lists/old1", NULL, NULL, 1 },
		{ "Lists", "Lists", NULL, NULL, 1 },
		{ "INBOX", "INBOX", NULL, "*", 0 },
		{ "INBOX", "INBOX", NULL, NULL, 1 },
		{ "INBOX.Trash", "Trash", NULL, "Trash", 0 },
		{ "INBOX.Old", "Old", NULL, "INBOX.Old", 1 },
		{ "Sent", "Sent", "\\Sent", NULL, 1 },
	};
	size_t all = sizeof(rules) / sizeof(rules[0]);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct mr_purge_folder folder = { cases[i].name,
			cases[i].below, cases[i].special };
		const struct mr_purge_rule *rule = mr_purge_find(
			rules + cases[i].from, all - cases[i].from, &folder);

		expect_text(cases[i].name, rule == NULL ? NULL : rule->folder,
			cases[i].want);
	}
	expect_done();
}

static void test_inbox(void **state)
{
	static const struct mr_purge_rule rules[] = { { .folder = "inbox" },
		{ .folder = "INB*" } };
	const struct mr_purge_folder folder = { "INBOX", "INBOX", NULL };

	(void)state;
	assert_ptr_equal(mr_purge_find(rules, 2, &folder), &rules[0]);
	assert_null(mr_purge_find(rules + 1, 1, &folder));
}

static void test_due(void **state)
{
	const struct mr_purge_rule long_rule = { .after = 92 * DAY,
		.minimum = 3 * DAY };
	const struct mr_purge_rule short_rule = { .after = 1 * DAY,
		.minimum = 3 * DAY };

	(void)state;
	assert_int_equal(mr_purge_cutoff(&long_rule, 100 * DAY), 8 * DAY);
	assert_int_equal(mr_purge_cutoff(&short_rule, 100 * DAY), 97 * DAY);
}

static void test_share(void **state)
{
	static const struct {
		uint64_t due, total;
		int64_t share;
		bool want;
	} cases[] = {
		{ 50, 100, 50, false },
		{ 51, 100, 50, true },
		{ 1, 1, 50, true },
		{ 1, 1, 100, false },
		{ 0, 0, 50, false },
		{ 5, 0, 50, true },
		{ 5, 0, 100, false },
		{ 1, 1000000, 0, true },
		{ UINT64_MAX, UINT64_MAX, 99, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%llu of %llu, %lld%%",
			(unsigned long long)cases[i].due,
			(unsigned long long)cases[i].total,
			(long long)cases[i].share);
		expect_number(name,
			mr_purge_is_too_much(
				cases[i].due, cases[i].total, cases[i].share),
			cases[i].want);
	}
	expect_done();
}

static void test_scan(void **state)
{
	int64_t now = 1795632000;
	int wanted = 0;

	(void)state;
	assert_true(mr_purge_wants_scan("a", 0, now));
	assert_true(mr_purge_wants_scan("a", now + 1, now));
	assert_true(mr_purge_wants_scan("a", now - MR_PURGE_SCAN_EVERY, now));
	assert_false(mr_purge_wants_scan("a", now, now));
	/* about a seventh of the users a day, and each once in a week */
	for (int i = 0; i < 1000; i++) {
		char user[16];
		int days = 0;

		snprintf(user, sizeof(user), "u%d", i);
		wanted += mr_purge_wants_scan(user, now - DAY, now);
		for (int d = 0; d < 7; d++)
			days += mr_purge_wants_scan(
				user, now + (d - 1) * DAY, now + d * DAY);
		expect_number(user, days, 1);
	}
	assert_in_range(wanted, 100, 190);
	expect_done();
}

static void test_reported(void **state)
{
	static const struct mr_purge_rule rule = { .folder = "Trash",
		.after = 14 * DAY,
		.minimum = 3 * DAY,
		.keep_flagged = true,
		.scope = "domain a.example" };
	static const struct {
		const char *name, *text;
		bool want;
	} cases[] = {
		{ "itself",
			"domain a.example\tTrash\t1209600\t259200\t"
			"keep_flagged\n",
			true },
		{ "a shorter one",
			"domain a.example\tTrash\t86400\t259200\tkeep_flagged"
			"\n",
			true },
		{ "a longer one",
			"domain a.example\tTrash\t1209601\t259200\t"
			"keep_flagged\n",
			false },
		{ "a higher floor",
			"domain a.example\tTrash\t1209600\t259201\t"
			"keep_flagged\n",
			false },
		{ "one that purges flagged mail, too",
			"domain a.example\tTrash\t1209600\t0\tall\n", true },
		{ "another scope", "global\tTrash\t86400\t0\tall\n", false },
		{ "another folder", "domain a.example\tSpam\t86400\t0\tall\n",
			false },
		{ "a folder that begins alike",
			"domain a.example\tTrash2\t86400\t0\tall\n", false },
		{ "behind others",
			"x\n\n\tdomain\ndomain a.example\tTrash\t1\t0\tall\n",
			true },
		{ "nothing", "", false },
		{ "half a line", "domain a.example\tTrash\t86400\t0\tall",
			false },
		{ "another word", "domain a.example\tTrash\t86400\t0\tany\n",
			false },
		{ "no number", "domain a.example\tTrash\t\t0\tall\n", false },
		{ "less than nothing", "domain a.example\tTrash\t-1\t0\tall\n",
			false },
	};
	struct mr_arena *arena = mr_arena_new(256);
	struct mr_purge_rule odd = rule;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_number(cases[i].name,
			mr_purge_is_reported(cases[i].text, &rule),
			cases[i].want);
	expect_text("line", mr_purge_reported_line(arena, &rule),
		"domain a.example\tTrash\t1209600\t259200\tkeep_flagged");
	odd.keep_flagged = false;
	expect_number("flagged mail is new",
		mr_purge_is_reported("domain a.example\tTrash\t1209600\t259200"
				     "\tkeep_flagged\n",
			&odd),
		false);
	odd.folder = "a\tb\nc";
	expect_text("odd names", mr_purge_reported_line(arena, &odd),
		"domain a.example\ta?b?c\t1209600\t259200\tall");
	mr_arena_free(&arena);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_inbox),
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
