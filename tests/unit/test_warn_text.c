/* test_warn_text - the mail of a quota warning, and templates that are none */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "tests/unit/files.h"
#include "common/base/arena.h"
#include "dovecot-plugin/warn_text.h"

#define FILE_NAME "warning.eml"

static const struct mr_warning warning = { "ann@a.example", "80", "85",
	"850 MB", "1 GB", 1795632000 };

static void test_built_in(void **state)
{
	struct mr_arena *arena = mr_arena_new(1024);
	struct mr_error error;
	const char *text = mr_warn_mail(arena, NULL, &warning, &error);
	const char *p = text;

	(void)state;
	expect_text("no error", error.text, "");
	expect_part("to", text, "\r\nTo: <ann@a.example>\r\n");
	expect_part(
		"subject", text, "\r\nSubject: Your mailbox is 85% full\r\n");
	expect_part(
		"date", text, "\r\nDate: Wed, 25 Nov 2026 18:40:00 +0000\r\n");
	expect_part("sizes", text, "holds 850 MB of 1 GB");
	expect_part("an automatic one", text, "\r\nAuto-Submitted: ");
	for (; (p = strchr(p, '\n')) != NULL; p++)
		expect_number("lines end with CRLF", p[-1], '\r');
	mr_arena_free(&arena);
	expect_done();
}

static void test_template(void **state)
{
	static const struct {
		const char *name, *text, *want, *error;
	} cases[] = {
		{ "a template", "Subject: {level} {nothing}\r\n\r\n{used}{",
			"Subject: 80 {nothing}\r\n\r\n850 MB{", "" },
		{ "no header", "Hello\n\nthere\n", "Your mailbox",
			"is not a mail" },
		{ "no body", "Subject: x\n", "Your mailbox", "is not a mail" },
		{ "empty", "", "Your mailbox", "is not a mail" },
	};
	struct mr_arena *arena = mr_arena_new(1024);
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		files_write(FILE_NAME, cases[i].text, 0644);
		expect_part(cases[i].name,
			mr_warn_mail(arena, FILE_NAME, &warning, &error),
			cases[i].want);
		expect_part(cases[i].name, error.text, cases[i].error);
	}
	files_write(FILE_NAME, cases[0].text, 0666);
	expect_part("others may write",
		mr_warn_mail(arena, FILE_NAME, &warning, &error),
		"Your mailbox");
	expect_part("others may write", error.text, "chmod o-w");
	unlink(FILE_NAME);
	expect_part("missing", mr_warn_mail(arena, FILE_NAME, &warning, &error),
		"Your mailbox");
	expect_part("missing", error.text, "No such file");
	mr_arena_free(&arena);
	expect_done();
}

/* A user's name does not begin another header. */
static void test_hostile(void **state)
{
	struct mr_warning hostile = warning;
	struct mr_arena *arena = mr_arena_new(1024);
	struct mr_error error;
	const char *text;

	(void)state;
	hostile.user = "ann\r\nBcc: x@y@a.example";
	text = mr_warn_mail(arena, NULL, &hostile, &error);
	assert_null(strstr(text, "\nBcc"));
	mr_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_built_in),
		cmocka_unit_test_setup_teardown(
			test_template, files_enter, files_leave),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
