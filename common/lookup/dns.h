/*
 * dns - questions to the DNS, or to a zone file that stands for it
 *
 * A stub resolver's part of RFC 1035: many threads ask, each question has its
 * caller's deadline, answers are cached (RFC 2308), and equal questions are
 * asked once, however many wait.  The servers recurse; the first one in order
 * that is well is asked, the next when it is late.  Servers that do not answer
 * are set aside until they do; while there is none left, questions fail at
 * once, and those under way with them.  Both sources answer alike, so that
 * `explain --zone` shows what a live run would do.
 *
 * Names are compared without case.  A name with UTF-8 in it is asked for by its
 * A-labels, see common/lookup/idn.h.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNS_H
#define MR_LOOKUP_DNS_H

#include "common/base/error.h"
#include "common/base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_arena;
struct mr_dns;
struct mr_dns_settings; /* common/config/sections.h */

/* RFC 1035 section 3.2.2, RFC 3596 */
enum mr_dns_type {
	MR_DNS_A = 1,
	MR_DNS_CNAME = 5,
	MR_DNS_PTR = 12,
	MR_DNS_MX = 15,
	MR_DNS_TXT = 16,
	MR_DNS_AAAA = 28,
};

struct mr_dns_record {
	const char *owner;
	unsigned type;       /* any; the rest is filled for the types above */
	uint32_t ttl;        /* seconds */
	struct mr_ip ip;     /* A, AAAA */
	const char *target;  /* CNAME, PTR, MX; "" is the root (a null MX, RFC
	                        7505); NULL if text cannot tell it */
	unsigned preference; /* MX */
	const char *text;    /* TXT: its strings joined; may hold NULs, and has
	                        one more behind it */
	size_t length;       /* of `text`, in octets */
};

struct mr_dns_answer {
	const struct mr_dns_record *records;
	size_t n;
	bool exists;  /* without records: is there such a name (NODATA), or not
	                 (NXDOMAIN)? */
	uint32_t ttl; /* seconds that the whole may be kept: the least of its
	                 records and CNAMEs, or what RFC 2308 says */
};

/* The servers of the policy's dns section, or else of /etc/resolv.conf.  Costs
 * nothing until something is asked. */
int mr_dns_open(const struct mr_dns_settings *settings, struct mr_dns **dns_r,
	struct mr_error *error);
/* `server` is ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; port 53 by default. */
int mr_dns_open_server(
	const char *server, struct mr_dns **dns_r, struct mr_error *error);
/* A master file, RFC 1035 section 5; a mistake names its line.  It stands for
 * the whole DNS: what is not in it does not exist.  A line `;!servfail NAME` or
 * `;!timeout NAME` makes questions for that name MR_TEMPFAIL. */
int mr_dns_open_zone(
	const char *path, struct mr_dns **dns_r, struct mr_error *error);
struct mr_dns *mr_dns_hold(struct mr_dns *dns);
/* Counted: the last one ends it, when nobody asks any more.  NULL-safe; clears
 * the pointer. */
void mr_dns_free(struct mr_dns **dns);
/* Would both ask the same servers in the same way? */
bool mr_dns_alike(const struct mr_dns *dns, const struct mr_dns *other);

/* The records of `type` that `name` has, in the answer's order and none but
 * those; their owner is the name at the end of its CNAMEs.  A name that cannot
 * be asked (RFC 1035 section 2.3.4) does not exist.
 *
 * MR_NOTFOUND: there are none, `answer` is filled all the same.
 * MR_TEMPFAIL: SERVFAIL and other refusals, no answer until `deadline_ms` (on
 * CLOCK_MONOTONIC; 0: it is known already, or asked and not waited for);
 * `answer` is empty. */
enum mr_lookup mr_dns_ask(struct mr_dns *dns, const char *name,
	enum mr_dns_type type, int64_t deadline_ms, struct mr_arena *arena,
	struct mr_dns_answer *answer, struct mr_error *error);
/* Is `ip` among its addresses? */
bool mr_dns_answer_has(
	const struct mr_dns_answer *answer, const struct mr_ip *ip);
/* Begins to ask what somebody will ask later: never waits, never fails. */
void mr_dns_prefetch(
	struct mr_dns *dns, const char *name, enum mr_dns_type type);

/* Of IPv4 and IPv6 only.  `zone` NULL: where its PTR records are, in
 * in-addr.arpa or ip6.arpa (RFC 1035 section 3.5, RFC 3596 section 2.5); else
 * where a list has it (RFC 5782 sections 2.1 and 2.4). */
const char *mr_dns_reverse_name(
	struct mr_arena *arena, const struct mr_ip *ip, const char *zone);

/* The names an address claims (PTR), in the answer's order, lower case without
 * the last dot; ends with NULL.  NXDOMAIN and no data are MR_NOTFOUND. */
enum mr_lookup mr_dns_names(struct mr_dns *dns, const struct mr_ip *ip,
	int64_t deadline_ms, struct mr_arena *arena,
	const char *const **names_r, struct mr_error *error);

/* Does `name` have `ip` among its addresses (A or AAAA)?  Follows CNAMEs.
 * MR_NOTFOUND: it has not. */
enum mr_lookup mr_dns_name_has(struct mr_dns *dns, const char *name,
	const struct mr_ip *ip, int64_t deadline_ms, struct mr_arena *arena,
	struct mr_error *error);

struct mr_dns_server_status {
	const char *text;  /* its address, as written */
	bool set_aside;    /* it does not answer and is only probed */
	unsigned late;     /* questions in a row that it let wait */
	int64_t silent_ms; /* since it said something; -1: not asked yet */
	unsigned mean_ms;  /* that an answer takes; 0: none came yet */
	uint64_t asked, answered;
};

struct mr_dns_status {
	const struct mr_dns_server_status *servers;
	size_t n_servers;
	size_t under_way;                                /* questions */
	uint64_t asked, from_cache, joined, turned_away; /* questions */
	size_t cached;                                   /* answers */
	size_t cache_octets, cache_bound;
};

/* How the servers and the cache do.  An engine that was never asked does not
 * know its servers' health; one that was learns within 8 s that a server died,
 * asked or not.  Never waits.  Without servers (a zone) all is 0. */
void mr_dns_status(struct mr_dns *dns, struct mr_arena *arena,
	struct mr_dns_status *status);

#endif
