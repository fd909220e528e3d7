/* dns_peer - a DNS server in a thread, on 127.0.0.1, UDP and TCP; what it says
 * is told by the first label of the name asked for.
 *
 *   nxdomain, nodata     with a SOA whose minimum is 30; "bare" in front: none
 *   servfail, silent, second (silent once), short, garbage, question
 *   wrongid, wrongname, wrongport, forged (wrong ones, then "no data")
 *   storm                wrong ids for ever over UDP, right over TCP
 *   truncated, tcpdies, tcphangs, alias (a CNAME in front)
 *   slow                 after 200 ms
 *   anything else        192.0.2.1, for 60 s
 */
/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_DNS_PEER_H
#define TESTS_UNIT_DNS_PEER_H

#include "common/base/arena.h"
#include "common/base/clock.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PEER_LATER = 4096, PEER_PACKET = 512 };

struct peer_later {
	int64_t due_ms;
	struct sockaddr_in to;
	size_t length;
	uint8_t octets[PEER_PACKET];
};

struct peer {
	int udp, tcp, other, stop[2];
	char name[32];
	pthread_t thread;
	atomic_bool dead;
	atomic_bool refuses;   /* SERVFAIL, whatever is asked */
	atomic_int delay_ms;   /* of every answer */
	atomic_uint questions; /* but probes */
	atomic_uint probes, last_port, last_id;
	uint8_t reply[1024];
	size_t length;
	struct peer_later *later; /* a ring */
	size_t first_later, n_later;
	int hanging[16]; /* TCP, never answered */
	size_t n_hanging;
};

static void put(struct peer *s, const void *octets, size_t length)
{
	memcpy(s->reply + s->length, octets, length);
	s->length += length;
}

enum {
	RESPONSE = 0x8180,
	TRUNCATED = 0x8380,
	SERVFAIL = 0x8182,
	NXDOMAIN = 0x8183,
	REFERRAL = 0x8100,
	QUERY = 0x0100
};

/* The question back, with flags, A records and perhaps a SOA. */
static void fill_reply(struct peer *s, const uint8_t *question,
	size_t end_of_question, uint16_t flags, unsigned answers, bool soa)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0,
		4, 192, 0, 2, 1 };
	/* TTL 3600, minimum 30 */
	static const uint8_t authority[] = { 0xc0, 12, 0, 6, 0, 1, 0, 0, 14, 16,
		0, 22, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0,
		0, 0, 30 };
	const uint8_t head[] = { question[0], question[1],
		(uint8_t)(flags >> 8), (uint8_t)flags, 0, 1, 0,
		(uint8_t)answers, 0, soa, 0, 0 };

	s->length = 0;
	put(s, head, sizeof(head));
	put(s, question + 12, end_of_question - 12);
	for (unsigned i = 0; i < answers; i++)
		put(s, record, sizeof(record));
	if (soa)
		put(s, authority, sizeof(authority));
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

static void send_octets(struct peer *s, const struct sockaddr_in *to,
	const uint8_t *octets, size_t length)
{
	if (!atomic_load(&s->dead))
		sendto(s->udp, octets, length, 0, (const struct sockaddr *)to,
			sizeof(*to));
}

static void send_reply(struct peer *s, const struct sockaddr_in *to)
{
	send_octets(s, to, s->reply, s->length);
}

/* alias.x: CNAME target.x, and its A */
static void fill_alias(struct peer *s, const uint8_t *q, size_t end)
{
	static const uint8_t cname[] = { 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 20, 0,
		9, 6, 't', 'a', 'r', 'g', 'e', 't', 0xc0, 18 };
	const uint8_t a[] = { 0xc0, (uint8_t)(end + 12), 0, 1, 0, 1, 0, 0, 0,
		60, 0, 4, 192, 0, 2, 1 };

	fill_reply(s, q, end, RESPONSE, 0, false);
	s->reply[7] = 2;
	put(s, cname, sizeof(cname));
	put(s, a, sizeof(a));
}

static bool fill_for(struct peer *s, const uint8_t *q, size_t end, unsigned nth)
{
	fill_reply(s, q, end, RESPONSE, 1, false);
	if (atomic_load(&s->refuses))
		fill_reply(s, q, end, SERVFAIL, 0, false);
	else if (asks_for(q, "silent") || (asks_for(q, "second") && nth == 1))
		return false;
	else if (asks_for(q, "nxdomain"))
		fill_reply(s, q, end, NXDOMAIN, 0, true);
	else if (asks_for(q, "barenxdomain"))
		fill_reply(s, q, end, NXDOMAIN, 0, false);
	else if (asks_for(q, "nodata"))
		fill_reply(s, q, end, RESPONSE, 0, true);
	else if (asks_for(q, "servfail"))
		fill_reply(s, q, end, SERVFAIL, 0, false);
	else if (asks_for(q, "truncated") || asks_for(q, "tcpdies") ||
		 asks_for(q, "tcphangs"))
		fill_reply(s, q, end, TRUNCATED, 0, false);
	else if (asks_for(q, "cut")) /* what the header says is not there */
		s->length = end, s->reply[2] = TRUNCATED >> 8;
	else if (asks_for(q, "referral"))
		fill_reply(s, q, end, REFERRAL, 0, true);
	else if (asks_for(q, "wrongid"))
		s->reply[0] ^= 1;
	else if (asks_for(q, "wrongname"))
		s->reply[13] ^= 1;
	else if (asks_for(q, "question"))
		fill_reply(s, q, end, QUERY, 0, false);
	else if (asks_for(q, "garbage"))
		memset(s->reply + 12, 0xff, s->length - 12);
	else if (asks_for(q, "short"))
		s->length = 11;
	else if (asks_for(q, "alias"))
		fill_alias(s, q, end);
	return true;
}

/* Wrong ones first, each of which would say yes. */
static void forge(struct peer *s, const struct sockaddr_in *to,
	const uint8_t *q, size_t end)
{
	s->reply[1] ^= 1;
	send_reply(s, to);
	s->reply[1] ^= 1;
	s->reply[13] ^= 1;
	send_reply(s, to);
	fill_reply(s, q, end, RESPONSE, 0, true);
}

static void answer_later(
	struct peer *s, const struct sockaddr_in *to, int delay_ms)
{
	struct peer_later *later =
		&s->later[(s->first_later + s->n_later) % PEER_LATER];

	if (s->n_later == PEER_LATER || s->length > PEER_PACKET)
		return;
	s->n_later++;
	later->due_ms = mr_clock_ms() + delay_ms;
	later->to = *to;
	later->length = s->length;
	memcpy(later->octets, s->reply, s->length);
}

static void answer_udp(struct peer *s)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	uint8_t q[512];
	ssize_t got = recvfrom(s->udp, q, sizeof(q), MSG_DONTWAIT,
		(struct sockaddr *)&from, &size);
	int delay_ms = atomic_load(&s->delay_ms);
	unsigned nth;
	size_t end;

	if (got < 17)
		return;
	end = question_end(q, (size_t)got);
	if (asks_for(q, "localhost")) {
		atomic_fetch_add(&s->probes, 1);
		nth = 0;
	} else {
		nth = atomic_fetch_add(&s->questions, 1) + 1;
	}
	atomic_store(&s->last_port, ntohs(from.sin_port));
	atomic_store(&s->last_id, (unsigned)(q[0] << 8 | q[1]));
	if (!fill_for(s, q, end, nth))
		return;
	if (asks_for(q, "forged"))
		forge(s, &from, q, end);
	for (int i = 0; asks_for(q, "storm") && i < 20; i++) {
		s->reply[1] = (uint8_t)(q[1] + i + 1);
		send_reply(s, &from);
	}
	if (asks_for(q, "slow"))
		delay_ms = 200;
	if (delay_ms > 0)
		answer_later(s, &from, delay_ms);
	else if (asks_for(q, "wrongport"))
		sendto(s->other, s->reply, s->length, 0,
			(struct sockaddr *)&from, sizeof(from));
	else
		send_reply(s, &from);
}

static void answer_tcp(struct peer *s)
{
	uint8_t q[512], head[2];
	int fd = accept(s->tcp, NULL, NULL);
	ssize_t got = recv(fd, q, sizeof(q), 0);

	if (got > 19 && asks_for(q + 2, "tcphangs") && s->n_hanging < 16) {
		s->hanging[s->n_hanging++] = fd;
		return;
	}
	if (got > 19 && !asks_for(q + 2, "tcpdies")) {
		fill_reply(s, q + 2, question_end(q + 2, (size_t)got - 2),
			RESPONSE, 20, false);
		head[0] = (uint8_t)(s->length >> 8);
		head[1] = (uint8_t)s->length;
		/* in three pieces, as a network may deliver it */
		send(fd, head, 1, MSG_NOSIGNAL);
		send(fd, head + 1, 1, MSG_NOSIGNAL);
		send(fd, s->reply, s->length, MSG_NOSIGNAL);
	}
	close(fd);
}

static int send_due(struct peer *s)
{
	while (s->n_later > 0) {
		struct peer_later *later = &s->later[s->first_later];
		int left = mr_clock_left(later->due_ms);

		if (left > 0)
			return left;
		send_octets(s, &later->to, later->octets, later->length);
		s->first_later = (s->first_later + 1) % PEER_LATER;
		s->n_later--;
	}
	return -1;
}

static void *serve(void *argument)
{
	struct peer *s = argument;
	struct pollfd fds[] = { { s->udp, POLLIN, 0 }, { s->tcp, POLLIN, 0 },
		{ s->stop[0], POLLIN, 0 } };

	while (poll(fds, 3, send_due(s)) >= 0 && fds[2].revents == 0) {
		if (fds[0].revents != 0)
			answer_udp(s);
		if (fds[1].revents != 0)
			answer_tcp(s);
	}
	return NULL;
}

static struct peer *peer_begin(void)
{
	struct peer *s = mr_calloc(1, sizeof(*s));
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t size = sizeof(here);
	int room = 8 << 20;

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->later = mr_calloc(PEER_LATER, sizeof(*s->later));
	s->udp = socket(AF_INET, SOCK_DGRAM, 0);
	s->other = socket(AF_INET, SOCK_DGRAM, 0);
	s->tcp = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s->udp, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(s->tcp, (struct sockaddr *)&here, sizeof(here)) < 0 ||
		listen(s->tcp, 100) < 0 ||
		getsockname(s->tcp, (struct sockaddr *)&here, &size) < 0 ||
		bind(s->udp, (struct sockaddr *)&here, sizeof(here)) < 0 ||
		pipe(s->stop) < 0 ||
		pthread_create(&s->thread, NULL, serve, s) != 0)
		abort();
	snprintf(
		s->name, sizeof(s->name), "127.0.0.1:%u", ntohs(here.sin_port));
	return s;
}

static void peer_end(struct peer *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	for (size_t i = 0; i < s->n_hanging; i++)
		close(s->hanging[i]);
	close(s->stop[0]);
	close(s->udp);
	close(s->other);
	close(s->tcp);
	free(s->later);
	free(s);
}

#endif
