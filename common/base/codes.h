/*
 * codes - which answers of a DNS list mean that something is listed
 *
 *   127.0.0.2   127.0.0.2..11   127.0.*.1..3
 *
 * Four parts; each is a number, a range or `*`.  The first is 127 (RFC 5782
 * section 2.1).
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_CODES_H
#define MR_BASE_CODES_H

#include "common/base/error.h"
#include "common/base/ip.h"

struct mr_codes {
	struct {
		unsigned char least, most;
	} part[4];
};

int mr_codes_parse(
	const char *text, struct mr_codes *codes, struct mr_error *error);
/* Never what mr_code_refuses. */
bool mr_codes_match(const struct mr_codes *codes, const struct mr_ip *code);

/* Is it an answer of a list at all, 127.0.0.0/8? */
bool mr_code_is_one(const struct mr_ip *code);
/* 127.255.255.0/24: the list does not want to be asked like this. */
bool mr_code_refuses(const struct mr_ip *code);

#endif
