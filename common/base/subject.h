/*
 * subject - tags such as [SPAM] in front of a mail's Subject (RFC 5322 section
 * 3.6.5)
 *
 * What the mail has stays as it is, octet by octet: encoded words (RFC 2047)
 * are read, to see whether a tag is there already, and never written anew.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_SUBJECT_H
#define MR_BASE_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

struct mr_arena;

/* A tag is printable ASCII. */
struct mr_subject_tag {
	const char *text;
	bool wanted; /* else it is only known */
};

/* The value of the Subject with the wanted tags in front, in their order, that
 * are not there yet; NULL: all are.  A tag is there if it stands at the very
 * beginning, or behind other ones that are known, in whatever case and charset:
 * behind "Re:" it says something of another mail.
 *
 * `value` stands behind the colon, its folded lines separated by LF or CRLF; it
 * may hold anything.  NULL: the mail has no Subject.  In the result each LF has
 * a blank behind it, no line that we begin is longer than 78 octets with the
 * header's name, and an encoded word has a blank in front. */
char *mr_subject_tag(struct mr_arena *arena, const char *value,
	const struct mr_subject_tag *tags, size_t n_tags);

/* The text that is meant, its encoded words decoded and its lines unfolded: for
 * comparing only, as the octets of several charsets may stand in it. */
char *mr_subject_decode(struct mr_arena *arena, const char *value);

#endif
