/* test_dns_health - when a server is suspect, set aside and back, told as a
 * story: one letter an event, digits are seconds that pass. */
/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/arena.h"
#include "common/config/schema.h"
#include "common/lookup/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* l: late with a question; h: heard; p: a probe must be due and is sent; n:
 * none is due; S, w: suspect or not; A, a: gives up now, or not. */
static const struct {
	const char *what, *story;
} stories[] = {
	{ "an idle one is probed every 3 s", "wn2n1phwn2n1phw" },
	{ "a late one at once, then every second", "9lSphn1nhw" },
	{ "late questions alone are not its death", "9llllllla9lllla" },
	{ "3 probes are not enough, 4 s are", "9lp1p1pa1pa1A" },
	{ "4 s are not enough, 3 probes are", "9lp4ap1pA" },
	{ "idle and dead: known within 8 s", "3p1pa1pa1pa1A" },
	{ "whatever it says brings it back", "9lp1p1p1p1AShw2n1p" },
	{ "it answers after 3 s", "9lp1p1p1haw" },
	{ "set aside is told once", "9lp1p1p1p1Aa1ap" },
};

static void test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		struct mr_dns_server server = { .text = "x" };
		int64_t now = 1000000;
		bool fine = true;
		const char *p;

		mr_dns_server_begin(&server, now);
		for (p = stories[i].story; fine && *p != '\0'; p++) {
			bool due = mr_dns_server_probe_due(&server) <= now;

			if (*p >= '0' && *p <= '9')
				now += (*p - '0') * 1000;
			else if (*p == 'l')
				mr_dns_server_late(&server);
			else if (*p == 'h')
				mr_dns_server_heard(&server, now, 10);
			else if (*p == 'p')
				fine = due;
			else if (*p == 'n')
				fine = !due;
			else if (*p == 'S' || *p == 'w')
				fine = mr_dns_server_is_suspect(&server) ==
				       (*p == 'S');
			else
				fine = mr_dns_server_give_up(&server, now) ==
				       (*p == 'A');
			if (*p == 'p')
				mr_dns_server_probed(&server, now);
		}
		if (!fine)
			fail_msg("%s: wrong at the end of \"%.*s\"",
				stories[i].what, (int)(p - stories[i].story),
				stories[i].story);
	}
}

static void test_pace(void **state)
{
	struct mr_dns_server server = { .text = "x" };

	(void)state;
	assert_int_equal(mr_dns_server_pace(&server), 400);
	for (int i = 0; i < 50; i++)
		mr_dns_server_heard(&server, 0, 2);
	assert_int_equal(mr_dns_server_pace(&server), 400);
	for (int i = 0; i < 50; i++)
		mr_dns_server_heard(&server, 0, 600);
	assert_in_range(mr_dns_server_pace(&server), 600, 700);
	for (int i = 0; i < 50; i++)
		mr_dns_server_heard(&server, 0, 2);
	assert_false(mr_dns_server_is_suspect(&server));
	for (int i = 0; i < 50; i++)
		mr_dns_server_heard(&server, 0, 3000);
	assert_int_equal(mr_dns_server_pace(&server), 1000);
	assert_true(mr_dns_server_is_suspect(&server));
	for (int i = 0; i < 50; i++)
		mr_dns_server_heard(&server, 0, 50);
	assert_false(mr_dns_server_is_suspect(&server));
}

static const struct {
	const char *text, *want;
} resolv_rows[] = {
	{ "nameserver 192.0.2.1\n", "192.0.2.1" },
	{ "# x\nsearch example.net\n  nameserver\t2001:db8::1 # y\n"
	  "nameserver 192.0.2.1\noptions edns0",
		"2001:db8::1 192.0.2.1" },
	{ "nameserver fe80::1%eth0\nnameserver\nnameserver x\n", "127.0.0.1" },
	{ "", "127.0.0.1" },
	{ NULL, "127.0.0.1" },
};

static void test_resolv_conf(void **state)
{
	const struct mr_list none = { 0, NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(resolv_rows) / sizeof(resolv_rows[0]);
		i++) {
		struct mr_arena *arena = mr_arena_new(0);
		char path[] = "/tmp/test_dns_health.XXXXXX";
		int fd = mkstemp(path);
		struct mr_dns_servers servers;
		struct mr_error error;
		const char *got = "";

		if (resolv_rows[i].text == NULL)
			unlink(path);
		else
			dprintf(fd, "%s", resolv_rows[i].text);
		close(fd);
		assert_int_equal(mr_dns_servers_list(
					 arena, &none, path, &servers, &error),
			0);
		unlink(path);
		for (size_t s = 0; s < servers.n; s++)
			got = mr_arena_printf(arena, "%s%s%s", got,
				s == 0 ? "" : " ", servers.server[s].text);
		if (strcmp(got, resolv_rows[i].want) != 0)
			fail_msg("row %zu: got \"%s\", want \"%s\"", i, got,
				resolv_rows[i].want);
		mr_arena_free(&arena);
	}
}

static void test_addresses(void **state)
{
	const char *const texts[] = { "[2001:db8::1]:5353", "192.0.2.1" };
	const struct mr_list list = { 2, texts };
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns_servers servers;
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	struct mr_error error;

	(void)state;
	assert_int_equal(
		mr_dns_servers_list(arena, &list, "/", &servers, &error), 0);
	memcpy(&six, &servers.server[0].address, sizeof(six));
	memcpy(&four, &servers.server[1].address, sizeof(four));
	assert_int_equal(six.sin6_family, AF_INET6);
	assert_int_equal(ntohs(six.sin6_port), 5353);
	assert_int_equal(four.sin_family, AF_INET);
	assert_int_equal(ntohs(four.sin_port), 53);
	mr_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_resolv_conf),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
