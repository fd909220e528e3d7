/* test_dnsbl - codes, reversed names, what answers mean, and the weighing */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "common/lookup/dnsbl.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct mr_ip ip_of(const char *text)
{
	struct mr_error error;
	struct mr_ip ip;

	if (mr_ip_parse(text, &ip, &error) < 0)
		fail_msg("%s", error.text);
	return ip;
}

static void test_codes(void **state)
{
	static const struct {
		const char *codes, *code;
		bool want;
	} cases[] = {
		{ "127.0.0.2", "127.0.0.2", true },
		{ "127.0.0.2", "127.0.0.3", false },
		{ "127.0.0.2..11", "127.0.0.2", true },
		{ "127.0.0.2..11", "127.0.0.11", true },
		{ "127.0.0.2..11", "127.0.0.12", false },
		{ "127.0.0.2..11", "127.0.0.1", false },
		{ "127.0.0.2..11", "127.0.1.2", false },
		{ "127.0.*.1..3", "127.0.15.3", true },
		{ "127.0.*.1..3", "127.0.15.0", false },
		{ "127.0.*.1..3", "127.1.15.3", false },
		{ "127.*.*.*", "127.1.2.3", true },
		{ "127.*.*.*", "128.1.2.3", false },
		{ "127.*.*.*", "127.255.255.254", false },
		{ "127.0..2.0.255", "127.2.0.255", true },
		{ "127.0.0.2", "2001:db8::1", false },
	};
	static const char *const wrong[] = { "", "127", "127.0.0", "127.0.0.",
		"127.0.0.2.3", "127.0.0.256", "127.0.0.2..", "127.0.0.5..2",
		"127.0.0.2...3", "127.0.0.x", "127.0.0.2 ", "10.0.0.1",
		"*.0.0.2", "126..127.0.0.2", "127.0.0.0002", "127.0.0.-1",
		"127.255.255.254", "127.0.0.**", "127.0.0.*2", "127.0.0.2/31" };
	struct mr_codes codes;
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mr_ip code = ip_of(cases[i].code);

		expect_number(cases[i].codes,
			mr_codes_parse(cases[i].codes, &codes, &error), 0);
		expect_number(cases[i].code, mr_codes_match(&codes, &code),
			cases[i].want);
	}
	for (size_t i = 0; i < COUNT(wrong); i++)
		expect_number(
			wrong[i], mr_codes_parse(wrong[i], &codes, &error), -1);
	expect_done();
}

static void test_reverse(void **state)
{
	static const struct {
		const char *ip, *want;
	} cases[] = {
		{ "192.0.2.99", "99.2.0.192.bl.example" },
		{ "::ffff:192.0.2.99", "99.2.0.192.bl.example" },
		/* RFC 5782 section 2.4 */
		{ "2001:db8:1:2:3:4:567:89ab",
			"b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b."
			"d.0.1.0.0.2.bl.example" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mr_ip ip = ip_of(cases[i].ip);

		expect_text(cases[i].ip,
			mr_dns_reverse_name(arena, &ip, "bl.example"),
			cases[i].want);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_read(void **state)
{
	static const struct {
		const char *codes; /* NULL: any */
		const char *answer[3];
		enum mr_dnsbl_says want;
		const char *code;
	} cases[] = {
		{ NULL, { "127.0.0.2" }, MR_DNSBL_LISTED, "127.0.0.2" },
		{ NULL, { "127.0.1.2" }, MR_DNSBL_LISTED, "127.0.1.2" },
		{ NULL, { "127.0.0.1" }, MR_DNSBL_REFUSED, "127.0.0.1" },
		{ NULL, { "127.0.0.255" }, MR_DNSBL_REFUSED, "127.0.0.255" },
		{ NULL, { "127.255.255.252" }, MR_DNSBL_REFUSED,
			"127.255.255.252" },
		{ NULL, { "203.0.113.1" }, MR_DNSBL_PARKED, "203.0.113.1" },
		{ NULL, { "0.0.0.0" }, MR_DNSBL_PARKED, "0.0.0.0" },
		{ "127.0.0.1", { "127.0.0.1" }, MR_DNSBL_LISTED, "127.0.0.1" },
		{ "127.0.0.2..11", { "127.0.0.1" }, MR_DNSBL_REFUSED,
			"127.0.0.1" },
		{ "127.0.0.2..11", { "127.0.0.12" }, MR_DNSBL_OTHER,
			"127.0.0.12" },
		{ "127.0.0.2..11", { "127.0.0.12", "127.0.0.4" },
			MR_DNSBL_LISTED, "127.0.0.4" },
		{ "127.0.0.2..11", { "127.0.0.4", "127.0.0.12" },
			MR_DNSBL_LISTED, "127.0.0.4" },
		/* one bad answer spoils good ones */
		{ "127.0.0.2..11", { "127.0.0.4", "127.255.255.254" },
			MR_DNSBL_REFUSED, "127.255.255.254" },
		{ "127.0.0.2..11", { "127.0.0.12", "127.255.255.254" },
			MR_DNSBL_REFUSED, "127.255.255.254" },
		{ "127.0.0.2..11", { "10.0.0.1", "127.0.0.4" }, MR_DNSBL_PARKED,
			"10.0.0.1" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mr_dns_record records[3] = { { .type = MR_DNS_A } };
		struct mr_dns_answer answer = { .records = records };
		struct mr_dnsbl_list list = { .title = "bl" };
		struct mr_codes codes;
		struct mr_error error;
		struct mr_ip code;

		for (; cases[i].answer[answer.n] != NULL; answer.n++)
			records[answer.n].ip = ip_of(cases[i].answer[answer.n]);
		if (cases[i].codes != NULL) {
			mr_codes_parse(cases[i].codes, &codes, &error);
			list.codes = &codes;
			list.n_codes = 1;
		}
		expect_number(cases[i].answer[0],
			mr_dnsbl_read(&list, MR_FOUND, &answer, &code),
			cases[i].want);
		expect_text(cases[i].answer[0], mr_ip_format(arena, &code),
			cases[i].code);
		expect_number("not found",
			mr_dnsbl_read(&list, MR_NOTFOUND, &answer, &code),
			MR_DNSBL_CLEAR);
		expect_number("no answer",
			mr_dnsbl_read(&list, MR_TEMPFAIL, &answer, &code),
			MR_DNSBL_SILENT);
	}
	mr_arena_free(&arena);
	expect_done();
}

/* What each list says: L(isted), c(lear), ?, -(not asked). */
static enum mr_dnsbl_says says_of(char letter)
{
	switch (letter) {
	case 'L':
		return MR_DNSBL_LISTED;
	case '?':
		return MR_DNSBL_SILENT;
	case '-':
		return MR_DNSBL_UNASKED;
	case 'o':
		return MR_DNSBL_OTHER;
	default:
		return MR_DNSBL_CLEAR;
	}
}

static void test_weigh(void **state)
{
	static const struct mr_dnsbl_list lists[] = {
		{ .title = "one", .weight = 1 },
		{ .title = "two", .weight = 2 },
		{ .title = "five", .weight = 5 },
		{ .title = "white", .weight = 0, .white = true },
		{ .title = "less", .weight = 2, .white = true },
	};
	static const struct {
		const char *says;
		int64_t threshold;
		enum mr_dnsbl_sum want;
		int64_t score;
	} cases[] = {
		{ "ccccc", 1, MR_DNSBL_BELOW, 0 },
		{ "Lcccc", 1, MR_DNSBL_REACHED, 1 },
		{ "Lcccc", 2, MR_DNSBL_BELOW, 1 },
		{ "LLccc", 3, MR_DNSBL_REACHED, 3 },
		{ "occcc", 1, MR_DNSBL_BELOW, 0 },
		/* could what is missing still reach it? */
		{ "?cccc", 1, MR_DNSBL_OPEN, 0 },
		{ "?cccc", 2, MR_DNSBL_BELOW, 0 },
		{ "?Lccc", 3, MR_DNSBL_OPEN, 2 },
		{ "??ccc", 4, MR_DNSBL_BELOW, 0 },
		{ "?L?cc", 2, MR_DNSBL_REACHED, 2 },
		{ "-cccc", 1, MR_DNSBL_BELOW, 0 },
		/* lists of good senders */
		{ "LLLLc", 1, MR_DNSBL_BELOW, 8 },
		{ "???Lc", 1, MR_DNSBL_BELOW, 0 },
		{ "cLccL", 1, MR_DNSBL_BELOW, 0 },
		{ "cLccL", 0, MR_DNSBL_REACHED, 0 },
		{ "ccLcL", 3, MR_DNSBL_REACHED, 3 },
		{ "cLc?c", 2, MR_DNSBL_OPEN, 2 },
		{ "ccc?c", 2, MR_DNSBL_BELOW, 0 },
		{ "cLcc?", 1, MR_DNSBL_OPEN, 2 },
		{ "ccLc?", 3, MR_DNSBL_REACHED, 5 },
		{ "cLc--", 2, MR_DNSBL_REACHED, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mr_dnsbl_found found[COUNT(lists)] = { 0 };
		int64_t score;

		for (size_t l = 0; l < COUNT(lists); l++)
			found[l].says = says_of(cases[i].says[l]);
		expect_number(cases[i].says,
			mr_dnsbl_weigh(lists, COUNT(lists), found,
				cases[i].threshold, &score),
			cases[i].want);
		expect_number(cases[i].says, score, cases[i].score);
	}
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_weigh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
