/* test_text - lower case, what may be shown, suggestions, globs */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "common/base/text.h"

static void test_copies(void **state)
{
	static const struct {
		const char *text;
		size_t longest;
		const char *want;
	} cases[] = {
		{ "hello", 10, "hello" },
		{ "hello", 5, "hello" },
		{ "hello you", 8, "hello..." },
		{ "a\r\nb\tc\x7f", 20, "a??b?c?" },
		{ "m\xc3\xbcller", 20, "m??ller" },
		{ NULL, 20, "" },
		{ "hello", 0, "" },
		{ "hello", 2, "he" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_text(cases[i].want,
			mr_text_printable(
				arena, cases[i].text, cases[i].longest),
			cases[i].want);
	expect_text("lower", mr_text_lower(arena, "ABC xyz [\xc3\x84]"),
		"abc xyz [\xc3\xa4]");
	expect_text("lower, longer", mr_text_lower(arena, "\xc8\xba\xc8\xba"),
		"\xe2\xb1\xa5\xe2\xb1\xa5");
	expect_text("lower, no UTF-8",
		mr_text_lower(arena, "A\xff\xc3"
				     "B\xc3"),
		"a\xff\xc3"
		"b\xc3");
	expect_text("lower, no case", mr_text_lower(arena, "\xe5\x90\x8d"),
		"\xe5\x90\x8d");
	expect_text("join", mr_arena_join(arena, "a", "", "bc", NULL), "abc");
	mr_arena_free(&arena);
	expect_done();
}

static void test_clean(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "plain text", "plain text" },
		{ "a\r\nb\x1b[31m", "a??b?[31m" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x93\xac", "\xf0\x9f\x93\xac" },
		{ "\xc2\x9b", "??" },           /* CSI */
		{ "\xc0\xaf", "??" },           /* overlong */
		{ "\xe0\x80\xaf", "???" },      /* overlong */
		{ "\xed\xa0\x80", "???" },      /* surrogate */
		{ "\xf4\x90\x80\x80", "????" }, /* too large */
		{ "\xc3", "?" },                /* cut */
		{ "\xe2\x82", "??" },
		{ "\x80", "?" },
		{ "\xff", "?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];

		strcpy(text, cases[i].text);
		mr_text_clean(text, strlen(text));
		expect_text(cases[i].want, text, cases[i].want);
	}
	expect_done();
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "size", "quota", "action", "helo",
		"TLSv1.2", NULL };
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "sise", "size" },
		{ "Size", "size" },
		{ "actoin", "action" },
		{ "hello", "helo" },
		{ "tlsv1.2", "TLSv1.2" },
		{ "quota", "quota" },
		{ "zzzzzzzz", NULL },
		{ "", NULL },
		{ "averyveryveryveryveryveryveryverylongwordthatisnone", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_text(cases[i].text,
			mr_text_nearest(cases[i].text, words), cases[i].want);
	expect_done();
}

static void test_names_and_globs(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} globs[] = {
		{ "abc", "ABC", true },
		{ "abc", "abcd", false },
		{ "*", "", true },
		{ "a*", "a", true },
		{ "*a", "ba", true },
		{ "*a", "ab", false },
		{ "a*b*c", "axxbxxc", true },
		{ "a*b*c", "axxbxx", false },
		{ "**", "x", true },
		{ "", "", true },
		{ "", "x", false },
		{ "a?", "ab", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++)
		expect_number(globs[i].pattern,
			mr_text_glob(globs[i].pattern, globs[i].text),
			globs[i].match);
	expect_number("name", mr_text_is_name("keep_2", 6), true);
	expect_number("digit", mr_text_is_name("2keep", 5), false);
	expect_number("upper", mr_text_is_name("Keep", 4), false);
	expect_number("empty", mr_text_is_name("", 0), false);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_names_and_globs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
