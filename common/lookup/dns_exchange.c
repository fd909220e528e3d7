/* dns_exchange - see dns_exchange.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/dns_exchange.h"
#include "common/base/arena.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

/* Tries for a source port that nobody has, and packets that are read in one
 * go. */
enum { PORT_TRIES = 8, LOWEST_PORT = 1024, AT_ONCE = 8 };

static uint16_t random_16(void)
{
	uint16_t number;

	/* Never short for so few octets once the kernel has its seed. */
	while (getrandom(&number, sizeof(number), 0) != sizeof(number))
		continue;
	return number;
}

static int failed(const struct mr_dns_exchange *exchange, const char *what,
	struct mr_error *error)
{
	return mr_error_set(
		error, "%s: %s: %s", exchange->name, what, strerror(errno));
}

/* A port of our own choice; if none is free, one of the kernel's. */
static void bind_to_random_port(int fd, int family)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };

	for (unsigned i = 0; i < PORT_TRIES; i++) {
		uint16_t port = random_16();
		int bound;

		if (port < LOWEST_PORT)
			continue;
		four.sin_port = six.sin6_port = htons(port);
		bound = family == AF_INET ? bind(fd, (struct sockaddr *)&four,
						    sizeof(four))
		                          : bind(fd, (struct sockaddr *)&six,
						    sizeof(six));
		if (bound == 0)
			return;
	}
}

static int open_socket(
	struct mr_dns_exchange *exchange, int type, struct mr_error *error)
{
	const struct mr_dns_server *server = exchange->server;
	int family = server->address.ss_family;
	struct epoll_event event = { .data.ptr = exchange };
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return failed(exchange, "cannot ask", error);
	if (type == SOCK_DGRAM)
		bind_to_random_port(fd, family);
	event.events = type == SOCK_DGRAM ? EPOLLIN : EPOLLIN | EPOLLOUT;
	if ((connect(fd, (const struct sockaddr *)&server->address,
		     server->size) < 0 &&
		    errno != EINPROGRESS) ||
		epoll_ctl(exchange->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		failed(exchange, "cannot ask", error);
		close(fd);
		return -1;
	}
	exchange->fd = fd;
	return 0;
}

static void make_packet(struct mr_dns_exchange *exchange)
{
	struct mr_arena *arena = mr_arena_new(1024);
	struct mr_dns_packet packet = mr_dns_wire_question(
		arena, exchange->id, exchange->name, exchange->type);

	exchange->length = packet.length + 2;
	exchange->octets = mr_calloc(1, exchange->length);
	exchange->octets[0] = (uint8_t)(packet.length >> 8);
	exchange->octets[1] = (uint8_t)packet.length;
	memcpy(exchange->octets + 2, packet.octets, packet.length);
	mr_arena_free(&arena);
}

int mr_dns_exchange_begin(struct mr_dns_exchange *exchange, int epoll,
	int64_t now_ms, struct mr_error *error)
{
	exchange->epoll = epoll;
	exchange->fd = -1;
	exchange->asked_ms = now_ms;
	exchange->id = random_16();
	if (open_socket(exchange, SOCK_DGRAM, error) < 0)
		return -1;
	make_packet(exchange);
	mr_dns_exchange_repeat(exchange);
	return 0;
}

void mr_dns_exchange_repeat(struct mr_dns_exchange *exchange)
{
	exchange->times++;
	exchange->refused = false;
	/* What is wrong with sending, waiting will tell. */
	if (!exchange->tcp)
		(void)send(exchange->fd, exchange->octets + 2,
			exchange->length - 2, MSG_NOSIGNAL);
}

static enum mr_dns_reply parse(const struct mr_dns_exchange *exchange,
	uint8_t *octets, size_t length, struct mr_arena *arena,
	struct mr_dns_section *section, struct mr_error *error)
{
	return mr_dns_wire_reply(arena,
		(struct mr_dns_packet){ octets, length }, exchange->id,
		exchange->name, exchange->type, section, error);
}

static bool is_for_later(ssize_t moved)
{
	return moved < 0 && (errno == EAGAIN || errno == EINTR);
}

/* --- TCP, RFC 1035 section 4.2.2: two octets of length in front */

static enum mr_dns_event change_to_tcp(
	struct mr_dns_exchange *exchange, struct mr_error *error)
{
	close(exchange->fd);
	exchange->fd = -1;
	exchange->tcp = true;
	exchange->wanted = 2;
	exchange->in = mr_calloc(1, 2);
	return open_socket(exchange, SOCK_STREAM, error) < 0 ? MR_DNS_BROKEN
	                                                     : MR_DNS_WAIT;
}

static enum mr_dns_event broke(
	struct mr_dns_exchange *exchange, ssize_t moved, struct mr_error *error)
{
	if (moved == 0)
		errno = ECONNRESET;
	failed(exchange, "TCP", error);
	return MR_DNS_BROKEN;
}

static enum mr_dns_event write_tcp(
	struct mr_dns_exchange *exchange, struct mr_error *error)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = exchange };
	ssize_t moved = send(exchange->fd, exchange->octets + exchange->sent,
		exchange->length - exchange->sent, MSG_NOSIGNAL);

	if (is_for_later(moved))
		return MR_DNS_WAIT;
	if (moved <= 0)
		return broke(exchange, moved, error);
	exchange->sent += (size_t)moved;
	if (exchange->sent == exchange->length)
		epoll_ctl(exchange->epoll, EPOLL_CTL_MOD, exchange->fd, &event);
	return MR_DNS_WAIT;
}

/* true: all of the answer is there. */
static bool read_some(struct mr_dns_exchange *exchange, ssize_t *moved)
{
	*moved = recv(exchange->fd, exchange->in + exchange->got,
		exchange->wanted - exchange->got, 0);
	if (*moved <= 0)
		return false;
	exchange->got += (size_t)*moved;
	if (exchange->got < exchange->wanted)
		return false;
	if (exchange->wanted > 2)
		return true;
	exchange->wanted += (size_t)exchange->in[0] << 8 | exchange->in[1];
	exchange->in = mr_realloc(exchange->in, exchange->wanted);
	return exchange->wanted == 2;
}

static enum mr_dns_event read_tcp(struct mr_dns_exchange *exchange,
	struct mr_arena *arena, struct mr_dns_section *section,
	struct mr_error *error)
{
	ssize_t moved = 1;

	while (!read_some(exchange, &moved)) {
		if (is_for_later(moved))
			return MR_DNS_WAIT;
		if (moved <= 0)
			return broke(exchange, moved, error);
	}
	switch (parse(exchange, exchange->in + 2, exchange->got - 2, arena,
		section, error)) {
	case MR_DNS_ANSWERED:
		return MR_DNS_ANSWER;
	case MR_DNS_FAILED:
		return MR_DNS_REFUSAL;
	case MR_DNS_NOT_OURS:
	case MR_DNS_TRUNCATED:
		break;
	}
	mr_error_set(error, "%s: a wrong answer over TCP", exchange->name);
	return MR_DNS_BROKEN;
}

/* --- UDP */

static enum mr_dns_event read_udp(struct mr_dns_exchange *exchange,
	uint8_t *buffer, struct mr_arena *arena, struct mr_dns_section *section,
	struct mr_error *error)
{
	for (unsigned i = 0; i < AT_ONCE; i++) {
		ssize_t got = recv(exchange->fd, buffer, MR_DNS_LONGEST, 0);

		if (got < 0) {
			if (is_for_later(got))
				return MR_DNS_WAIT;
			failed(exchange, "the DNS server", error);
			exchange->refused = true;
			return MR_DNS_WAIT;
		}
		switch (parse(
			exchange, buffer, (size_t)got, arena, section, error)) {
		case MR_DNS_ANSWERED:
			return MR_DNS_ANSWER;
		case MR_DNS_FAILED:
			return MR_DNS_REFUSAL;
		case MR_DNS_TRUNCATED:
			return change_to_tcp(exchange, error);
		case MR_DNS_NOT_OURS:
			if (++exchange->strays >= MR_DNS_STRAYS)
				return change_to_tcp(exchange, error);
			break;
		}
	}
	return MR_DNS_WAIT;
}

enum mr_dns_event mr_dns_exchange_event(struct mr_dns_exchange *exchange,
	uint8_t *buffer, struct mr_arena *arena, struct mr_dns_section *section,
	struct mr_error *error)
{
	if (!exchange->tcp)
		return read_udp(exchange, buffer, arena, section, error);
	if (exchange->sent < exchange->length)
		return write_tcp(exchange, error);
	return read_tcp(exchange, arena, section, error);
}

void mr_dns_exchange_end(struct mr_dns_exchange *exchange)
{
	if (exchange->fd >= 0)
		close(exchange->fd);
	exchange->fd = -1;
	free(exchange->octets);
	free(exchange->in);
	exchange->octets = exchange->in = NULL;
}
