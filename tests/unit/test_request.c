/* test_request - Postfix's policy requests, whole and broken, and answers. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "policyd/postfix.h"
#include "tests/unit/expect.h"

#include <stdlib.h>
#include <string.h>

static const char first[] = "request=smtpd_access_policy\n";

static const struct {
	const char *name, *text, *error; /* NULL: it is fine */
} parsed[] = {
	{ "nothing else", "", NULL },
	{ "unknown", "mail_version=3.10.4\nx=y\n", NULL },
	{ "an empty value", "recipient=\n", NULL },
	{ "= in a value", "sender=a=b@example.org\n", NULL },
	{ "no =", "recipient\n", "a line without =" },
	{ "twice", "sender=a@example.org\nsender=b@example.org\n",
		"sender is there twice" },
	{ "the first one twice", "request=smtpd_access_policy\n",
		"request is there twice" },
	{ "unknown twice", "x=y\nx=z\n", NULL },
	{ "binary", "helo_name=\x01\xff\x80\r\n", NULL },
};

static char *request_of(const char *text, size_t *length_r)
{
	size_t length = strlen(first) + strlen(text) + 1;
	char *request = malloc(length + 1);

	strcpy(request, first);
	strcat(request, text);
	strcat(request, "\n");
	*length_r = length;
	return request;
}

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(parsed) / sizeof(parsed[0]); i++) {
		struct mr_request request;
		struct mr_error error = { "" };
		size_t length;
		char *text = request_of(parsed[i].text, &length);

		expect_number(parsed[i].name,
			(long)mr_request_length(text, length), (long)length);
		mr_request_parse(text, length, &request, &error);
		expect_text(parsed[i].name, error.text,
			parsed[i].error == NULL ? "" : parsed[i].error);
		free(text);
	}
	expect_done();
}

/* In whatever order; here backwards. */
static void test_every_attribute(void **state)
{
	static const char *const names[] = {
#define A(name) #name,
		MR_ATTRIBUTES(A)
#undef A
	};
	enum { N = sizeof(names) / sizeof(names[0]) };
	struct mr_arena *arena = mr_arena_new(1024);
	char *text = mr_arena_strdup(arena, "");
	struct mr_request request;
	struct mr_error error;
	const char *const *values = (const char *const *)&request;

	(void)state;
	expect_number("attributes", N, 29);
	for (size_t i = N - 1; i > 0; i--)
		text = mr_arena_printf(
			arena, "%s%s=<%s>\n", text, names[i], names[i]);
	text = mr_arena_printf(arena, "%s%s\n", text, first);
	assert_int_equal(
		mr_request_parse(text, strlen(text), &request, &error), 0);
	for (size_t i = 1; i < N; i++)
		expect_text(names[i], values[i],
			mr_arena_printf(arena, "<%s>", names[i]));
	mr_arena_free(&arena);
	expect_done();
}

static const struct {
	const char *name, *text;
	size_t length, found;
} lengths[] = {
	{ "nothing", "", 0, 0 },
	{ "half a line", "request=", 8, 0 },
	{ "no empty line", "a=b\n", 4, 0 },
	{ "whole", "a=b\n\n", 5, 5 },
	{ "the next one behind it", "a=b\n\nc=d\n\n", 10, 5 },
	{ "an empty line", "\na=b\n\n", 6, 1 },
	{ "CR LF", "a=b\r\n\r\n", 7, 0 },
};

static void test_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		expect_number(lengths[i].name,
			(long)mr_request_length(
				lengths[i].text, lengths[i].length),
			(long)lengths[i].found);
	expect_done();
}

static void test_refused(void **state)
{
	char nul[] = "request=smtpd_access_policy\nsender=a\0b\n\n";
	char other[] = "request=junk\n\n", empty[] = "\n";
	struct mr_request request;
	struct mr_error error;

	(void)state;
	assert_int_equal(
		mr_request_parse(nul, sizeof(nul) - 1, &request, &error), -1);
	expect_text("NUL", error.text, "a NUL in it");
	assert_int_equal(
		mr_request_parse(other, sizeof(other) - 1, &request, &error),
		-1);
	expect_text("another request", error.text,
		"it is no request=smtpd_access_policy");
	assert_int_equal(mr_request_parse(empty, 1, &request, &error), -1);
	expect_done();
}

static const struct {
	const char *text;
	uint64_t number;
} numbers[] = {
	{ "", 0 },
	{ "0", 0 },
	{ "25", 25 },
	{ "18446744073709551615", UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX },
	{ "-1", 0 },
	{ "12x", 0 },
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (mr_request_number(numbers[i].text) != numbers[i].number)
			fail_msg("%s", numbers[i].text);
	expect_done();
}

static void test_answer(void **state)
{
	struct mr_arena *arena = mr_arena_new(1024);

	(void)state;
	expect_text(
		"plain", mr_answer_write(arena, "DUNNO"), "action=DUNNO\n\n");
	expect_text("a line end",
		mr_answer_write(arena, "550 a\n\naction=OK\xc3\xa4"),
		"action=550 a??action=OK??\n\n");
	mr_arena_free(&arena);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_every_attribute),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
