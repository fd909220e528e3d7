/*
 * dns_exchange - one question to one server: UDP, and TCP if it must be
 *
 * Each has a socket, a source port and an id of its own, and takes an answer
 * only if id and question agree; the kernel sees to the server's address and
 * port (connect(2)).  So whoever forges an answer has to guess it all; after
 * MR_DNS_STRAYS wrong ones the same is asked over TCP.
 *
 * Never blocks: its owner waits for `fd` in an epoll(7) set.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNS_EXCHANGE_H
#define MR_LOOKUP_DNS_EXCHANGE_H

#include "common/lookup/dns_server.h"
#include "common/lookup/dns_wire.h"

enum { MR_DNS_STRAYS = 16 };

struct mr_dns_exchange {
	struct mr_dns_exchange *next; /* for its owner, as is `owner` */
	void *owner;
	struct mr_dns_server *server;
	const char *name; /* borrowed */
	enum mr_dns_type type;
	uint16_t id;
	int fd;    /* -1: closed */
	int epoll; /* the set that it is in */
	int64_t asked_ms;
	unsigned times; /* it was sent */
	unsigned strays;
	bool refused; /* ICMP says that nobody listens; the error says so */
	bool tcp;
	uint8_t *octets; /* of the question, behind two octets of length */
	size_t length;   /* with those */
	size_t sent;     /* over TCP */
	uint8_t *in;     /* over TCP, with the length */
	size_t got, wanted;
};

/* What an event brought. */
enum mr_dns_event {
	MR_DNS_WAIT,    /* nothing yet */
	MR_DNS_ANSWER,  /* the section is filled */
	MR_DNS_REFUSAL, /* SERVFAIL and the like; the error says which */
	MR_DNS_BROKEN,  /* over TCP: it will not answer */
};

/* Opens a socket and sends the question.  -1: there is no socket to be had. */
int mr_dns_exchange_begin(struct mr_dns_exchange *exchange, int epoll,
	int64_t now_ms, struct mr_error *error);
/* Sends the same again, unless TCP does that. */
void mr_dns_exchange_repeat(struct mr_dns_exchange *exchange);
/* `buffer` is MR_DNS_LONGEST octets of scratch; what `section` says lives in
 * the arena. */
enum { MR_DNS_LONGEST = 64 * 1024 };
enum mr_dns_event mr_dns_exchange_event(struct mr_dns_exchange *exchange,
	uint8_t *buffer, struct mr_arena *arena, struct mr_dns_section *section,
	struct mr_error *error);
/* Closes the socket and frees what it holds, but not itself. */
void mr_dns_exchange_end(struct mr_dns_exchange *exchange);

#endif
