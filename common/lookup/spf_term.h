/*
 * spf_term - the grammar of SPF records, RFC 7208 section 12
 *
 * A term points into the record; nothing here takes memory, as records are
 * strangers' and may be long.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_SPF_TERM_H
#define MR_LOOKUP_SPF_TERM_H

#include "common/base/error.h"
#include "common/base/ip.h"
#include "common/lookup/spf.h"
#include "common/lookup/spf_macro.h"

#include <stddef.h>

enum mr_spf_kind {
	MR_SPF_ALL, /* mechanisms, RFC 7208 section 5 */
	MR_SPF_INCLUDE,
	MR_SPF_A,
	MR_SPF_MX,
	MR_SPF_PTR,
	MR_SPF_IP4,
	MR_SPF_IP6,
	MR_SPF_EXISTS,
	MR_SPF_REDIRECT, /* modifiers, section 6 */
	MR_SPF_EXP,
	MR_SPF_OTHER,
};

struct mr_spf_term {
	enum mr_spf_kind kind;
	enum mr_spf qualifier;      /* of a mechanism: its result */
	struct mr_spf_slice text;   /* the term as written */
	struct mr_spf_slice domain; /* domain-spec; its text NULL: absent */
	struct mr_ip ip;            /* ip4, ip6; host bits may be set */
	unsigned bits4, bits6;      /* 32 and 128 if absent */
};

/* Is the text of a TXT record an SPF record (section 4.5)? */
bool mr_spf_is_record(struct mr_spf_slice text);

/* Section 4.6: the whole of a record, before any of it counts.  -1: a syntax
 * error, or a modifier twice that may be there once. */
int mr_spf_record_check(struct mr_spf_slice record, struct mr_error *error);

/* The next term of a record that mr_spf_record_check found good; *at begins
 * with 0.  false: there is none left. */
bool mr_spf_next_term(
	struct mr_spf_slice record, size_t *at, struct mr_spf_term *term);

#endif
