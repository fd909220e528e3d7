/* expect - table tests: what differs is printed as name, got, want; a table
 * runs to its end before the test fails. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_TESTS_UNIT_EXPECT_H
#define MR_TESTS_UNIT_EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above in front of it */
#include <cmocka.h>

static unsigned expect_failures;

static inline void expect_text(
	const char *name, const char *got, const char *want)
{
	if (got == NULL)
		got = "(none)";
	if (want == NULL)
		want = "(none)";
	if (strcmp(got, want) == 0)
		return;
	print_error("%s:\n got: %s\nwant: %s\n", name, got, want);
	expect_failures++;
}

static inline void expect_number(
	const char *name, long long got, long long want)
{
	if (got == want)
		return;
	print_error("%s:\n got: %lld\nwant: %lld\n", name, got, want);
	expect_failures++;
}

/* Does `got` hold `want` somewhere? */
static inline void expect_part(
	const char *name, const char *got, const char *want)
{
	if (got != NULL && strstr(got, want) != NULL)
		return;
	print_error("%s:\n got: %s\nwant in it: %s\n", name,
		got == NULL ? "(none)" : got, want);
	expect_failures++;
}

/* At the end of each test. */
static inline void expect_done(void)
{
	unsigned failures = expect_failures;

	expect_failures = 0;
	assert_int_equal(failures, 0);
}

#endif
