/* test_subject - tags in front of subjects, and marks of scanners */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "common/base/mark.h"
#include "common/base/subject.h"

#define SPAM                             \
	{                                \
		{ "[SPAM]", true },      \
		{                        \
			"[VIRUS]", false \
		}                        \
	}
#define VIRUS                           \
	{                               \
		{ "[SPAM]", false },    \
		{                       \
			"[VIRUS]", true \
		}                       \
	}
#define BOTH                            \
	{                               \
		{ "[SPAM]", true },     \
		{                       \
			"[VIRUS]", true \
		}                       \
	}
#define TAGGED "already tagged"
/* 57 octets, so that a line with the name and [SPAM] has 73 */
#define LONG "words and words and words and words and words and words-7"

static void test_tags(void **state)
{
	static const struct {
		const char *value; /* NULL: the mail has none */
		struct mr_subject_tag tags[2];
		const char *want;
	} cases[] = {
		{ " Hello", SPAM, "[SPAM] Hello" },
		{ "Hello", SPAM, "[SPAM] Hello" },
		{ " \t Hello  ", SPAM, "[SPAM] Hello  " },
		{ NULL, SPAM, "[SPAM]" },
		{ "", SPAM, "[SPAM]" },
		{ " ", SPAM, "[SPAM]" },
		{ "\r\n \r\n ", SPAM, "[SPAM]" },
		/* folded */
		{ " Hello\n you", SPAM, "[SPAM] Hello\n you" },
		{ " Hello\r\n\tyou\r\n all", SPAM,
			"[SPAM] Hello\n\tyou\n all" },
		{ "\n Hello", SPAM, "[SPAM] Hello" },
		{ " Hello\nBcc: x", SPAM, "[SPAM] Hello\n Bcc: x" },
		{ " Hello\n\n x", SPAM, "[SPAM] Hello\n \n x" },
		/* 78 columns and 79 */
		{ " " LONG "12345", SPAM, "[SPAM] " LONG "12345" },
		{ " " LONG "123456", SPAM, "[SPAM]\n " LONG "123456" },
		{ " " LONG "12345\n more", SPAM,
			"[SPAM] " LONG "12345\n more" },
		{ " " LONG "123456\n more", SPAM,
			"[SPAM]\n " LONG "123456\n more" },
		/* encoded words stay, with a blank in front */
		{ " =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", SPAM,
			"[SPAM] =?utf-8?Q?Gr=C3=BC=C3=9Fe?=" },
		{ "=?utf-8?B?R3LDvMOfZQ==?=\n =?utf-8?Q?x?=", SPAM,
			"[SPAM] =?utf-8?B?R3LDvMOfZQ==?=\n =?utf-8?Q?x?=" },
		{ "\n =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", SPAM,
			"[SPAM] =?utf-8?Q?Gr=C3=BC=C3=9Fe?=" },
		/* SMTPUTF8, and what is neither */
		{ " Gr\xc3\xbc\xc3\x9f"
		  "e",
			SPAM,
			"[SPAM] Gr\xc3\xbc\xc3\x9f"
			"e" },
		{ " Gr\xfc\xdf"
		  "e",
			SPAM,
			"[SPAM] Gr\xfc\xdf"
			"e" },
		/* already there */
		{ " [SPAM] Hello", SPAM, TAGGED },
		{ "[SPAM]", SPAM, TAGGED },
		{ " [spam]Hello", SPAM, TAGGED },
		{ "\n\t[Spam] Hello", SPAM, TAGGED },
		{ " =?utf-8?Q?=5BSPAM=5D_Hello?=", SPAM, TAGGED },
		{ " =?utf-8?q?=5bSP?=\n =?iso-8859-1*en?b?QU1dIEhlbGxv?=", SPAM,
			TAGGED },
		{ " =?utf-8?B?W1NQQU1dIEhlbGxv?=", SPAM, TAGGED },
		{ " =?utf-8?B?W1NQQU1d?= Hello", SPAM, TAGGED },
		{ " =?utf-8?B?W1NQ\nQU1d?= Hello", SPAM,
			"[SPAM] =?utf-8?B?W1NQ\n QU1d?= Hello" },
		/* something else */
		{ " Re: [SPAM] Hello", SPAM, "[SPAM] Re: [SPAM] Hello" },
		{ " Fwd: [SPAM] Hello", SPAM, "[SPAM] Fwd: [SPAM] Hello" },
		{ " [list] [SPAM] Hello", SPAM, "[SPAM] [list] [SPAM] Hello" },
		{ " [SPAM", SPAM, "[SPAM] [SPAM" },
		{ " [SP\n AM] Hello", SPAM, "[SPAM] [SP\n AM] Hello" },
		{ " =?utf-8?Q?=5BSPAM=5D", SPAM,
			"[SPAM] =?utf-8?Q?=5BSPAM=5D" },
		{ " =?utf-8?X?[SPAM]?=", SPAM, "[SPAM] =?utf-8?X?[SPAM]?=" },
		/* several scanners */
		{ " Hello", BOTH, "[SPAM] [VIRUS] Hello" },
		{ NULL, BOTH, "[SPAM] [VIRUS]" },
		{ " [SPAM] Hello", BOTH, "[VIRUS] [SPAM] Hello" },
		{ " [SPAM] Hello", VIRUS, "[VIRUS] [SPAM] Hello" },
		{ " [VIRUS] [SPAM] Hello", SPAM, TAGGED },
		{ " [VIRUS][SPAM] Hello", BOTH, TAGGED },
		{ " [VIRUS] Re: [SPAM] Hello", SPAM,
			"[SPAM] [VIRUS] Re: [SPAM] Hello" },
		{ " x", { { "A", true }, { "a", true } }, "A x" },
		{ " ***** x", { { "***", true }, { "*****", false } },
			"*** ***** x" },
		{ " x", { { "A", false }, { "B", false } }, TAGGED },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name =
			cases[i].value == NULL ? "(none)" : cases[i].value;
		char *got =
			mr_subject_tag(arena, cases[i].value, cases[i].tags, 2);

		expect_text(name, got == NULL ? TAGGED : got, cases[i].want);
		/* once more changes nothing */
		if (got != NULL)
			expect_text(got,
				mr_subject_tag(arena, got, cases[i].tags, 2),
				NULL);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_decode(void **state)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ "", "" },
		{ "a\r\n b\tc", "a b c" },
		{ "a\nb\r\nc", "a b c" },
		{ "=?utf-8?q?a_b=20c?=", "a b c" },
		{ "=?utf-8?q?a?= =?utf-8?q?b?=", "ab" },
		{ "=?utf-8?q?a?=\r\n\t=?utf-8?b?Yg?=", "ab" },
		{ "=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c" },
		{ "x =?utf-8?q?a?=", "x a" },
		{ "=?utf-8?q?=4?=", "=4" },
		{ "=?utf-8?q?=zz=?=", "=zz=" },
		{ "=?utf-8?q?=00?=", "?" },
		{ "=?utf-8?b?AA==?=", "?" },
		{ "=?utf-8?b?YQ==YQ==?=", "aa" },
		{ "=?utf-8?q?"
		  "?=",
			"" },
		{ "=??q?a?=", "=??q?a?=" },
		{ "=?utf-8?q?a b?=", "=?utf-8?q?a b?=" },
		{ "=?utf-8?q?a?", "=?utf-8?q?a?" },
		{ "=?utf-8?", "=?utf-8?" },
		{ "=?", "=?" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_text(cases[i].value,
			mr_subject_decode(arena, cases[i].value),
			cases[i].want);
	mr_arena_free(&arena);
	expect_done();
}

static void test_marks(void **state)
{
	static const struct {
		const char *value;
		bool is;
	} cases[] = {
		{ "scanner=spam", true },
		{ " scanner=spam", true },
		{ "\n\tScanner=SPAM \r\n", true },
		{ "scanner=spam2", false },
		{ "scanner=spa", false },
		{ "scanner=", false },
		{ "scanner", false },
		{ "", false },
		{ "scanner=spam; id=12345678", false },
		{ "scanner=spam, scanner=virus", false },
		{ "helo.invalid, scanner=spam", false },
		{ "xscanner=spam", false },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_text(cases[i].value,
			mr_mark_is(cases[i].value, "spam") ? "yes" : "no",
			cases[i].is ? "yes" : "no");
	expect_text("format", mr_mark_format(arena, "spam"), "scanner=spam");
	mr_arena_free(&arena);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
