/*
 * dns_server - one DNS server: its address, its pace and its health
 *
 * A server answers late or not at all for many reasons, most of which are the
 * name's that was asked for.  So unanswered questions only make it suspect:
 * others are asked before it, and it is probed.  It is set aside (nothing is
 * asked of it but probes) when MR_DNS_PROBES of them in a row, over
 * MR_DNS_SILENCE_MS, got no answer and nothing else did; whatever it says then
 * brings it back.  A server from which nothing was wanted is probed too, so
 * that its health is known.
 *
 * No I/O here; times are milliseconds on CLOCK_MONOTONIC.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNS_SERVER_H
#define MR_LOOKUP_DNS_SERVER_H

#include "common/base/ip.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct mr_arena;
struct mr_list;

enum {
	MR_DNS_SERVERS = 8, /* more are not used */
	MR_DNS_PROBES = 3,
	MR_DNS_SILENCE_MS = 4000, /* an answer may take 3 s */
	MR_DNS_PROBE_MS = 1000,   /* between two probes of a suspect */
	MR_DNS_IDLE_MS = 3000,    /* and of one that is not asked anything */
	MR_DNS_SLOW_MS = 800, /* answers that take so long make it suspect */
	/* Between two tries.  The least is not a round trip's: a name that the
	 * server has to look up itself takes longer than one that it knows. */
	MR_DNS_LEAST_PACE_MS = 400,
	MR_DNS_MOST_PACE_MS = 1000,
};

struct mr_dns_server {
	struct sockaddr_storage address;
	socklen_t size;
	const char *text; /* ADDRESS or as it was written */

	int64_t heard_ms, probed_ms, suspect_ms;
	unsigned late;   /* questions in a row that it let wait */
	unsigned probes; /* in a row, without an answer */
	bool set_aside;
	unsigned mean_ms, spread_ms; /* RFC 6298; 0: nothing measured yet */
	uint64_t asked, answered;
};

struct mr_dns_servers {
	struct mr_dns_server *server;
	size_t n;
};

/* `text` is ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; port 53 by default. */
int mr_dns_server_parse(
	const char *text, struct mr_dns_server *server, struct mr_error *error);
/* Those of a list of such texts, or, if it is empty, of resolv.conf(5) at
 * `path`; there is always one. */
int mr_dns_servers_list(struct mr_arena *arena, const struct mr_list *texts,
	const char *path, struct mr_dns_servers *servers,
	struct mr_error *error);

/* It begins to be used. */
void mr_dns_server_begin(struct mr_dns_server *server, int64_t now_ms);
/* It said something, `took_ms` after it was asked.  true: it is back. */
bool mr_dns_server_heard(
	struct mr_dns_server *server, int64_t now_ms, int64_t took_ms);
/* It let a question wait for its pace. */
void mr_dns_server_late(struct mr_dns_server *server);
/* When the next probe is due, and that one was sent. */
int64_t mr_dns_server_probe_due(const struct mr_dns_server *server);
void mr_dns_server_probed(struct mr_dns_server *server, int64_t now_ms);
/* true: it is set aside from now on. */
bool mr_dns_server_give_up(struct mr_dns_server *server, int64_t now_ms);

bool mr_dns_server_is_suspect(const struct mr_dns_server *server);
/* How long to wait for an answer before somebody else is asked. */
int64_t mr_dns_server_pace(const struct mr_dns_server *server);

#endif
