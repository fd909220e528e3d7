/* dns_live - asks one DNS server, one question at a time.  Each question has a
 * socket, a source port and an id of its own: whoever forges an answer has to
 * guess all of them.  An engine that asks in parallel takes its place later. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/units.h"
#include "common/lookup/dns_source.h"
#include "common/base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { UDP_LONGEST = 64 * 1024 };
/* Tries for a source port that nobody has. */
enum { PORT_TRIES = 8, LOWEST_PORT = 1024 };

struct server {
	struct sockaddr_storage address;
	socklen_t size;
};

struct question {
	const struct server *server;
	struct mr_arena *arena;
	const char *name;
	enum mr_dns_type type;
	uint16_t id;
	struct mr_dns_packet packet;
	int64_t deadline_ms;
};

static void fill_address(
	struct server *server, const struct mr_ip *ip, uint16_t port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&server->address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&server->address;

	server->address.ss_family = (sa_family_t)ip->family;
	if (ip->family == AF_INET) {
		server->size = sizeof(*four);
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, ip->octets, 4);
	} else {
		server->size = sizeof(*six);
		six->sin6_port = htons(port);
		memcpy(&six->sin6_addr, ip->octets, 16);
	}
}

int mr_dns_live_open(const char *text, void **state_r, struct mr_error *error)
{
	const char *bracket = strrchr(text, ']'), *colon = strrchr(text, ':');
	char *host = mr_calloc(1, strlen(text) + 1);
	struct server *server;
	int64_t port = 53;
	struct mr_ip ip;
	int parsed = 0;

	strcpy(host, text);
	/* More than one colon and no bracket in front: a bare IPv6 address. */
	if (colon != NULL && (bracket != NULL ? colon == bracket + 1
					      : strchr(text, ':') == colon)) {
		host[colon - text] = '\0';
		parsed = mr_number_parse(colon + 1, 1, 65535, &port, error);
	}
	if (parsed == 0)
		parsed = mr_ip_parse(host, &ip, error);
	free(host);
	if (parsed < 0)
		return mr_error_set(error,
			"\"%.80s\" is not ADDRESS, ADDRESS:PORT or "
			"[ADDRESS]:PORT",
			text);
	server = mr_calloc(1, sizeof(*server));
	fill_address(server, &ip, (uint16_t)port);
	*state_r = server;
	return 0;
}

static uint16_t random_16(void)
{
	uint16_t number;

	/* Never short for so few octets once the kernel has its seed. */
	while (getrandom(&number, sizeof(number), 0) != sizeof(number))
		continue;
	return number;
}

static int failed(const struct question *question, const char *what,
	struct mr_error *error)
{
	return mr_error_set(
		error, "%s: %s: %s", question->name, what, strerror(errno));
}

/* A port of our own choice; if none is free, one of the kernel's. */
static void bind_to_random_port(int fd, int family)
{
	struct server any;
	struct mr_ip none = { .family = family };

	for (unsigned i = 0; i < PORT_TRIES; i++) {
		uint16_t port = random_16();

		if (port < LOWEST_PORT)
			continue;
		memset(&any, 0, sizeof(any));
		fill_address(&any, &none, port);
		if (bind(fd, (struct sockaddr *)&any.address, any.size) == 0)
			return;
	}
}

static int open_socket(
	const struct question *question, int type, struct mr_error *error)
{
	const struct server *server = question->server;
	int family = server->address.ss_family;
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return failed(question, "cannot ask", error);
	if (type == SOCK_DGRAM)
		bind_to_random_port(fd, family);
	if (connect(fd, (const struct sockaddr *)&server->address,
		    server->size) < 0 &&
		errno != EINPROGRESS) {
		failed(question, "cannot ask", error);
		close(fd);
		return -1;
	}
	return fd;
}

static bool wait_for(int fd, short what, int64_t until_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = what };
	int left;

	while ((left = mr_clock_left(until_ms)) > 0)
		if (poll(&pollfd, 1, left) > 0)
			return true;
	return false;
}

static enum mr_dns_reply parse(struct question *question, uint8_t *octets,
	size_t length, struct mr_dns_answer *answer, struct mr_error *error)
{
	return mr_dns_wire_reply(question->arena,
		(struct mr_dns_packet){ octets, length }, question->id,
		question->name, question->type, answer, error);
}

/* Reads until our answer is there or `until_ms` has come; others' packets, and
 * word that nobody listens (it may be back for the second try), are ignored. */
static enum mr_dns_reply listen_until(struct question *question, int fd,
	uint8_t *buffer, int64_t until_ms, struct mr_dns_answer *answer,
	struct mr_error *error)
{
	mr_error_set(error, "%s: no answer from the DNS server in time",
		question->name);
	while (wait_for(fd, POLLIN, until_ms)) {
		ssize_t got = recv(fd, buffer, UDP_LONGEST, 0);
		enum mr_dns_reply reply = MR_DNS_NOT_OURS;

		if (got > 0)
			reply = parse(
				question, buffer, (size_t)got, answer, error);
		else if (got < 0 && errno == ECONNREFUSED)
			failed(question, "the DNS server", error);
		if (reply != MR_DNS_NOT_OURS)
			return reply;
	}
	return MR_DNS_NOT_OURS;
}

static enum mr_dns_reply ask_udp(struct question *question,
	struct mr_dns_answer *answer, struct mr_error *error)
{
	int64_t half_ms =
		mr_clock_ms() + (question->deadline_ms - mr_clock_ms()) / 2;
	const int64_t until_ms[] = { half_ms, question->deadline_ms };
	enum mr_dns_reply reply = MR_DNS_NOT_OURS;
	uint8_t *buffer;
	int fd = open_socket(question, SOCK_DGRAM, error);

	if (fd < 0)
		return MR_DNS_FAILED;
	buffer = mr_calloc(1, UDP_LONGEST);
	for (int i = 0; i < 2 && reply == MR_DNS_NOT_OURS; i++) {
		/* What is wrong with sending, waiting will tell. */
		(void)!send(fd, question->packet.octets,
			question->packet.length, MSG_NOSIGNAL);
		reply = listen_until(
			question, fd, buffer, until_ms[i], answer, error);
	}
	free(buffer);
	close(fd);
	return reply;
}

/* All of it, in either direction; nothing may come between. */
static int transfer(struct question *question, int fd, short direction,
	uint8_t *octets, size_t length, struct mr_error *error)
{
	while (length > 0) {
		ssize_t moved = direction == POLLOUT
		                        ? send(fd, octets, length, MSG_NOSIGNAL)
		                        : recv(fd, octets, length, 0);

		if (moved > 0) {
			octets += moved;
			length -= (size_t)moved;
			continue;
		}
		if (moved == 0)
			errno = ECONNRESET;
		else if (errno == EAGAIN || errno == EINTR) {
			if (wait_for(fd, direction, question->deadline_ms))
				continue;
			errno = ETIMEDOUT;
		}
		return failed(question, "TCP", error);
	}
	return 0;
}

/* RFC 1035 section 4.2.2: two octets of length in front */
static enum mr_dns_reply ask_tcp(struct question *question,
	struct mr_dns_answer *answer, struct mr_error *error)
{
	size_t length = question->packet.length;
	uint8_t *packet = mr_arena_alloc(question->arena, length + 2);
	enum mr_dns_reply reply = MR_DNS_FAILED;
	int fd = open_socket(question, SOCK_STREAM, error);
	uint8_t head[2], *octets;

	if (fd < 0)
		return MR_DNS_FAILED;
	packet[0] = (uint8_t)(length >> 8);
	packet[1] = (uint8_t)length;
	memcpy(packet + 2, question->packet.octets, length);
	if (transfer(question, fd, POLLOUT, packet, length + 2, error) == 0 &&
		transfer(question, fd, POLLIN, head, 2, error) == 0) {
		length = (size_t)head[0] << 8 | head[1];
		octets = mr_arena_alloc(question->arena, length);
		if (transfer(question, fd, POLLIN, octets, length, error) == 0)
			reply = parse(question, octets, length, answer, error);
		if (reply == MR_DNS_NOT_OURS || reply == MR_DNS_TRUNCATED)
			mr_error_set(error, "%s: a wrong answer over TCP",
				question->name);
	}
	close(fd);
	return reply;
}

static enum mr_lookup live_ask(void *state, struct mr_arena *arena,
	const char *name, enum mr_dns_type type, int64_t deadline_ms,
	struct mr_dns_answer *answer, struct mr_error *error)
{
	struct question question = { state, arena, name, type, random_16(),
		{ NULL, 0 }, deadline_ms };
	enum mr_dns_reply reply;

	question.packet = mr_dns_wire_question(arena, question.id, name, type);
	reply = ask_udp(&question, answer, error);
	if (reply == MR_DNS_TRUNCATED)
		reply = ask_tcp(&question, answer, error);
	return reply == MR_DNS_ANSWERED ? MR_FOUND : MR_TEMPFAIL;
}

const struct mr_dns_source mr_dns_live = { live_ask, free };
