/*
 * error - why something could not be done, and how questions are answered
 *
 * Functions that may fail return 0 or -1 and fill a struct mr_error: one
 * clause, no full stop, no newline, that says why.  Questions to the world
 * return an enum mr_lookup; "could not find out" is never "no".
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_ERROR_H
#define MR_BASE_ERROR_H

/* A longer clause is cut; it is for people, not for programs. */
enum { MR_ERROR_TEXT = 512 };

struct mr_error {
	char text[MR_ERROR_TEXT];
};

/* Always -1, so that `return mr_error_set(error, ...)` reads well. */
int mr_error_set(struct mr_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

enum mr_lookup {
	MR_TEMPFAIL, /* could not find out; a struct mr_error says why */
	MR_NOTFOUND,
	MR_FOUND,
};

#endif
