/* test_dns - answers from a zone file and from a server that may be hostile.
 * The server is a thread here; what it says to a question is told by the first
 * label of the name asked for. */
/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/arena.h"
#include "common/lookup/dns.h"
#include "common/base/clock.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
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

/* A server on 127.0.0.1, UDP and TCP on the same port. */
struct server {
	int udp, tcp, stop[2];
	char name[32];
	pthread_t thread;
	atomic_uint questions;
	atomic_uint last_port;
	uint8_t reply[1024];
	size_t length;
};

static void put(struct server *s, const void *octets, size_t length)
{
	memcpy(s->reply + s->length, octets, length);
	s->length += length;
}

/* The question back, with flags and one A record if there is an answer. */
static void fill_reply(struct server *s, const uint8_t *question,
	size_t end_of_question, uint16_t flags, unsigned answers)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0,
		4, 192, 0, 2, 1 };
	const uint8_t head[] = { question[0], question[1],
		(uint8_t)(flags >> 8), (uint8_t)flags, 0, 1, 0,
		(uint8_t)answers, 0, 0, 0, 0 };

	s->length = 0;
	put(s, head, sizeof(head));
	put(s, question + 12, end_of_question - 12);
	for (unsigned i = 0; i < answers; i++)
		put(s, record, sizeof(record));
}

static size_t question_end(const uint8_t *packet, size_t length)
{
	size_t at = 12;

	while (at < length && packet[at] != 0)
		at += packet[at] + 1u;
	return at + 5;
}

static bool asks_for(const uint8_t *packet, const char *label)
{
	return packet[12] == strlen(label) &&
	       memcmp(packet + 13, label, strlen(label)) == 0;
}

static void send_reply(struct server *s, const struct sockaddr_in *to)
{
	sendto(s->udp, s->reply, s->length, 0, (const struct sockaddr *)to,
		sizeof(*to));
}

enum {
	RESPONSE = 0x8180,
	TRUNCATED = 0x8380,
	SERVFAIL = 0x8182,
	NXDOMAIN = 0x8183,
	QUERY = 0x0100
};

static void answer_udp(struct server *s)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	uint8_t q[512];
	ssize_t got = recvfrom(
		s->udp, q, sizeof(q), 0, (struct sockaddr *)&from, &size);
	unsigned nth = atomic_fetch_add(&s->questions, 1) + 1;
	size_t end;

	if (got < 17)
		return;
	atomic_store(&s->last_port, ntohs(from.sin_port));
	end = question_end(q, (size_t)got);
	fill_reply(s, q, end, RESPONSE, 1);
	if (asks_for(q, "silent") || (asks_for(q, "second") && nth == 1))
		return;
	if (asks_for(q, "nxdomain"))
		fill_reply(s, q, end, NXDOMAIN, 0);
	else if (asks_for(q, "nodata"))
		fill_reply(s, q, end, RESPONSE, 0);
	else if (asks_for(q, "servfail"))
		fill_reply(s, q, end, SERVFAIL, 0);
	else if (asks_for(q, "truncated") || asks_for(q, "tcpdies"))
		fill_reply(s, q, end, TRUNCATED, 0);
	else if (asks_for(q, "wrongid")) {
		s->reply[0] ^= 1;
	} else if (asks_for(q, "wrongname")) {
		s->reply[13] ^= 1;
	} else if (asks_for(q, "question")) {
		fill_reply(s, q, end, QUERY, 0);
	} else if (asks_for(q, "garbage")) {
		memset(s->reply + 12, 0xff, s->length - 12);
	} else if (asks_for(q, "short")) {
		s->length = 11;
	} else if (asks_for(q, "forged")) {
		/* wrong ones first, each of which would say yes */
		s->reply[1] ^= 1;
		send_reply(s, &from);
		s->reply[1] ^= 1;
		s->reply[13] ^= 1;
		send_reply(s, &from);
		fill_reply(s, q, end, RESPONSE, 0);
	}
	send_reply(s, &from);
}

static void answer_tcp(struct server *s)
{
	uint8_t q[512], head[2];
	int fd = accept(s->tcp, NULL, NULL);
	ssize_t got = recv(fd, q, sizeof(q), 0);

	if (got > 19 && !asks_for(q + 2, "tcpdies")) {
		fill_reply(s, q + 2, question_end(q + 2, (size_t)got - 2),
			RESPONSE, 20);
		head[0] = (uint8_t)(s->length >> 8);
		head[1] = (uint8_t)s->length;
		/* in three pieces, as a network may deliver it */
		send(fd, head, 1, MSG_NOSIGNAL);
		send(fd, head + 1, 1, MSG_NOSIGNAL);
		send(fd, s->reply, s->length, MSG_NOSIGNAL);
	}
	close(fd);
}

static void *serve(void *argument)
{
	struct server *s = argument;
	struct pollfd fds[] = { { s->udp, POLLIN, 0 }, { s->tcp, POLLIN, 0 },
		{ s->stop[0], POLLIN, 0 } };

	while (poll(fds, 3, -1) > 0 && fds[2].revents == 0) {
		if (fds[0].revents != 0)
			answer_udp(s);
		if (fds[1].revents != 0)
			answer_tcp(s);
	}
	return NULL;
}

static int begin(void **state)
{
	struct server *s = mr_calloc(1, sizeof(*s));
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t size = sizeof(here);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->udp = socket(AF_INET, SOCK_DGRAM, 0);
	s->tcp = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
		bind(s->tcp, (struct sockaddr *)&here, sizeof(here)), 0);
	assert_int_equal(listen(s->tcp, 5), 0);
	getsockname(s->tcp, (struct sockaddr *)&here, &size);
	assert_int_equal(
		bind(s->udp, (struct sockaddr *)&here, sizeof(here)), 0);
	snprintf(
		s->name, sizeof(s->name), "127.0.0.1:%u", ntohs(here.sin_port));
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct server *s = *state;

	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->udp);
	close(s->tcp);
	free(s);
	return 0;
}

static const struct {
	const char *name;
	int64_t patience_ms;
	enum mr_lookup want;
	unsigned questions; /* 0: any number */
	const char *why;
} live_rows[] = {
	{ "fine.example", 2000, MR_FOUND, 1, "" },
	{ "nxdomain.example", 2000, MR_NOTFOUND, 1, "" },
	{ "nodata.example", 2000, MR_NOTFOUND, 1, "" },
	{ "servfail.example", 2000, MR_TEMPFAIL, 1, "SERVFAIL" },
	{ "silent.example", 200, MR_TEMPFAIL, 2, "no answer" },
	{ "second.example", 400, MR_FOUND, 2, "" },
	{ "truncated.example", 2000, MR_FOUND, 1, "" },
	{ "tcpdies.example", 2000, MR_TEMPFAIL, 1, "TCP" },
	{ "wrongid.example", 200, MR_TEMPFAIL, 2, "no answer" },
	{ "wrongname.example", 200, MR_TEMPFAIL, 2, "no answer" },
	{ "question.example", 200, MR_TEMPFAIL, 2, "no answer" },
	{ "garbage.example", 200, MR_TEMPFAIL, 2, "no answer" },
	{ "short.example", 200, MR_TEMPFAIL, 2, "no answer" },
	{ "forged.example", 2000, MR_NOTFOUND, 1, "" },
	{ "late.example", -1, MR_TEMPFAIL, 0, "no answer" },
};

static void test_live(void **state)
{
	struct server *s = *state;
	struct mr_ip ip = ip_of("192.0.2.1");
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;
	struct mr_dns *dns;

	if (mr_dns_open_server(s->name, &dns, &error) < 0)
		fail_msg("%s", error.text);
	for (size_t i = 0; i < sizeof(live_rows) / sizeof(live_rows[0]); i++) {
		int64_t start = mr_clock_ms(), took;
		enum mr_lookup got;
		unsigned asked;

		atomic_store(&s->questions, 0);
		error.text[0] = '\0';
		got = mr_dns_name_has(dns, live_rows[i].name, &ip,
			start + live_rows[i].patience_ms, arena, &error);
		took = mr_clock_ms() - start;
		asked = atomic_load(&s->questions);
		if (got != live_rows[i].want ||
			(got == MR_TEMPFAIL &&
				strstr(error.text, live_rows[i].why) == NULL))
			fail_msg("%s: got %d \"%s\", want %d \"%s\"",
				live_rows[i].name, got, error.text,
				live_rows[i].want, live_rows[i].why);
		if (live_rows[i].questions != 0 &&
			asked != live_rows[i].questions)
			fail_msg("%s: asked %u times, want %u",
				live_rows[i].name, asked,
				live_rows[i].questions);
		if (took > live_rows[i].patience_ms + 500)
			fail_msg(
				"%s: took %d ms", live_rows[i].name, (int)took);
	}
	mr_dns_free(&dns);
	mr_arena_free(&arena);
}

static void test_source_ports_vary(void **state)
{
	struct server *s = *state;
	struct mr_ip ip = ip_of("192.0.2.1");
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;
	struct mr_dns *dns;
	unsigned ports[20], n = 0;

	assert_int_equal(mr_dns_open_server(s->name, &dns, &error), 0);
	for (unsigned i = 0; i < 20; i++) {
		unsigned port;

		assert_int_equal(mr_dns_name_has(dns, "fine.example", &ip,
					 mr_clock_ms() + 2000, arena, &error),
			MR_FOUND);
		port = atomic_load(&s->last_port);
		for (unsigned j = 0; j < n && port != 0; j++)
			if (ports[j] == port)
				port = 0;
		if (port != 0)
			ports[n++] = port;
	}
	assert_in_range(n, 15, 20);
	mr_dns_free(&dns);
	mr_arena_free(&arena);
}

static void test_nobody_there(void **state)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t size = sizeof(here);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;
	enum mr_lookup found;
	struct mr_dns *dns;
	int64_t start;

	(void)state;
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof(here)), 0);
	getsockname(fd, (struct sockaddr *)&here, &size);
	close(fd);
	assert_int_equal(
		mr_dns_open_server(mr_arena_printf(arena, "127.0.0.1:%u",
					   ntohs(here.sin_port)),
			&dns, &error),
		0);
	start = mr_clock_ms();
	assert_string_equal(names_of(arena, dns, "192.0.2.1", &found), "?");
	assert_in_range(mr_clock_ms() - start, 0, 1000);
	mr_dns_free(&dns);
	mr_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zone_addresses),
		cmocka_unit_test(test_zone_names),
		cmocka_unit_test(test_zone_mistakes),
		cmocka_unit_test(test_server_names),
		cmocka_unit_test_setup_teardown(test_live, begin, end),
		cmocka_unit_test_setup_teardown(
			test_source_ports_vary, begin, end),
		cmocka_unit_test(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
