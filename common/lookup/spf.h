/*
 * spf - may this host send mail for this domain?  check_host() of RFC 7208
 *
 * The grammar is in spf_term and spf_macro, mechanisms in spf_match, the names
 * of the client in spf_client, questions to the DNS in spf_ask.
 *
 * Records are written by strangers.  Beside the RFC's own limits (section
 * 4.6.4: 10 terms that ask, 2 void look-ups, 10 names of an mx or ptr) an
 * expansion, the number of questions and the time are bounded; nothing recurses
 * deeper than the 10 terms.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_SPF_H
#define MR_LOOKUP_SPF_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct mr_arena;
struct mr_dns;
struct mr_ip;

/* Questions that a check may need, as an honest record never does; more are a
 * permerror.  The RFC's limits alone allow 111. */
enum { MR_SPF_QUESTIONS = 60 };
/* Beside them, questions asked ahead whose answers were not needed then. */
enum { MR_SPF_AHEAD = 40 };

/* RFC 7208 section 2.6, in its order */
enum mr_spf {
	MR_SPF_NONE,
	MR_SPF_NEUTRAL,
	MR_SPF_PASS,
	MR_SPF_FAIL,
	MR_SPF_SOFTFAIL,
	MR_SPF_TEMPERROR,
	MR_SPF_PERMERROR,
};

struct mr_spf_query {
	const struct mr_ip *ip;
	const char *helo;
	/* local@domain; "" checks the HELO identity, postmaster@helo (RFC 7208
	 * sections 2.3 and 2.4).  U-labels are taken for their A-labels (RFC
	 * 8616 section 4). */
	const char *sender;
	const char *receiver;            /* %{r}; NULL: "unknown" */
	const char *default_explanation; /* of a fail without one; or NULL */
	int64_t deadline_ms;             /* then temperror */
	time_t now;                      /* %{t} */
};

struct mr_spf_answer {
	enum mr_spf result;
	/* Whose record decided: the identity's domain, or where a redirect= of
	 * it led. */
	const char *domain;
	/* Of a fail only: what the domain says of it (section 6.2), octets of
	 * a stranger, or else the default; NULL: neither. */
	const char *explanation;
	bool domain_explains; /* it is the domain's, not the default */
	const char *why;      /* one clause for logs; a stranger's octets too */
	unsigned terms, voids, questions; /* what it took */
};

/* Always fills `answer`; its strings belong to the arena or the query. */
void mr_spf_check(struct mr_dns *dns, const struct mr_spf_query *query,
	struct mr_arena *arena, struct mr_spf_answer *answer);

/* Begins to ask for the domain's record, without waiting.  mr_spf_check asks
 * ahead itself for what a record names. */
void mr_spf_prefetch(struct mr_dns *dns, const char *domain);

/* "pass" and so on, RFC 7208 section 9.1 and RFC 8601 section 2.7.2 */
const char *mr_spf_word(enum mr_spf result);

#endif
