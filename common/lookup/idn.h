/*
 * idn - U-labels to A-labels (RFC 5890), the one place where that is done
 *
 * What SMTPUTF8 brings as a HELO name or a sender's domain is what people
 * write; the DNS knows its A-labels only.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_IDN_H
#define MR_LOOKUP_IDN_H

struct mr_arena;

/* `name` itself if it is all ASCII; else in A-labels, in the arena.  NULL: it
 * is no such name (not UTF-8, or not allowed by IDNA 2008). */
const char *mr_idn_ascii(struct mr_arena *arena, const char *name);

#endif
