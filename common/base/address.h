/*
 * address - mail addresses and host names (RFC 5321 section 4.1.2)
 *
 * Addresses are compared in lower case; a local part is kept as octets, so
 * SMTPUTF8 addresses pass through unharmed.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_ADDRESS_H
#define MR_BASE_ADDRESS_H

#include "common/base/error.h"

#include <stdbool.h>

struct mr_arena;

/* More than RFC 5321 section 4.5.3.1 allows: what Postfix takes in a line, so
 * that nobody gets around a rule by a long detail.  Longer ones are "not
 * valid". */
enum { MR_ADDRESS_LONGEST = 2048, MR_HOSTNAME_LONGEST = 255 };

struct mr_address {
	const char *text; /* local@domain, lower case, no angle brackets, quotes
	                     of the local part removed where they are not
	                     needed; "" for the null sender <> */
	const char *local;  /* before the last @ */
	const char *domain; /* behind the last @; "" if there is none */
	const char *detail; /* behind the delimiter, NULL if none */
	const char *plain;  /* text without delimiter and detail */
};

/* From `<local@domain>` or `local@domain` (a source route in front is dropped,
 * RFC 5321 appendix C).  `delimiters` are the characters of Postfix's
 * recipient_delimiter, "" for none; owner- and -request addresses keep theirs,
 * as Postfix does for `-`.  A detail is split off only where something is left
 * in front of it.  All strings belong to the arena.  -1: not an address. */
int mr_address_parse(struct mr_arena *arena, const char *text,
	const char *delimiters, struct mr_address *address,
	struct mr_error *error);

/* One pattern of a setting: `user@domain`, `@domain` or `domain`, `user@`,
 * `*` globs in either part, `.domain` for everything below it.  NULL pattern
 * text is a mistake of the caller. */
int mr_address_pattern_check(const char *pattern, struct mr_error *error);
/* `address` is lower-case text as in struct mr_address; "" is matched by `<>`
 * only. */
bool mr_address_pattern_match(const char *pattern, const char *address);

/* What is wrong with a host name. */
enum mr_hostname {
	MR_HOSTNAME_FINE,          /* RFC 1123 labels, at least two, fully
	                              qualified; a dot at the end is allowed */
	MR_HOSTNAME_INVALID,       /* empty, bad characters, label of more than
	                              63 octets, bad hyphens, all digits and dots */
	MR_HOSTNAME_NOT_QUALIFIED, /* a good label, but only one */
	MR_HOSTNAME_LITERAL,       /* a well-formed address literal, RFC 5321
	                              section 4.1.3: [192.0.2.1], [IPv6:...] */
	MR_HOSTNAME_BARE_ADDRESS,  /* 192.0.2.1 without brackets */
};
/* Underscores are accepted, as Postfix accepts them: they occur in host names
 * of real clients.  U-labels (UTF-8) are judged label by label for length. */
enum mr_hostname mr_hostname_check(const char *name);

#endif
