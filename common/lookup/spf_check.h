/*
 * spf_check - one check under way: what spf, spf_match, spf_client and spf_ask
 * share.  Nobody else includes it.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_SPF_CHECK_H
#define MR_LOOKUP_SPF_CHECK_H

#include "common/base/error.h"
#include "common/lookup/dns.h"
#include "common/lookup/spf.h"
#include "common/lookup/spf_macro.h"
#include "common/lookup/spf_term.h"

/* RFC 7208 section 4.6.4 */
enum {
	MR_SPF_TERMS = 10, /* that ask the DNS */
	MR_SPF_VOIDS = 2,  /* of them without an answer */
	MR_SPF_NAMES = 10, /* hosts of an mx, names of the client */
};

enum mr_spf_name {
	MR_SPF_NAME_UNKNOWN, /* not validated yet */
	MR_SPF_NAME_VALID,
	MR_SPF_NAME_INVALID,
};

/* The client's names by PTR, looked up when first needed. */
struct mr_spf_client {
	bool asked;
	enum mr_lookup found;
	const char *const *names; /* the first n are looked at */
	size_t n;
	enum mr_spf_name state[MR_SPF_NAMES];
};

struct mr_spf_state {
	struct mr_dns *dns;
	const struct mr_spf_query *query;
	struct mr_spf_answer *answer;
	struct mr_arena *arena;
	struct mr_spf_values values; /* its domain is the current one */
	struct mr_spf_client client;
	/* Domains whose record was asked for ahead and not followed yet. */
	const char *ahead[MR_SPF_AHEAD];
	unsigned n_ahead, asked_ahead;
	bool exhausted; /* a question was one too many */
	struct mr_error error;
};

/* --- spf_ask: questions ------------------------------------------------- */

/* mr_dns_ask within the check's bounds.  MR_TEMPFAIL: state->error says why,
 * and state->exhausted whether it is the record's fault. */
enum mr_lookup mr_spf_ask(struct mr_spf_state *state, const char *name,
	enum mr_dns_type type, struct mr_dns_answer *answer);
/* Counts a question that is asked by other means; false: one too many. */
bool mr_spf_may_ask(struct mr_spf_state *state);
/* Has the deadline passed?  state->error says so. */
bool mr_spf_is_late(struct mr_spf_state *state);
/* A or AAAA, as the client has it. */
enum mr_dns_type mr_spf_address_type(const struct mr_spf_state *state);
/* Begins to ask for what evaluation will probably need. */
void mr_spf_ask_ahead(
	struct mr_spf_state *state, const char *name, enum mr_dns_type type);
/* The same for all that a record of state->values.domain names, and for what
 * those records name that were asked for ahead before and have come. */
void mr_spf_record_ahead(
	struct mr_spf_state *state, struct mr_spf_slice record);

/* How many SPF records a TXT answer has (sections 4.4 and 4.5); *record_r is
 * the first. */
size_t mr_spf_select(
	const struct mr_dns_answer *answer, struct mr_spf_slice *record_r);

/* The name that a domain-spec stands for; without one, the current domain
 * (section 4.8).  -1: state->error says why there is none. */
int mr_spf_target(struct mr_spf_state *state, struct mr_spf_slice spec,
	const char **name_r);

/* RFC 8616 section 4: the macros of a local part with UTF-8 make names that
 * nobody has, whatever else a name with UTF-8 is asked for by. */
bool mr_spf_is_ascii(const char *name);

/* --- spf_client: the client's names ------------------------------------- */

/* Section 5.5 and macro p: the validated name of the client that suits the
 * domain best, NULL: there is none.  With `within`, only the domain itself and
 * names below it will do.  *found_r is what the question for the names got. */
const char *mr_spf_client_name(struct mr_spf_state *state, const char *domain,
	bool within, enum mr_lookup *found_r);

/* --- spf_match: mechanisms ---------------------------------------------- */

enum mr_spf_match {
	MR_SPF_NO_MATCH,
	MR_SPF_MATCH,
	MR_SPF_MATCH_TEMPERROR, /* state->answer->why is set */
	MR_SPF_MATCH_PERMERROR, /* the same */
};

enum mr_spf_match mr_spf_match_term(
	struct mr_spf_state *state, const struct mr_spf_term *term);
/* Is the client in the network of an ip4 or ip6? */
bool mr_spf_match_ip(
	const struct mr_spf_state *state, const struct mr_spf_term *term);

/* --- spf: check_host() -------------------------------------------------- */

/* Section 5.2: the record of an include's target, without an explanation. */
enum mr_spf mr_spf_include(struct mr_spf_state *state, const char *domain);

/* Counts a term that asks; false: one too many, and why is set. */
bool mr_spf_count_term(struct mr_spf_state *state);
/* Counts an answer without records; false: one too many, and why is set. */
bool mr_spf_count_void(struct mr_spf_state *state, enum mr_lookup found);

/* "DOMAIN: CLAUSE" for logs, of the current domain. */
void mr_spf_why(struct mr_spf_state *state, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
