/*
 * dns_wire - DNS packets and zone text to and from plain structs
 *
 * The only door to ldns.  Names are lower-case text without the last dot; a
 * name that text cannot tell (a dot or a control character inside a label) does
 * not come through it.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNS_WIRE_H
#define MR_LOOKUP_DNS_WIRE_H

#include "common/base/error.h"
#include "common/base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct mr_arena;

/* RFC 1035 section 3.2.2, RFC 3596 */
enum mr_dns_type {
	MR_DNS_A = 1,
	MR_DNS_CNAME = 5,
	MR_DNS_PTR = 12,
	MR_DNS_AAAA = 28,
};

struct mr_dns_record {
	const char *owner;
	unsigned type;      /* any; the rest is filled for the types above */
	struct mr_ip ip;    /* A, AAAA */
	const char *target; /* CNAME, PTR; NULL if text cannot tell it */
};

/* Everything that an answer section says, in its order. */
struct mr_dns_answer {
	const struct mr_dns_record *records;
	size_t n;
};

struct mr_dns_packet {
	uint8_t *octets;
	size_t length;
};

/* Can a question for it be asked at all (RFC 1035 section 2.3.4)? */
bool mr_dns_wire_can_ask(const char *name);

/* A recursive question with EDNS (RFC 6891), in the arena.  The name must be
 * one that can be asked. */
struct mr_dns_packet mr_dns_wire_question(struct mr_arena *arena, uint16_t id,
	const char *name, enum mr_dns_type type);

enum mr_dns_reply {
	MR_DNS_NOT_OURS,  /* not a packet, or not the answer to this question:
	                     go on waiting for that */
	MR_DNS_TRUNCATED, /* ask again over TCP */
	MR_DNS_FAILED,    /* SERVFAIL and so on; the error says which */
	MR_DNS_ANSWERED,  /* NOERROR or NXDOMAIN */
};
enum mr_dns_reply mr_dns_wire_reply(struct mr_arena *arena,
	struct mr_dns_packet packet, uint16_t id, const char *name,
	enum mr_dns_type type, struct mr_dns_answer *answer,
	struct mr_error *error);

/* All records of a master file; `path` is for the error only. */
int mr_dns_wire_zone(struct mr_arena *arena, FILE *file, const char *path,
	struct mr_dns_answer *zone, struct mr_error *error);

#endif
