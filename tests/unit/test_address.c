/* test_address - mail addresses, patterns, host names */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/address.h"
#include "common/base/arena.h"

#define SIXTY "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"

#define LONG SIXTY SIXTY SIXTY SIXTY SIXTY SIXTY

static void test_parse(void **state)
{
	static const struct {
		const char *text, *delimiters;
		/* what comes out, each part between blanks; NULL: refused */
		const char *want;
	} cases[] = {
		{ "<User@Example.NET>", "",
			"user@example.net user example.net - "
			"user@example.net" },
		{ "user@example.net", "",
			"user@example.net user example.net - "
			"user@example.net" },
		{ "<>", "", "   - " },
		{ "", "", "   - " },
		{ "postmaster", "", "postmaster postmaster  - postmaster" },
		{ "<@a.example,@b.example:u@c.example>", "",
			"u@c.example u c.example - u@c.example" },
		{ "u@example.net.", "",
			"u@example.net u example.net - u@example.net" },
		{ "u@[192.0.2.1]", "",
			"u@[192.0.2.1] u [192.0.2.1] - u@[192.0.2.1]" },
		{ "\"u\"@x.example", "",
			"u@x.example u x.example - u@x.example" },
		{ "\"a b\"@x.example", "",
			"\"a b\"@x.example \"a b\" x.example - "
			"\"a b\"@x.example" },
		{ "\"a\\\"b\\\\\"@x.example", "",
			"\"a\\\"b\\\\\"@x.example \"a\\\"b\\\\\" x.example - "
			"\"a\\\"b\\\\\"@x.example" },
		{ "\"a@b\"@x.example", "",
			"\"a@b\"@x.example \"a@b\" x.example - "
			"\"a@b\"@x.example" },
		{ "a@b@x.example", "",
			"\"a@b\"@x.example \"a@b\" x.example - "
			"\"a@b\"@x.example" },
		{ "a..b@x.example", "",
			"\"a..b\"@x.example \"a..b\" x.example - "
			"\"a..b\"@x.example" },
		{ "m\xc3\xbcller@x.example", "",
			"m\xc3\xbcller@x.example m\xc3\xbcller x.example - "
			"m\xc3\xbcller@x.example" },
		{ "u+box@x.example", "+",
			"u+box@x.example u+box x.example box u@x.example" },
		{ "u+box@x.example", "",
			"u+box@x.example u+box x.example - u+box@x.example" },
		{ "u+a+b@x.example", "+",
			"u+a+b@x.example u+a+b x.example a+b u@x.example" },
		{ "u-a+b@x.example", "+-",
			"u-a+b@x.example u-a+b x.example a+b u@x.example" },
		{ "u+@x.example", "+",
			"u+@x.example u+ x.example  u@x.example" },
		{ "+box@x.example", "+",
			"+box@x.example +box x.example - +box@x.example" },
		{ "owner-list@x.example", "-",
			"owner-list@x.example owner-list x.example - "
			"owner-list@x.example" },
		{ "list-request@x.example", "-",
			"list-request@x.example list-request x.example - "
			"list-request@x.example" },
		{ "-request@x.example", "-",
			"-request@x.example -request x.example - "
			"-request@x.example" },
		{ "owner-list+x@x.example", "+",
			"owner-list+x@x.example owner-list+x x.example x "
			"owner-list@x.example" },
		{ "double-bounce@x.example", "-",
			"double-bounce@x.example double-bounce x.example - "
			"double-bounce@x.example" },
		{ "\"a b+c\"@x.example", "+",
			"\"a b+c\"@x.example \"a b+c\" x.example c "
			"\"a b\"@x.example" },
		{ "<user@example.net", "", NULL },
		{ "<", "", NULL },
		{ "user@", "", NULL },
		{ "@example.net", "", NULL },
		{ "<@a.example>", "", NULL },
		{ "\"u@x.example", "", NULL },
		{ "\"u\"x@x.example", "", NULL },
		{ "a b@x.example", "", NULL },
		{ "a@x y.example", "", NULL },
		{ "a\r\nb@x.example", "", NULL },
		{ "a@x.example\n", "", NULL },
		{ "a<b@x.example", "", NULL },
		{ "a@[", "", NULL },
		{ "a@[]", "", NULL },
		{ "a@.", "", NULL },
		{ LONG LONG LONG LONG LONG LONG "@x.example", "", NULL },
		{ "a+" LONG "@x.example", "+",
			"a+" LONG "@x.example a+" LONG " x.example " LONG
			" a@x.example" },
	};
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_address a;
		const char *got = NULL;

		if (mr_address_parse(arena, cases[i].text, cases[i].delimiters,
			    &a, &error) == 0)
			got = mr_arena_printf(arena, "%s %s %s %s %s", a.text,
				a.local, a.domain,
				a.detail == NULL ? "-" : a.detail, a.plain);
		expect_text(cases[i].text, got, cases[i].want);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *address;
		bool match;
	} cases[] = {
		{ "user@example.net", "user@example.net", true },
		{ "User@Example.NET", "user@example.net", true },
		{ "user@example.net", "user2@example.net", false },
		{ "user@example.net", "user@example.net.evil", false },
		{ "@example.net", "a@example.net", true },
		{ "example.net", "a@example.net", true },
		{ "example.net", "a@sub.example.net", false },
		{ "example.net", "a@badexample.net", false },
		{ ".example.net", "a@sub.example.net", true },
		{ ".example.net", "a@x.sub.example.net", true },
		{ ".example.net", "a@example.net", false },
		{ ".example.net", "a@badexample.net", false },
		{ "a@.example.net", "a@sub.example.net", true },
		{ "a@.example.net", "b@sub.example.net", false },
		{ ".exam*.net", "a@sub.example.net", true },
		{ ".exam*.net", "a@example.net", false },
		{ "*.example.net", "a@sub.example.net", true },
		{ "postmaster@", "postmaster@example.net", true },
		{ "postmaster@", "postmaster", true },
		{ "postmaster@*", "postmaster@example.net", true },
		{ "all@*", "ball@example.net", false },
		{ "*bounce*@example.net", "x-bounce-y@example.net", true },
		{ "*", "a@example.net", true },
		{ "*", "", false },
		{ "<>", "", true },
		{ "<>", "a@example.net", false },
		{ "a@b@x.example", "\"a@b\"@x.example", false },
		{ "\"a@b\"@x.example", "\"a@b\"@x.example", true },
	};
	static const char *const bad[] = { "", "@", ".", "a@.", "a b", "a@x y",
		"<a@x.example>", "a\n", "x..y" };
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		expect_number(cases[i].pattern,
			mr_address_pattern_check(cases[i].pattern, &error), 0);
		expect_number(cases[i].pattern,
			mr_address_pattern_match(
				cases[i].pattern, cases[i].address),
			cases[i].match);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_number(
			bad[i], mr_address_pattern_check(bad[i], &error), -1);
	expect_done();
}

static void test_hostnames(void **state)
{
	static const struct {
		const char *name;
		enum mr_hostname want;
	} cases[] = {
		{ "mx.example.net", MR_HOSTNAME_FINE },
		{ "mx.example.net.", MR_HOSTNAME_FINE },
		{ "my_host.example.net", MR_HOSTNAME_FINE },
		{ "3com.example", MR_HOSTNAME_FINE },
		{ "m\xc3\xbcller.example", MR_HOSTNAME_FINE },
		{ SIXTY "abc.example", MR_HOSTNAME_FINE },
		{ SIXTY "abcd.example", MR_HOSTNAME_INVALID },
		{ "localhost", MR_HOSTNAME_NOT_QUALIFIED },
		{ "localhost.", MR_HOSTNAME_NOT_QUALIFIED },
		{ "", MR_HOSTNAME_INVALID },
		{ ".", MR_HOSTNAME_INVALID },
		{ ".example.net", MR_HOSTNAME_INVALID },
		{ "a..b", MR_HOSTNAME_INVALID },
		{ "a.b..", MR_HOSTNAME_INVALID },
		{ "-a.example", MR_HOSTNAME_INVALID },
		{ "a-.example", MR_HOSTNAME_INVALID },
		{ "a b.example", MR_HOSTNAME_INVALID },
		{ "a@b.example", MR_HOSTNAME_INVALID },
		{ "1.2.3", MR_HOSTNAME_INVALID },
		{ "999.1.1.1", MR_HOSTNAME_INVALID },
		{ "192.0.2.1", MR_HOSTNAME_BARE_ADDRESS },
		{ "2001:db8::1", MR_HOSTNAME_BARE_ADDRESS },
		{ "[192.0.2.1]", MR_HOSTNAME_LITERAL },
		{ "[IPv6:2001:db8::1]", MR_HOSTNAME_LITERAL },
		{ "[ipv6:::ffff:192.0.2.1]", MR_HOSTNAME_LITERAL },
		{ "[2001:db8::1]", MR_HOSTNAME_INVALID },
		{ "[IPv6:192.0.2.1]", MR_HOSTNAME_INVALID },
		{ "[192.0.2.1", MR_HOSTNAME_INVALID },
		{ "[192.0.2.1]x", MR_HOSTNAME_INVALID },
		{ "[mx.example.net]", MR_HOSTNAME_INVALID },
		{ "[]", MR_HOSTNAME_INVALID },
		{ "[", MR_HOSTNAME_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_number(cases[i].name, mr_hostname_check(cases[i].name),
			cases[i].want);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_hostnames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
