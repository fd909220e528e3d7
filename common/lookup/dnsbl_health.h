/*
 * dnsbl_health - is a list well?  What it said so far, and when, decides
 *
 *   new     not probed yet: asked, and believed as far as it is checked
 *   well    asked
 *   out     not asked by mails, only probed
 *   absent  has no test entry of this kind and never had: a list without IPv6
 *
 * Time is CLOCK_MONOTONIC, in milliseconds; nothing here asks or logs.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNSBL_HEALTH_H
#define MR_LOOKUP_DNSBL_HEALTH_H

#include "common/lookup/dnsbl.h"

enum {
	MR_DNSBL_PROBE_MS = 30 * 1000,
	MR_DNSBL_IDLE_MS = 10 * 60 * 1000, /* while no mail asks it */
	MR_DNSBL_RETRY_MS = 10 * 1000,     /* while it is out */
	MR_DNSBL_TRUST_MS = 5 * 1000,
	MR_DNSBL_TRUSTED = 5,
	MR_DNSBL_SILENCES = 3, /* for different items in a row: it is out */
	MR_DNSBL_RETURNS = 2,  /* good probes in a row, and it is back */
	/* So many different items listed without one that is not: it lists
	 * everything, whatever its test points say.  Of a well list that lists
	 * 95 of 100 clients that happens once in 28,000 times. */
	MR_DNSBL_ROW = 200,
	MR_DNSBL_ROW_AGAIN = 20,          /* after it came back from that */
	MR_DNSBL_ROW_MS = 10 * 60 * 1000, /* it is out for */
};

enum mr_dnsbl_state {
	MR_DNSBL_NEW,
	MR_DNSBL_WELL,
	MR_DNSBL_OUT,
	MR_DNSBL_ABSENT,
};

enum { MR_DNSBL_REMEMBERED = 16 };

struct mr_dnsbl_health {
	enum mr_dnsbl_state state;
	const char *why;     /* it is out: one clause */
	struct mr_ip code;   /* that it gave then, if any */
	int64_t since_ms;    /* in this state */
	int64_t probed_ms;   /* the last probe, if it was probed */
	int64_t until_ms;    /* it stays out at least */
	int64_t verified_ms; /* the last made-up item was "not listed" */
	bool probed, verified;
	bool was_well, used; /* used: by a mail, since the last probe */
	unsigned trusted;    /* listings since */
	unsigned row;        /* different items listed in a row */
	unsigned silences, returns;
	uint64_t silent_item;                 /* the last without an answer */
	uint64_t recent[MR_DNSBL_REMEMBERED]; /* the last items listed */
	uint64_t asked, listed, failed;
};

/* Should mails ask it? */
bool mr_dnsbl_health_is_asked(const struct mr_dnsbl_health *health);
/* Does a listing count without asking for something made up first?  Each that
 * does is counted. */
bool mr_dnsbl_health_trust(struct mr_dnsbl_health *health, int64_t now_ms);
bool mr_dnsbl_health_is_due(
	const struct mr_dnsbl_health *health, int64_t now_ms);

/* What it said of an item that a mail asked for (`item` is a hash of it), of
 * something made up, and to a probe: of what must be listed, of what must not,
 * and of something made up.  True: the state changed. */
bool mr_dnsbl_health_said(struct mr_dnsbl_health *health,
	enum mr_dnsbl_says says, const struct mr_ip *code, uint64_t item,
	int64_t now_ms);
bool mr_dnsbl_health_verified(struct mr_dnsbl_health *health,
	enum mr_dnsbl_says says, const struct mr_ip *code, int64_t now_ms);

struct mr_dnsbl_probe {
	enum mr_dnsbl_says listed, unlisted, made_up;
	struct mr_ip code;  /* of the worst of them, if it had one */
	bool may_be_absent; /* lists need not have this kind */
};
bool mr_dnsbl_health_probed(struct mr_dnsbl_health *health,
	const struct mr_dnsbl_probe *probe, int64_t now_ms);

#endif
