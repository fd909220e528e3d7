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

#include "common/lookup/dns.h"

#include <stdio.h>

struct mr_arena;

/* What a reply says, or a zone file: records in their order. */
struct mr_dns_section {
	const struct mr_dns_record *records;
	size_t n;
	bool exists;           /* not NXDOMAIN */
	uint32_t negative_ttl; /* RFC 2308 section 5; 0 without a SOA */
};

struct mr_dns_packet {
	uint8_t *octets;
	size_t length;
};

/* Can a question for it be asked at all (RFC 1035 section 2.3.4)?  Its labels
 * may hold any octets but dots and NULs. */
bool mr_dns_wire_can_ask(const char *name);

/* A recursive question with EDNS (RFC 6891), in the arena.  The name must be
 * one that can be asked. */
struct mr_dns_packet mr_dns_wire_question(struct mr_arena *arena, uint16_t id,
	const char *name, enum mr_dns_type type);

/* The records of `type` at the end of the CNAMEs of `name`, which is lower
 * case; see mr_dns_ask. */
enum mr_lookup mr_dns_section_answer(struct mr_arena *arena,
	const struct mr_dns_section *section, const char *name,
	enum mr_dns_type type, struct mr_dns_answer *answer);

enum mr_dns_reply {
	MR_DNS_NOT_OURS,  /* not a packet, or not the answer to this question:
	                     go on waiting for that */
	MR_DNS_TRUNCATED, /* ask again over TCP */
	MR_DNS_FAILED,    /* SERVFAIL and so on; the error says which */
	MR_DNS_ANSWERED,  /* NOERROR or NXDOMAIN */
};
enum mr_dns_reply mr_dns_wire_reply(struct mr_arena *arena,
	struct mr_dns_packet packet, uint16_t id, const char *name,
	enum mr_dns_type type, struct mr_dns_section *section,
	struct mr_error *error);

/* All records of a master file; `path` is for the error only. */
int mr_dns_wire_zone(struct mr_arena *arena, FILE *file, const char *path,
	struct mr_dns_section *zone, struct mr_error *error);

#endif
