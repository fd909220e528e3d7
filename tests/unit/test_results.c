/* test_results - which headers about a mail's sender claim to be ours. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"

#include "common/policy/results.h"

static void test_claims(void **state)
{
	static const struct {
		const char *value;
		bool claims;
	} table[] = {
		{ " mx.lab.example; spf=pass", true },
		{ "mx.lab.example", true },
		{ " MX.Lab.EXAMPLE ; none", true },
		{ " mx.lab.example 1; none", true },
		{ " (a) mx.lab.example (b) 1 (c) ; none", true },
		{ " (a (b) \\) c) mx.lab.example; none", true },
		{ "\n\tmx.lab.example;\n\tspf=pass", true },
		{ " \"mx.lab.example\"; none", true },
		{ " \"mx\\.lab.example\"; none", true },
		{ " mx.lab.exampl; none", false },
		{ " mx.lab.example.org; none", false },
		{ " xmx.lab.example; none", false },
		{ " other.example; spf=pass (mx.lab.example; none)", false },
		{ " other.example 1; none", false },
		{ " \"other.example\" (x); none", false },
		{ " (mx.lab.example) other.example; none", false },
		/* what nobody can parse */
		{ "", true },
		{ "  ", true },
		{ " ; none", true },
		{ " (mx.lab.example; none", true },
		{ " \"other.example; none", true },
		{ " other.example spf=pass; none", true },
		{ " other.example 1 2; none", true },
		{ " other.example) ; none", true },
		{ " \"\"; none", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		expect_text(table[i].value,
			mr_results_claims(table[i].value, "mx.lab.example")
				? "ours"
				: "not ours",
			table[i].claims ? "ours" : "not ours");
	expect_done();
}

static void test_spf_claims(void **state)
{
	static const struct {
		const char *value;
		bool claims;
	} table[] = {
		{ " pass receiver=mx.lab.example; client-ip=192.0.2.7", true },
		{ "Pass (a) receiver=MX.lab.example;", true },
		{ " pass receiver=\"mx.lab.example\"", true },
		{ " pass\n\treceiver = mx.lab.example;\n\thelo=a.example",
			true },
		{ " pass (x) client-ip=192.0.2.7; receiver=mx.lab.example",
			true },
		{ " pass RECEIVER=(a) mx.lab.example (b);", true },
		{ " pass receiver=a.example; receiver=mx.lab.example", true },
		/* nobody's is ours */
		{ " pass", true },
		{ " pass client-ip=192.0.2.7; helo=a.example", true },
		{ " pass (mx.lab.example: 192.0.2.7 may send) client-ip=192.0.2.7",
			true },
		{ " pass receiver=mx.lab.example.org; helo=a", false },
		{ " pass receiver=other.example", false },
		{ " pass (mailfrom) identity=mailfrom; client-ip=192.0.2.7; "
		  "helo=a.example; envelope-from=ann@a.example; "
		  "receiver=<UNKNOWN>",
			false },
		{ " pass receiver=other.example; envelope-from=\"\";", false },
		{ " pass receiver=other.example; envelope-from=\"a\\\"; "
		  "receiver=mx.lab.example\"",
			false },
		{ " none (receiver=mx.lab.example) receiver=other.example;\n",
			false },
		/* what nobody can parse */
		{ "", true },
		{ " (", true },
		{ " pass receiver", true },
		{ " pass receiver=", true },
		{ " pass receiver=other.example helo=a.example", true },
		{ " pass receiver=\"other.example", true },
		{ " pass receiver=other.example; =x", true },
		{ " pass receiver=other.example; (", true },
		{ " pass receiver=other.example; @=x", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		expect_text(table[i].value,
			mr_results_spf_claims(table[i].value, "mx.lab.example")
				? "ours"
				: "not ours",
			table[i].claims ? "ours" : "not ours");
	expect_done();
}

static void test_say(void **state)
{
	static const struct {
		const char *value;
		bool says;
	} table[] = {
		{ " relay.example; x-spam=yes", true },
		{ "RELAY.example;X-SPAM=Yes", true },
		{ " relay.example 1; spf=pass; x-spam=yes;", true },
		{ " (a) relay.example (b) ;\n\tx-spam (c) = (d) yes (e)",
			true },
		{ " relay.example; x-spam/1=yes", true },
		{ " relay.example; x-spam / 1 = yes policy.score=99", true },
		{ " relay.example; x-spam=no; x-spam=yes", true },
		{ " relay.example; spf=pass reason=\"; \\\" (\" a=b; x-spam=yes",
			true },
		{ " relay.example; spf=pass (; (;)) ; x-spam=yes", true },
		{ " relay.example; x-spam=yes-indeed", true },
		{ " relay.example; x-spam=no", false },
		{ " relay.example; none", false },
		{ " relay.example", false },
		{ " relay.example; spf=pass x-spam=yes", false },
		{ " relay.example; spf=pass (; x-spam=yes)", false },
		{ " relay.example; spf=pass a=\"; x-spam=yes\"", false },
		{ " relay.example; ax-spam=yes", false },
		{ " relay.example; x-spamx=yes", false },
		{ " relay.example.org; x-spam=yes", false },
		{ " (relay.example; x-spam=yes) other.example; none", false },
		/* what cannot be parsed says nothing */
		{ "", false },
		{ " ; x-spam=yes", false },
		{ " relay.example; x-spam=yes; (", false },
		{ " relay.example; x-spam=yes; =", false },
		{ " relay.example; x-spam=yes; spf", false },
		{ " relay.example; x-spam=yes a=\"", false },
		{ " relay.example; x-spam=\"yes\"", false },
		{ " relay.example 1 2; x-spam=yes", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		expect_text(table[i].value,
			mr_results_say(table[i].value, "relay.example",
				"x-spam", "yes*")
				? "says so"
				: "does not",
			table[i].says ? "says so" : "does not");
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_spf_claims),
		cmocka_unit_test(test_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
