/*
 * dns - questions to the DNS, or to a zone file that stands for it
 *
 * A stub resolver's part of RFC 1035: one question, one answer, a deadline.
 * Both sources answer alike, so that `explain --zone` shows what a live run
 * would do.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNS_H
#define MR_LOOKUP_DNS_H

#include "common/base/error.h"
#include "common/base/ip.h"

#include <stdint.h>

struct mr_arena;
struct mr_dns;

/* `server` is ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; port 53 by default. */
int mr_dns_open_server(
	const char *server, struct mr_dns **dns_r, struct mr_error *error);
/* A master file, RFC 1035 section 5; a mistake names its line.  It stands for
 * the whole DNS: what is not in it does not exist.  A line `;!servfail NAME` or
 * `;!timeout NAME` makes questions for that name MR_TEMPFAIL. */
int mr_dns_open_zone(
	const char *path, struct mr_dns **dns_r, struct mr_error *error);
void mr_dns_free(struct mr_dns **dns);

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

#endif
