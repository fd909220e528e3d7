/* test_dns - what questions mean, with answers from a zone file. */
/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/lookup/dns.h"
#include "common/lookup/idn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char zone_text[] =
	"$TTL 300\n"
	"; a comment\n"
	"mx.lab.example. IN A 192.0.2.1\n"
	"mx.lab.example. IN AAAA 2001:db8::1\n"
	"MX.lab.example. IN MX 10 mx.lab.example.\n"
	"lab.example. 60 IN MX 20 second.lab.example.\n"
	"lab.example. 90 IN MX 10 MX.lab.example.\n"
	"lab.example. IN TXT \"v=spf1 \" \"-all\"\n"
	"lab.example. IN TXT \"\\000b\"\n"
	"null.example. IN MX 0 .\n"
	"alias.example. 30 IN CNAME LAB.example.\n"
	"www.lab.example. IN CNAME mail.lab.example.\n"
	"mail.lab.example. IN CNAME MX.Lab.Example.\n"
	"nowhere.lab.example. IN CNAME gone.lab.example.\n"
	"one.loop.example. IN CNAME two.loop.example.\n"
	"two.loop.example. IN CNAME one.loop.example.\n"
	"*.wild.example. IN A 192.0.2.7\n"
	"there.wild.example. IN AAAA 2001:db8::7\n"
	"bad.example. IN CNAME broken.example.\n"
	";!servfail broken.example.\n"
	";!timeout slow.example\n"
	"1.2.0.192.in-addr.arpa. IN PTR MX.lab.example.\n"
	"1.2.0.192.in-addr.arpa. IN PTR second.lab.example.\n"
	"2.2.0.192.in-addr.arpa. IN CNAME 2.0-63.2.0.192.in-addr.arpa.\n"
	"2.0-63.2.0.192.in-addr.arpa. IN PTR classless.lab.example.\n"
	"$ORIGIN 0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.\n"
	"1.0.0.0.0.0.0.0.0.0.0.0 IN PTR six.lab.example.\n";

static struct mr_ip ip_of(const char *text)
{
	struct mr_error error;
	struct mr_ip ip;

	if (mr_ip_parse(text, &ip, &error) < 0)
		fail_msg("%s", error.text);
	return ip;
}

static int open_zone_text(
	const char *text, struct mr_dns **dns, struct mr_error *error)
{
	char path[] = "/tmp/test_dns.XXXXXX";
	int fd = mkstemp(path), result;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	result = mr_dns_open_zone(path, dns, error);
	unlink(path);
	return result;
}

static const struct {
	const char *name, *ip;
	enum mr_lookup want;
} zone_rows[] = {
	{ "mx.lab.example", "192.0.2.1", MR_FOUND },
	{ "MX.LAB.example.", "192.0.2.1", MR_FOUND },
	{ "mx.lab.example", "192.0.2.2", MR_NOTFOUND },
	{ "mx.lab.example", "2001:db8::1", MR_FOUND },
	{ "mx.lab.example", "2001:db8::2", MR_NOTFOUND },
	{ "www.lab.example", "192.0.2.1", MR_FOUND },
	{ "nowhere.lab.example", "192.0.2.1", MR_NOTFOUND },
	{ "one.loop.example", "192.0.2.1", MR_NOTFOUND },
	{ "a.wild.example", "192.0.2.7", MR_FOUND },
	{ "a.b.wild.example", "192.0.2.7", MR_FOUND },
	{ "there.wild.example", "192.0.2.7", MR_NOTFOUND },
	{ "a.there.wild.example", "192.0.2.7", MR_NOTFOUND },
	{ "gone.example", "192.0.2.1", MR_NOTFOUND },
	{ "broken.example", "192.0.2.1", MR_TEMPFAIL },
	{ "Slow.example", "192.0.2.1", MR_TEMPFAIL },
	{ "bad.example", "192.0.2.1", MR_TEMPFAIL },
	{ "", "192.0.2.1", MR_NOTFOUND },
	{ ".", "192.0.2.1", MR_NOTFOUND },
	{ "a..b", "192.0.2.1", MR_NOTFOUND },
	{ ".a", "192.0.2.1", MR_NOTFOUND },
	{ "a-label-of-more-than-sixty-three-octets-cannot-be-asked-in-the-dns"
	  ".example",
		"192.0.2.1", MR_NOTFOUND },
};

static void test_zone_addresses(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;
	struct mr_dns *dns;

	(void)state;
	if (open_zone_text(zone_text, &dns, &error) < 0)
		fail_msg("%s", error.text);
	for (size_t i = 0; i < sizeof(zone_rows) / sizeof(zone_rows[0]); i++) {
		struct mr_ip ip = ip_of(zone_rows[i].ip);
		enum mr_lookup got = mr_dns_name_has(
			dns, zone_rows[i].name, &ip, INT64_MAX, arena, &error);

		if (got != zone_rows[i].want)
			fail_msg("%s %s: got %d, want %d", zone_rows[i].name,
				zone_rows[i].ip, got, zone_rows[i].want);
	}
	mr_dns_free(&dns);
	assert_null(dns);
	mr_arena_free(&arena);
}

static const struct {
	const char *ip, *want; /* names joined by blanks, "" for none */
} name_rows[] = {
	{ "192.0.2.1", "mx.lab.example second.lab.example" },
	{ "192.0.2.2", "classless.lab.example" },
	{ "192.0.2.3", "" },
	{ "2001:db8::1", "six.lab.example" },
	{ "2001:db8::1:0:0:0", "" },
};

static const char *names_of(struct mr_arena *arena, struct mr_dns *dns,
	const char *ip_text, enum mr_lookup *found)
{
	struct mr_ip ip = ip_of(ip_text);
	const char *const *names;
	const char *all = "";
	struct mr_error error;

	*found = mr_dns_names(
		dns, &ip, mr_clock_ms() + 500, arena, &names, &error);
	if (*found != MR_FOUND)
		return *found == MR_TEMPFAIL ? "?" : "";
	for (; *names != NULL; names++)
		all = mr_arena_printf(arena, "%s%s%s", all,
			all[0] == '\0' ? "" : " ", *names);
	return all;
}

static void test_zone_names(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;
	enum mr_lookup found;
	struct mr_dns *dns;

	(void)state;
	if (open_zone_text(zone_text, &dns, &error) < 0)
		fail_msg("%s", error.text);
	for (size_t i = 0; i < sizeof(name_rows) / sizeof(name_rows[0]); i++) {
		const char *got = names_of(arena, dns, name_rows[i].ip, &found);

		if (strcmp(got, name_rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", name_rows[i].ip,
				got, name_rows[i].want);
	}
	mr_dns_free(&dns);
	mr_arena_free(&arena);
}

static void test_zone_mistakes(void **state)
{
	struct mr_error error;
	struct mr_dns *dns;

	(void)state;
	assert_int_equal(open_zone_text("good.example. IN A 192.0.2.1\n"
					"\n"
					"bad.example. IN A 192.0.2.999\n",
				 &dns, &error),
		-1);
	if (strstr(error.text, ":3: ") == NULL)
		fail_msg("no line number: %s", error.text);
	assert_int_equal(mr_dns_open_zone("/nowhere/at/all", &dns, &error), -1);
	assert_non_null(strstr(error.text, "No such file"));
	assert_int_equal(open_zone_text("", &dns, &error), 0);
	mr_dns_free(&dns);
}

static const struct {
	const char *name;
	enum mr_dns_type type;
	const char *want; /* its records, or why there are none */
} ask_rows[] = {
	{ "lab.example", MR_DNS_MX,
		"60 20 second.lab.example, 90 10 mx.lab.example, ttl 60" },
	{ "Alias.Example.", MR_DNS_MX,
		"60 20 second.lab.example, 90 10 mx.lab.example, ttl 30" },
	{ "alias.example", MR_DNS_CNAME, "lab.example, ttl 30" },
	{ "alias.example", MR_DNS_A, "no data" },
	{ "null.example", MR_DNS_MX, "300 0 , ttl 300" },
	{ "lab.example", MR_DNS_TXT, "11 v=spf1 -all, 2 , ttl 300" },
	{ "lab.example", MR_DNS_A, "no data" },
	{ "example", MR_DNS_TXT, "no data" },
	{ "x.lab.example", MR_DNS_TXT, "no name" },
	{ "any.wild.example", MR_DNS_TXT, "no data" },
	{ "nowhere.lab.example", MR_DNS_TXT, "no name" },
	{ "a..b", MR_DNS_TXT, "no name" },
	{ "bad.example", MR_DNS_TXT, "?" },
};

static const char *told(struct mr_arena *arena, const struct mr_dns_answer *a)
{
	const char *all = "";

	for (size_t i = 0; i < a->n; i++) {
		const struct mr_dns_record *r = &a->records[i];

		if (r->type == MR_DNS_MX)
			all = mr_arena_printf(arena, "%s%u %u %s, ", all,
				r->ttl, r->preference, r->target);
		else if (r->type == MR_DNS_TXT)
			all = mr_arena_printf(
				arena, "%s%zu %s, ", all, r->length, r->text);
		else
			all = mr_arena_printf(arena, "%s%s, ", all, r->target);
	}
	return mr_arena_printf(arena, "%sttl %u", all, a->ttl);
}

static void test_zone_records(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns_answer answer;
	struct mr_error error;
	struct mr_dns *dns;

	(void)state;
	if (open_zone_text(zone_text, &dns, &error) < 0)
		fail_msg("%s", error.text);
	for (size_t i = 0; i < sizeof(ask_rows) / sizeof(ask_rows[0]); i++) {
		const char *got = "?";

		switch (mr_dns_ask(dns, ask_rows[i].name, ask_rows[i].type,
			INT64_MAX, arena, &answer, &error)) {
		case MR_FOUND:
			got = told(arena, &answer);
			break;
		case MR_NOTFOUND:
			got = answer.exists ? "no data" : "no name";
			break;
		case MR_TEMPFAIL:
			break;
		}
		if (strcmp(got, ask_rows[i].want) != 0)
			fail_msg("%s %d: got \"%s\", want \"%s\"",
				ask_rows[i].name, (int)ask_rows[i].type, got,
				ask_rows[i].want);
	}
	mr_dns_prefetch(dns, "lab.example", MR_DNS_MX);
	mr_dns_free(&dns);
	mr_arena_free(&arena);
}

static const struct {
	const char *server;
	int want;
} server_rows[] = {
	{ "192.0.2.53", 0 },
	{ "192.0.2.53:5353", 0 },
	{ "2001:db8::53", 0 },
	{ "[2001:db8::53]", 0 },
	{ "[2001:db8::53]:5353", 0 },
	{ "192.0.2.53:0", -1 },
	{ "192.0.2.53:65536", -1 },
	{ "192.0.2.53:", -1 },
	{ "192.0.2.53:x", -1 },
	{ "192.0.2.53: 53", -1 },
	{ "ns.example.net", -1 },
	{ "", -1 },
	{ ":53", -1 },
	{ "[2001:db8::53", -1 },
};

static void test_server_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(server_rows) / sizeof(server_rows[0]);
		i++) {
		struct mr_dns *dns = NULL;
		struct mr_error error;
		int got =
			mr_dns_open_server(server_rows[i].server, &dns, &error);

		mr_dns_free(&dns);
		if (got != server_rows[i].want)
			fail_msg("\"%s\": got %d, want %d",
				server_rows[i].server, got,
				server_rows[i].want);
	}
}

static const struct {
	const char *name, *want;
} idn_rows[] = {
	{ "Plain.example", "Plain.example" },
	{ "b\xc3\xbc"
	  "cher.example",
		"xn--bcher-kva.example" },
	{ "B\xc3\x9c"
	  "CHER.example",
		"xn--bcher-kva.example" },
	{ "fa\xc3\x9f.example", "xn--fa-hia.example" },
	{ "\xe4\xbe\x8b\xe3\x81\x88.test", "xn--r8jz45g.test" },
	{ "b\xfc"
	  "cher.example",
		NULL }, /* Latin-1 */
	{ "\xe2\x98\x83\xe2\x80\xae.example", NULL },
	{ "", "" },
};

static void test_u_labels(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_ip ip = ip_of("192.0.2.8");
	struct mr_error error;
	struct mr_dns *dns;

	(void)state;
	for (size_t i = 0; i < sizeof(idn_rows) / sizeof(idn_rows[0]); i++) {
		const char *want = idn_rows[i].want, *got;

		got = mr_idn_ascii(arena, idn_rows[i].name);
		if ((got == NULL) != (want == NULL) ||
			(got != NULL && strcmp(got, want) != 0))
			fail_msg("%s: got %s, want %s", idn_rows[i].name,
				got == NULL ? "nothing" : got,
				want == NULL ? "nothing" : want);
	}
	assert_int_equal(
		open_zone_text("xn--bcher-kva.example. IN A 192.0.2.8\n", &dns,
			&error),
		0);
	assert_int_equal(mr_dns_name_has(dns, idn_rows[2].name, &ip, INT64_MAX,
				 arena, &error),
		MR_FOUND);
	assert_int_equal(mr_dns_name_has(dns, idn_rows[5].name, &ip, INT64_MAX,
				 arena, &error),
		MR_NOTFOUND);
	mr_dns_free(&dns);
	mr_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zone_addresses),
		cmocka_unit_test(test_zone_names),
		cmocka_unit_test(test_zone_records),
		cmocka_unit_test(test_zone_mistakes),
		cmocka_unit_test(test_server_names),
		cmocka_unit_test(test_u_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
