/* test_spf_text - the grammar of SPF records and macro strings, and what macros
 * expand to; RFC 7208 sections 7.4 and 12. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"

#include "common/base/arena.h"
#include "common/base/ip.h"
#include "common/lookup/spf_macro.h"
#include "common/lookup/spf_term.h"

#include <stdlib.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct mr_spf_slice slice_of(const char *text)
{
	return (struct mr_spf_slice){ text, strlen(text) };
}

/* --- macros ------------------------------------------------------------- */

static const struct {
	const char *string, *want; /* NULL: a syntax error */
} term_rows[] = {
	/* the RFC's own examples */
	{ "%{s}", "strong-bad@email.example.com" },
	{ "%{o}", "email.example.com" },
	{ "%{d}", "email.example.com" },
	{ "%{d4}", "email.example.com" },
	{ "%{d3}", "email.example.com" },
	{ "%{d2}", "example.com" },
	{ "%{d1}", "com" },
	{ "%{dr}", "com.example.email" },
	{ "%{d2r}", "example.email" },
	{ "%{l}", "strong-bad" },
	{ "%{l-}", "strong.bad" },
	{ "%{lr}", "strong-bad" },
	{ "%{lr-}", "bad.strong" },
	{ "%{l1r-}", "strong" },
	{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
	{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
	{ "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
		"bad.strong.lp.3.2.0.192.in-addr._spf.example.com" },
	{ "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
		"3.2.0.192.in-addr.strong.lp._spf.example.com" },
	{ "%{d2}.trusted-domains.example.net",
		"example.com.trusted-domains.example.net" },
	/* ours */
	{ "", "" },
	{ "a%%b%_c%-d", "a%b c%20d" },
	{ "%{h}", "mail.example.com" },
	{ "%{p}", "unknown" },
	{ "%{S}", "strong-bad%40email.example.com" },
	{ "%{sr@}", NULL },
	{ "%{l999}", "strong-bad" },
	{ "%{d99999999999999999999r}", "com.example.email" },
	{ "%{LR-}", "bad.strong" },
	{ "%{s.-+,/_=}", "strong.bad@email.example.com" },
	{ "%{d0}", NULL },
	{ "%{d00}", NULL },
	{ "%{dr2}", NULL },
	{ "%{}", NULL },
	{ "%{", NULL },
	{ "%", NULL },
	{ "%a", NULL },
	{ "%{d", NULL },
	{ "%{x}", NULL },
	{ "%{dd}", NULL },
	{ "a b", NULL },
	{ "a\tb", NULL },
	{ "\xc3\xa9", NULL },
	{ "\x7f", NULL },
	{ "%{c}", NULL },
	{ "%{r}", NULL },
	{ "%{t}", NULL },
};

static const struct {
	const char *string, *want;
} explanation_rows[] = {
	{ "Go away, %{c}.", "Go away, 192.0.2.3." },
	{ "%{r} at %{t}", "mx.example.net at 1700000000" },
	{ "a\tb", NULL },
	{ "a\nb", NULL },
	{ "caf\xc3\xa9", NULL },
};

static struct mr_ip ip_of(const char *text)
{
	struct mr_error error;
	struct mr_ip ip;

	assert_int_equal(mr_ip_parse(text, &ip, &error), 0);
	return ip;
}

static const char *expand(struct mr_arena *arena, struct mr_spf_slice string,
	enum mr_spf_place place, const char *ip_text, struct mr_error *error)
{
	struct mr_ip ip = ip_of(ip_text);
	const struct mr_spf_values values = {
		.sender = "strong-bad@email.example.com",
		.local = "strong-bad",
		.sender_domain = "email.example.com",
		.domain = "email.example.com",
		.ip = &ip,
		.helo = "mail.example.com",
		.receiver = "mx.example.net",
		.now = 1700000000,
	};
	const char *text = NULL;

	return mr_spf_expand(arena, string, place, &values, &text, error) < 0
	               ? NULL
	               : text;
}

static void test_macros(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < COUNT(term_rows); i++)
		expect_text(term_rows[i].string,
			expand(arena, slice_of(term_rows[i].string),
				MR_SPF_IN_TERM, "192.0.2.3", &error),
			term_rows[i].want);
	for (size_t i = 0; i < COUNT(explanation_rows); i++)
		expect_text(explanation_rows[i].string,
			expand(arena, slice_of(explanation_rows[i].string),
				MR_SPF_IN_EXPLANATION, "192.0.2.3", &error),
			explanation_rows[i].want);
	expect_text("NUL",
		expand(arena, (struct mr_spf_slice){ "a\0b", 3 },
			MR_SPF_IN_EXPLANATION, "192.0.2.3", &error),
		NULL);
	mr_arena_free(&arena);
	expect_done();
}

static void test_ipv6_macros(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;

	(void)state;
	expect_text("ir",
		expand(arena, slice_of("%{ir}.%{v}._spf.%{d2}"), MR_SPF_IN_TERM,
			"2001:db8::cb01", &error),
		"1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0."
		"0.2.ip6._spf.example.com");
	expect_text("c",
		expand(arena, slice_of("%{c}"), MR_SPF_IN_EXPLANATION,
			"2001:DB8::CB01", &error),
		"2001:db8::cb01");
	mr_arena_free(&arena);
	expect_done();
}

/* However many macros: no more comes out, nor is more taken. */
static void test_long_expansion(void **state)
{
	const size_t macros = 13000;
	char *string = calloc(macros + 1, 5);
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < 127; i++)
		memcpy(string + 4 * i, "%{d}", 4);
	assert_int_equal(strlen(expand(arena, slice_of(string), MR_SPF_IN_TERM,
				 "192.0.2.3", &error)),
		127 * strlen("email.example.com"));
	for (size_t i = 0; i < macros; i++)
		memcpy(string + 5 * i, "%{sr}", 5);
	expect_text("13000 macros",
		expand(arena, slice_of(string), MR_SPF_IN_TERM, "192.0.2.3",
			&error),
		NULL);
	expect_part("why", error.text, "more than 32768 octets");
	assert_true(mr_arena_size(arena) < 8 * MR_SPF_EXPANSION);
	mr_arena_free(&arena);
	free(string);
	expect_done();
}

/* --- records ------------------------------------------------------------ */

static const struct {
	const char *text;
	bool want;
} version_rows[] = {
	{ "v=spf1", true },
	{ "v=spf1 ", true },
	{ "V=SPF1 -all", true },
	{ "v=spf10", false },
	{ "v=spf1-all", false },
	{ "v=spf1\t-all", false },
	{ " v=spf1", false },
	{ "v=spf", false },
	{ "spf2.0/pra", false },
	{ "", false },
};

static void test_versions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(version_rows); i++)
		expect_number(version_rows[i].text,
			mr_spf_is_record(slice_of(version_rows[i].text)),
			version_rows[i].want);
	expect_done();
}

/* One term each, behind "v=spf1 ". */
static const struct {
	const char *text;
	enum mr_spf_kind kind;
	enum mr_spf qualifier;
	const char *domain; /* NULL: none */
	unsigned bits4, bits6;
} good_rows[] = {
	{ "all", MR_SPF_ALL, MR_SPF_PASS, NULL, 32, 128 },
	{ "-ALL", MR_SPF_ALL, MR_SPF_FAIL, NULL, 32, 128 },
	{ "~all", MR_SPF_ALL, MR_SPF_SOFTFAIL, NULL, 32, 128 },
	{ "?all", MR_SPF_ALL, MR_SPF_NEUTRAL, NULL, 32, 128 },
	{ "+a", MR_SPF_A, MR_SPF_PASS, NULL, 32, 128 },
	{ "a/24", MR_SPF_A, MR_SPF_PASS, NULL, 24, 128 },
	{ "a//64", MR_SPF_A, MR_SPF_PASS, NULL, 32, 64 },
	{ "a/0//0", MR_SPF_A, MR_SPF_PASS, NULL, 0, 0 },
	{ "a:b.example/24//64", MR_SPF_A, MR_SPF_PASS, "b.example", 24, 64 },
	{ "a:b.example.", MR_SPF_A, MR_SPF_PASS, "b.example.", 32, 128 },
	{ "a:.example", MR_SPF_A, MR_SPF_PASS, ".example", 32, 128 },
	{ "a:b/c.example", MR_SPF_A, MR_SPF_PASS, "b/c.example", 32, 128 },
	{ "a:%{d}/16", MR_SPF_A, MR_SPF_PASS, "%{d}", 16, 128 },
	{ "mx", MR_SPF_MX, MR_SPF_PASS, NULL, 32, 128 },
	{ "?mx:%{d2}.x-1", MR_SPF_MX, MR_SPF_NEUTRAL, "%{d2}.x-1", 32, 128 },
	{ "ptr", MR_SPF_PTR, MR_SPF_PASS, NULL, 32, 128 },
	{ "ptr:b.example", MR_SPF_PTR, MR_SPF_PASS, "b.example", 32, 128 },
	{ "ip4:192.0.2.1", MR_SPF_IP4, MR_SPF_PASS, NULL, 32, 128 },
	{ "ip4:192.0.2.1/9", MR_SPF_IP4, MR_SPF_PASS, NULL, 9, 128 },
	{ "ip6:2001:db8::/32", MR_SPF_IP6, MR_SPF_PASS, NULL, 32, 32 },
	{ "ip6:::ffff:192.0.2.1", MR_SPF_IP6, MR_SPF_PASS, NULL, 32, 128 },
	{ "include:b.example", MR_SPF_INCLUDE, MR_SPF_PASS, "b.example", 32,
		128 },
	{ "exists:%{i}%%", MR_SPF_EXISTS, MR_SPF_PASS, "%{i}%%", 32, 128 },
	{ "redirect=b.example", MR_SPF_REDIRECT, MR_SPF_PASS, "b.example", 32,
		128 },
	{ "EXP=b.example", MR_SPF_EXP, MR_SPF_PASS, "b.example", 32, 128 },
	{ "x-y.z_1=%{d}/", MR_SPF_OTHER, MR_SPF_PASS, "%{d}/", 32, 128 },
	{ "include=b", MR_SPF_OTHER, MR_SPF_PASS, "b", 32, 128 },
	{ "default=", MR_SPF_OTHER, MR_SPF_PASS, "", 32, 128 },
};

static const char *const wrong_rows[] = { "-", "-all/8", "all:b.example",
	"all.", "alll", "--all", "include", "include:", "include:b",
	"include:b.1", "include:b.-c", "include:b.c-", "include:b..",
	"include:b.example/24", "a:", "a:/24", "a/33", "a//129", "a/024", "a/",
	"a/24/64", "a:b", "a:%{d}b", "a:%{x}.example", "a,b.example", "mx:1.2",
	"ptr/24", "ip4", "ip4:", "ip4:192.0.2", "ip4:192.0.2.1/33",
	"ip4:192.0.2.1//32", "ip4:192.0.2.1/", "ip4:2001:db8::1",
	"ip4:1.2.3.04", "ip6:192.0.2.1", "ip6:2001:db8::/129",
	"ip6:2001:db8::/064", "exists", "exists:", "exists:%",
	"redirect=", "redirect=b", "-redirect=b.example", "redirect:b.example",
	"exp=", "=b", "1a=b", "x=%", "x=\x7f", "a\xc3\xa9", "\"all\"",
	"unknown:b.example", "redirect=b.example redirect=b.example",
	"exp=b.example exp=c.example" };

static struct mr_spf_slice record_of(struct mr_arena *arena, const char *text)
{
	return slice_of(mr_arena_printf(arena, "v=spf1 %s", text));
}

static void test_good_terms(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < COUNT(good_rows); i++) {
		const char *text = good_rows[i].text;
		struct mr_spf_slice record = record_of(arena, text);
		struct mr_spf_term term;
		size_t at = 0;

		if (mr_spf_record_check(record, &error) < 0)
			expect_text(text, error.text, "no error");
		if (!mr_spf_next_term(record, &at, &term)) {
			expect_text(text, "no term", "a term");
			continue;
		}
		expect_number(text, term.kind, good_rows[i].kind);
		expect_number(text, term.qualifier, good_rows[i].qualifier);
		expect_text(text,
			term.domain.text == NULL
				? NULL
				: mr_arena_strndup(arena, term.domain.text,
					  term.domain.length),
			good_rows[i].domain);
		expect_number(text, term.bits4, good_rows[i].bits4);
		expect_number(text, term.bits6, good_rows[i].bits6);
		expect_number(text, mr_spf_next_term(record, &at, &term), 0);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_wrong_terms(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong_rows); i++)
		expect_number(wrong_rows[i],
			mr_spf_record_check(
				record_of(arena, wrong_rows[i]), &error),
			-1);
	expect_number("NUL",
		mr_spf_record_check(
			(struct mr_spf_slice){ "v=spf1 a\0b", 10 }, &error),
		-1);
	expect_number("NUL in an address",
		mr_spf_record_check(
			(struct mr_spf_slice){ "v=spf1 ip4:192.0.2.1\0", 21 },
			&error),
		-1);
	mr_arena_free(&arena);
	expect_done();
}

static void test_blanks(void **state)
{
	struct mr_spf_slice record = slice_of("v=spf1   a  mx   -all  ");
	struct mr_error error;
	struct mr_spf_term term;
	size_t at = 0, n = 0;

	(void)state;
	assert_int_equal(mr_spf_record_check(record, &error), 0);
	while (mr_spf_next_term(record, &at, &term))
		n++;
	assert_int_equal(n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_ipv6_macros),
		cmocka_unit_test(test_long_expansion),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_good_terms),
		cmocka_unit_test(test_wrong_terms),
		cmocka_unit_test(test_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
