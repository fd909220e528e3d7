/* test_spf - checks against a zone file: identities, results, words, and what
 * strangers' records may cost.  The RFC's own suite is tests/spf. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "tests/unit/files.h"

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/ip.h"
#include "common/lookup/dns.h"
#include "common/lookup/spf.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char zone_text[] =
	"$TTL 300\n"
	"mail.example. TXT \"v=spf1 a -all\"\n"
	"mail.example. A 192.0.2.1\n"
	"plain.example. TXT \"other\"\n"
	"plain.example. TXT \"v=spf1 ip4:192.0.2.0/24 -all exp=e.example\"\n"
	"e.example. TXT \"%{i} is not for %{s}: ask \" \"%{h}\"\n"
	"lead.example. TXT \"v=spf1 redirect=plain.example\"\n"
	"inc.example. TXT \"v=spf1 include:plain.example ~all exp=e.example\"\n"
	"incfail.example. TXT \"v=spf1 -include:plain.example ?all\"\n"
	"two.example. TXT \"v=spf1 -all\"\n"
	"two.example. TXT \"v=spf1 +all\"\n"
	"bad.example. TXT \"v=spf1 foo:bar -all\"\n"
	"incnone.example. TXT \"v=spf1 include:nothing.example -all\"\n"
	"slow.example. TXT \"v=spf1 a:broken.example -all\"\n"
	";!servfail broken.example.\n"
	"voids.example. TXT \"v=spf1 a:a.nothing.example a:b.nothing.example "
	"a:c.nothing.example -all\"\n"
	/* loops and depth */
	"self.example. TXT \"v=spf1 include:self.example -all\"\n"
	"ping.example. TXT \"v=spf1 include:pong.example -all\"\n"
	"pong.example. TXT \"v=spf1 redirect=ping.example\"\n"
	"tree.example. TXT \"v=spf1 include:tree.example include:tree.example "
	"include:tree.example include:tree.example -all\"\n"
	"turn.example. TXT \"v=spf1 redirect=turn.example\"\n"
	/* names: more than ten MX hosts; ten hosts ten times */
	"hosts.example. TXT \"v=spf1 mx mx:h.%{d} mx:i.%{d} mx:j.%{d} "
	"mx:k.%{d} mx:l.%{d} mx:m.%{d} -all\"\n"
	"*.hosts.example. MX 1 a.h.example.\n*.hosts.example. MX 1 b.h.example.\n"
	"*.hosts.example. MX 1 c.h.example.\n*.hosts.example. MX 1 d.h.example.\n"
	"*.hosts.example. MX 1 e.h.example.\n*.hosts.example. MX 1 f.h.example.\n"
	"*.hosts.example. MX 1 g.h.example.\n*.hosts.example. MX 1 h.h.example.\n"
	"*.hosts.example. MX 1 i.h.example.\n*.hosts.example. MX 1 j.h.example.\n"
	"hosts.example. MX 1 a.h.example.\n"
	"*.h.example. A 198.51.100.1\n"
	/* the client's name */
	"7.2.0.192.in-addr.arpa. PTR mx.names.example.\n"
	"7.2.0.192.in-addr.arpa. PTR forged.example.\n"
	"mx.names.example. A 192.0.2.7\n"
	"names.example. TXT \"v=spf1 exists:%{p}.p.%{d} -all\"\n"
	"mx.names.example.p.names.example. A 127.0.0.2\n"
	"ptr.example. TXT \"v=spf1 ptr:names.example -all\"\n"
	"xn--bcher-kva.example. TXT \"v=spf1 exists:a.b%{d} -all\"\n"
	"a.bxn--bcher-kva.example. A 127.0.0.2\n"
	"local.example. TXT \"v=spf1 exists:%{l}.example exists:%{l}.b.example "
	"exists:%{l}.c.example ?all\"\n"
	"null.example. TXT \"v=spf1 mx -all\"\n"
	"null.example. MX 0 .\n";

static const struct {
	const char *ip, *helo, *sender;
	enum mr_spf want;
	const char *explanation, *why; /* parts of them; NULL: none, any */
} rows[] = {
	{ "192.0.2.1", "mail.example", "", MR_SPF_PASS, NULL,
		"mail.example: a" },
	{ "192.0.2.2", "mail.example", "", MR_SPF_FAIL, "default", NULL },
	{ "192.0.2.1", "h", "a@plain.example", MR_SPF_PASS, NULL,
		"plain.example: ip4:192.0.2.0/24" },
	{ "::ffff:192.0.2.1", "h", "a@plain.example", MR_SPF_PASS, NULL, NULL },
	{ "192.0.2.1", "h", "a@PLAIN.example.", MR_SPF_PASS, NULL, NULL },
	{ "192.0.2.1", "h", "\"a@b\"@plain.example", MR_SPF_PASS, NULL, NULL },
	{ "198.51.100.1", "h", "a@plain.example", MR_SPF_FAIL,
		"198.51.100.1 is not for a@plain.example: ask h",
		"plain.example: -all" },
	{ "198.51.100.1", "h", "@plain.example", MR_SPF_FAIL,
		"not for postmaster@plain.example", NULL },
	{ "198.51.100.1", "h", "a@lead.example", MR_SPF_FAIL,
		"not for a@lead.example", "plain.example: -all" },
	{ "192.0.2.1", "h", "a@inc.example", MR_SPF_PASS, NULL,
		"inc.example: include:plain.example" },
	{ "198.51.100.1", "h", "a@inc.example", MR_SPF_SOFTFAIL, NULL,
		"inc.example: ~all" },
	/* not the explanation of who was included */
	{ "192.0.2.1", "h", "a@incfail.example", MR_SPF_FAIL, "default", NULL },
	{ "192.0.2.1", "h", "a@two.example", MR_SPF_PERMERROR, NULL,
		"more than one" },
	{ "192.0.2.1", "h", "a@bad.example", MR_SPF_PERMERROR, NULL,
		"bad.example: \"foo:bar\" is not a term" },
	{ "192.0.2.1", "h", "a@incnone.example", MR_SPF_PERMERROR, NULL,
		"include:nothing.example, which has no SPF record" },
	{ "192.0.2.1", "h", "a@slow.example", MR_SPF_TEMPERROR, NULL,
		"servfail" },
	{ "192.0.2.1", "h", "a@broken.example", MR_SPF_TEMPERROR, NULL,
		"servfail" },
	{ "192.0.2.1", "h", "a@nothing.example", MR_SPF_NONE, NULL,
		"nothing.example: it has no SPF record" },
	{ "192.0.2.1", "h", "", MR_SPF_NONE, NULL, "no name of a domain" },
	{ "192.0.2.1", "[192.0.2.1]", "", MR_SPF_NONE, NULL, NULL },
	{ "192.0.2.1", "", "", MR_SPF_NONE, NULL, NULL },
	{ "192.0.2.1", "h", "a", MR_SPF_NONE, NULL, NULL },
	{ "192.0.2.1", "h", "a@", MR_SPF_NONE, NULL, NULL },
	{ "192.0.2.1", "h", "a@b..example", MR_SPF_NONE, NULL, NULL },
	{ "192.0.2.1", "h", "a@voids.example", MR_SPF_PERMERROR, NULL,
		"more than 2 terms ask for what does not exist" },
	{ "192.0.2.1", "h", "a@self.example", MR_SPF_PERMERROR, NULL,
		"more than 10 terms" },
	{ "192.0.2.1", "h", "a@ping.example", MR_SPF_PERMERROR, NULL,
		"more than 10 terms" },
	{ "192.0.2.1", "h", "a@tree.example", MR_SPF_PERMERROR, NULL,
		"more than 10 terms" },
	{ "192.0.2.1", "h", "a@turn.example", MR_SPF_PERMERROR, NULL,
		"more than 10 terms" },
	{ "192.0.2.1", "h", "a@hosts.example", MR_SPF_PERMERROR, NULL,
		"more than 60 questions" },
	{ "192.0.2.7", "h", "a@names.example", MR_SPF_PASS, NULL, NULL },
	{ "192.0.2.8", "h", "a@names.example", MR_SPF_FAIL, "default", NULL },
	{ "192.0.2.7", "h", "a@ptr.example", MR_SPF_PASS, NULL, NULL },
	{ "192.0.2.1", "h",
		"a@b\xc3\xbc"
		"cher.example",
		MR_SPF_PASS, NULL, "xn--bcher-kva.example: exists:a.b%{d}" },
	{ "192.0.2.1", "h", "a@\xff.example", MR_SPF_NONE, NULL, "no name" },
	/* no void look-ups */
	{ "192.0.2.1", "h", "caf\xc3\xa9@local.example", MR_SPF_NEUTRAL, NULL,
		"local.example: ?all" },
	{ "192.0.2.1", "h", "a@null.example", MR_SPF_FAIL, "default", NULL },
};

static struct mr_dns *open_zone(void)
{
	struct mr_error error;
	struct mr_dns *dns;

	files_write("zone", zone_text, 0644);
	if (mr_dns_open_zone("zone", &dns, &error) < 0)
		fail_msg("%s", error.text);
	return dns;
}

static void check(struct mr_dns *dns, struct mr_arena *arena, const char *ip,
	const char *helo, const char *sender, int64_t deadline_ms,
	struct mr_spf_answer *answer)
{
	struct mr_error error;
	struct mr_ip parsed;
	const struct mr_spf_query query = {
		.ip = &parsed,
		.helo = helo,
		.sender = sender,
		.default_explanation = "default",
		.deadline_ms = deadline_ms,
	};

	assert_int_equal(mr_ip_parse(ip, &parsed, &error), 0);
	mr_spf_check(dns, &query, arena, answer);
	assert_non_null(answer->why);
	assert_true(answer->terms <= 10);
	assert_true(answer->questions <= MR_SPF_QUESTIONS);
}

static void test_checks(void **state)
{
	struct mr_dns *dns = open_zone();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mr_arena *arena = mr_arena_new(0);
		const char *name = mr_arena_printf(arena, "%s %s %s",
			rows[i].ip, rows[i].helo, rows[i].sender);
		struct mr_spf_answer answer;

		check(dns, arena, rows[i].ip, rows[i].helo, rows[i].sender,
			INT64_MAX, &answer);
		expect_text(name, mr_spf_word(answer.result),
			mr_spf_word(rows[i].want));
		if (rows[i].why != NULL)
			expect_part(name, answer.why, rows[i].why);
		if (rows[i].explanation == NULL)
			expect_text(name, answer.explanation, NULL);
		else
			expect_part(
				name, answer.explanation, rows[i].explanation);
		expect_number(name, answer.domain_explains,
			answer.explanation != NULL &&
				strcmp(answer.explanation, "default") != 0);
		mr_arena_free(&arena);
	}
	mr_dns_free(&dns);
	expect_done();
}

static void test_domain(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns *dns = open_zone();
	struct mr_spf_answer answer;

	(void)state;
	check(dns, arena, "192.0.2.1", "h", "a@lead.example", INT64_MAX,
		&answer);
	expect_text("redirected", answer.domain, "plain.example");
	check(dns, arena, "192.0.2.1", "h", "a@inc.example", INT64_MAX,
		&answer);
	expect_text("included", answer.domain, "inc.example");
	expect_number("terms", answer.terms, 1);
	expect_number("questions", answer.questions, 2);
	check(dns, arena, "192.0.2.1", "h", "a@nothing.example", INT64_MAX,
		&answer);
	expect_text("none", answer.domain, "nothing.example");
	mr_dns_free(&dns);
	mr_arena_free(&arena);
	expect_done();
}

/* Time that has run out is no reason to refuse. */
static void test_deadline(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns *dns = open_zone();
	struct mr_spf_answer answer;

	(void)state;
	check(dns, arena, "192.0.2.1", "h", "a@plain.example",
		mr_clock_ms() - 1, &answer);
	expect_text("late", mr_spf_word(answer.result), "temperror");
	expect_part("why", answer.why, "no time is left");
	mr_dns_free(&dns);
	mr_arena_free(&arena);
	expect_done();
}

static void test_no_address(void **state)
{
	const struct mr_ip nobody = { 0 };
	const struct mr_spf_query query = { .ip = &nobody,
		.helo = "h",
		.sender = "a@plain.example",
		.deadline_ms = INT64_MAX };
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns *dns = open_zone();
	struct mr_spf_answer answer;

	(void)state;
	mr_spf_check(dns, &query, arena, &answer);
	expect_text("result", mr_spf_word(answer.result), "none");
	mr_spf_prefetch(dns, "plain.example");
	mr_spf_prefetch(dns, "");
	mr_dns_free(&dns);
	mr_arena_free(&arena);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_no_address),
	};

	return cmocka_run_group_tests(tests, files_enter, files_leave);
}
