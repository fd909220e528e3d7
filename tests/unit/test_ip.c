/* test_ip - addresses and networks */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "common/base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "[192.0.2.1]", "192.0.2.1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "2001:DB8:0:0::1", "2001:db8::1" },
		{ "[2001:db8::1]", "2001:db8::1" },
		{ "[IPv6:2001:db8::1]", "2001:db8::1" },
		{ "ipv6:2001:db8::1", "2001:db8::1" },
		{ "2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "::ffff:c000:201", "192.0.2.1" },
		{ "[IPv6:::ffff:192.0.2.1]", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "", NULL },
		{ "[]", NULL },
		{ "[192.0.2.1", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "192.0.2.01", NULL },
		{ "IPv6:192.0.2.1", NULL },
		{ "fe80::1%eth0", NULL },
		{ "2001:db8::1::2", NULL },
		{ "192.0.2.1 ", NULL },
		{ "localhost", NULL },
		{ "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
			NULL },
	};
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_ip ip;
		const char *got = NULL;

		if (mr_ip_parse(cases[i].text, &ip, &error) == 0)
			got = mr_ip_format(arena, &ip);
		else
			expect_number("family of a refused one", ip.family, 0);
		expect_text(cases[i].text, got, cases[i].want);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_sockaddr(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr unix_socket = { .sa_family = AF_UNIX };
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_ip ip;

	(void)state;
	inet_pton(AF_INET, "192.0.2.7", &in.sin_addr);
	ip = mr_ip_from_sockaddr((struct sockaddr *)&in);
	expect_text("IPv4", mr_ip_format(arena, &ip), "192.0.2.7");
	inet_pton(AF_INET6, "2001:db8::7", &in6.sin6_addr);
	ip = mr_ip_from_sockaddr((struct sockaddr *)&in6);
	expect_text("IPv6", mr_ip_format(arena, &ip), "2001:db8::7");
	inet_pton(AF_INET6, "::ffff:192.0.2.8", &in6.sin6_addr);
	ip = mr_ip_from_sockaddr((struct sockaddr *)&in6);
	expect_text("mapped", mr_ip_format(arena, &ip), "192.0.2.8");
	ip = mr_ip_from_sockaddr(&unix_socket);
	expect_number("unix", ip.family, 0);
	expect_text("unix", mr_ip_format(arena, &ip), "unknown");
	mr_arena_free(&arena);
	expect_done();
}

static void test_networks(void **state)
{
	static const struct {
		const char *text, *want, *in, *out;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2" },
		{ "192.0.2.1/32", "192.0.2.1", "192.0.2.1", "192.0.2.0" },
		{ "192.0.2.128/25", "192.0.2.128/25", "192.0.2.200",
			"192.0.2.127" },
		{ "192.0.2.8/29", "192.0.2.8/29", "192.0.2.15", "192.0.2.16" },
		{ "0.0.0.0/0", "0.0.0.0/0", "203.0.113.9", "2001:db8::1" },
		{ "[2001:db8::]/32", "2001:db8::/32", "2001:db8:ffff::1",
			"2001:db9::" },
		{ "2001:db8::/33", "2001:db8::/33",
			"2001:db8:7fff::", "2001:db8:8000::" },
		{ "::/0", "::/0", "2001:db8::1", "192.0.2.1" },
		{ "::1", "::1", "::1", "::2" },
		{ "::ffff:192.0.2.0/120", "192.0.2.0/24", "192.0.2.9",
			"192.0.3.9" },
		{ "192.0.2.1/24", NULL },
		{ "2001:db8::1/64", NULL },
		{ "192.0.2.0/33", NULL },
		{ "2001:db8::/129", NULL },
		{ "192.0.2.0/", NULL },
		{ "192.0.2.0/-1", NULL },
		{ "192.0.2.0/+1", NULL },
		{ "192.0.2.0/0024", NULL },
		{ "192.0.2.0/24x", NULL },
		{ "192.0.2.0/24/8", NULL },
		{ "/24", NULL },
		{ "", NULL },
		{ "192.0.2", NULL },
	};
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_network network;
		struct mr_ip ip;

		if (mr_network_parse(cases[i].text, &network, &error) < 0) {
			expect_text(cases[i].text, NULL, cases[i].want);
			continue;
		}
		expect_text(cases[i].text, mr_network_format(arena, &network),
			cases[i].want);
		assert_int_equal(mr_ip_parse(cases[i].in, &ip, &error), 0);
		expect_number(
			cases[i].in, mr_network_contains(&network, &ip), true);
		assert_int_equal(mr_ip_parse(cases[i].out, &ip, &error), 0);
		expect_number(cases[i].out, mr_network_contains(&network, &ip),
			false);
	}
	assert_int_equal(mr_network_parse("192.0.2.77/24",
				 &(struct mr_network){ 0 }, &error),
		-1);
	expect_part("host bits", error.text, "the network is 192.0.2.0/24");
	mr_arena_free(&arena);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_sockaddr),
		cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
