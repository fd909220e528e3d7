/* test_due - lines of users of whom nothing is due yet */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "common/mailbox/due.h"
#include "common/mailbox/purge.h"

#include <string.h>

#define NOW INT64_C(1795632000)
#define SUM "0123456789abcdef"
#define BOB SUM " bob@alpha.example\n"

static bool knows(const char *text, size_t length, const char *user)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_due *due = mr_due_read(arena, text, length, NOW);
	uint64_t policy = 0;
	bool found = mr_due_find(due, user, &policy);

	assert_true(!found || policy == 0x0123456789abcdef);
	mr_arena_free(&arena);
	return found;
}

static void test_line(void **state)
{
	static const struct {
		const char *text;
		bool known;
	} cases[] = {
		{ "1795632001 " BOB, true },
		{ "1796236800 " BOB, true }, /* in MR_PURGE_SCAN_EVERY */
		{ "1796236801 " BOB, false },
		{ "1795632000 " BOB, false },
		{ "9223372036854775807 " BOB, false },
		{ "9223372036854775808 " BOB, false },
		{ "18446744075505183617 " BOB, false },
		{ "-1795632001 " BOB, false },
		{ " 1795632001 " BOB, false },
		{ "1795632001  " BOB, false },
		{ "1795632001" BOB, false },
		{ " " BOB, false },
		{ BOB, false },
		{ "", false },
		{ "\n", false },
		{ "1795632001 0123456789ABCDEF bob@alpha.example\n", false },
		{ "1795632001 0123456789abcde bob@alpha.example\n", false },
		{ "1795632001 " SUM "0 bob@alpha.example\n", false },
		{ "1795632001 " SUM " bob@alpha.example", false },
		{ "1795632001 " SUM " \n", false },
		{ "1795632001 " SUM "\n", false },
		{ "1795632001 " SUM " bob@alpha.example\r\n", false },
		{ "what?\n\n1795632001 " BOB "1795632001 ", true },
		{ "1795632001 " SUM " al\n1795632001 " BOB "1795632001 " SUM
		  " zoe\n",
			true },
	};
	static const char bob[] = "1795632001 " BOB;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (knows(cases[i].text, strlen(cases[i].text),
			    "bob@alpha.example") != cases[i].known)
			fail_msg("%s", cases[i].text);
	}
	assert_false(knows(bob, strlen(bob), "bob@alpha"));
	assert_false(knows(bob, strlen(bob), "bob@alpha.example.net"));
	assert_false(knows(bob, strlen(bob), ""));
}

/* What is set takes the place of what was read; the rest is kept. */
static void test_set_and_format(void **state)
{
	static const char before[] =
		"1795632001 " SUM " al@x\n"
		"1795632002 " BOB "1795631999 " SUM " old@x\n";
	static const char after[] =
		"1795632001 " SUM " al@x\n"
		"1795632009 00000000000000ff a b@x\n"
		"1795632003 0000000000000001 bob@alpha.example\n";
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_due *due =
		mr_due_read(arena, before, sizeof(before) - 1, NOW);
	const char *text;
	size_t length;
	uint64_t policy;

	(void)state;
	mr_due_set(due, "bob@alpha.example", 1, NOW + 3);
	mr_due_set(due, "a b@x", 0xff, NOW + 9);
	mr_due_set(due, "two\nlines", 1, NOW + 3);
	mr_due_set(due, "", 1, NOW + 3);
	mr_due_set(due, "never@x", 1, 0);
	/* this run's own is for the next one */
	assert_true(mr_due_find(due, "bob@alpha.example", &policy));
	assert_int_equal(policy, 0x0123456789abcdef);
	assert_false(mr_due_find(due, "a b@x", &policy));
	text = mr_due_format(due, &length);
	assert_int_equal(length, strlen(text));
	assert_string_equal(text, after);
	mr_arena_free(&arena);
}

static void test_many(void **state)
{
	enum { USERS = 20000 };
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_due *due = mr_due_read(arena, "", 0, NOW);
	char name[MR_DUE_NAME + 2];
	const char *text;
	size_t length;
	uint64_t policy;

	(void)state;
	for (uint64_t i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "u%lu@x", i * 7919 % USERS);
		mr_due_set(due, name, i * 7919 % USERS, NOW + 1);
	}
	memset(name, 'x', MR_DUE_NAME + 1);
	name[MR_DUE_NAME + 1] = '\0';
	mr_due_set(due, name, 1, NOW + 1);
	text = mr_due_format(due, &length);
	due = mr_due_read(arena, text, length, NOW);
	for (uint64_t i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "u%lu@x", i);
		assert_true(mr_due_find(due, name, &policy));
		assert_int_equal(policy, i);
	}
	memset(name, 'x', MR_DUE_NAME + 1);
	name[MR_DUE_NAME + 1] = '\0';
	assert_false(mr_due_find(due, name, &policy));
	mr_arena_free(&arena);
}

/* The next full scan is the first moment at which one is wanted. */
static void test_next_scan(void **state)
{
	static const char *const users[] = { "", "a@x", "b@x",
		"bob@alpha.example" };

	(void)state;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		int64_t next = mr_purge_next_scan(users[i], NOW);

		assert_in_range(next, NOW + 1, NOW + MR_PURGE_SCAN_EVERY);
		assert_false(mr_purge_wants_scan(users[i], NOW, next - 1));
		assert_true(mr_purge_wants_scan(users[i], NOW, next));
		assert_int_equal(mr_purge_next_scan(users[i], next),
			next + MR_PURGE_SCAN_EVERY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_set_and_format),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_next_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
