/*
 * spf_macro - macro strings, RFC 7208 section 7
 *
 * Expansion takes memory and time in proportion to what comes out, of which
 * there is at most MR_SPF_EXPANSION, however many macros a stranger wrote.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_SPF_MACRO_H
#define MR_LOOKUP_SPF_MACRO_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct mr_arena;
struct mr_ip;

/* Octets of one expanded string: 127 times the longest domain fits. */
enum { MR_SPF_EXPANSION = 32 * 1024 };

/* Some octets of outside text, NUL among them. */
struct mr_spf_slice {
	const char *text;
	size_t length;
};

/* Where a string stands: blanks and the letters c, r and t are for
 * explanations only (sections 7.1 and 7.2). */
enum mr_spf_place {
	MR_SPF_IN_TERM,
	MR_SPF_IN_EXPLANATION,
};

struct mr_spf_piece {
	enum {
		MR_SPF_LITERAL,
		MR_SPF_MACRO, /* %{...}; %%, %_ and %- have these letters */
		MR_SPF_WRONG, /* a syntax error; nothing comes after it */
	} kind;
	struct mr_spf_slice literal;
	char letter; /* lower case */
	bool url, reverse;
	unsigned keep; /* right-hand parts; 0: all */
	struct mr_spf_slice delimiters;
};

/* The next piece; *at begins with 0.  false: the string has ended. */
bool mr_spf_next_piece(struct mr_spf_slice string, enum mr_spf_place place,
	size_t *at, struct mr_spf_piece *piece);

/* What macros stand for (section 7.2). */
struct mr_spf_values {
	const char *sender;          /* s */
	const char *local;           /* l */
	const char *sender_domain;   /* o */
	const char *domain;          /* d */
	const struct mr_ip *ip;      /* i, c, v */
	const char *client_name;     /* p: validated; NULL: "unknown" */
	const char *helo, *receiver; /* h, r */
	time_t now;                  /* t */
};

/* Is there a macro of this letter? */
bool mr_spf_macro_uses(
	struct mr_spf_slice string, enum mr_spf_place place, char letter);

/* -1: a syntax error, or it would be too long. */
int mr_spf_expand(struct mr_arena *arena, struct mr_spf_slice string,
	enum mr_spf_place place, const struct mr_spf_values *values,
	const char **text_r, struct mr_error *error);

#endif
