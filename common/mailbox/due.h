/*
 * due - until when nothing of a user's is due, so that a purge of all users
 * need not look at him
 *
 * One line a user, in root's file:
 *
 *	UNTIL POLICY USER
 *
 * seconds since 1970, the sum of the policy by which that is so (16 hexadecimal
 * digits), and the name.  Only a purge that saw a user's folders writes his.
 * A line may be lost or late, never early by more than the policy allows: new
 * mail waits as long as its rule says, and whatever gets older by other ways (a
 * folder renamed, a flag taken away, a mailbox restored) is seen at the next
 *full scan, which no line reaches beyond.  What is no line is passed over.
 *
 * Nothing here reads a clock or a file.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAILBOX_DUE_H
#define MR_MAILBOX_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_arena;
struct mr_due;

/* The longest name that is remembered. */
enum { MR_DUE_NAME = 512 };

/* Reads what the file says, anything or nothing.  `text` must last as long as
 * the arena, which owns the rest.  Lines that `now` has reached are forgotten,
 * and those further away than a full scan: a clock was wrong. */
struct mr_due *mr_due_read(
	struct mr_arena *arena, const char *text, size_t length, int64_t now);

/* Was nothing of the user's due before a time that is still to come, and by the
 * policy with which sum? */
bool mr_due_find(const struct mr_due *due, const char *user, uint64_t *policy);

/* Remembers it, in place of what was read of the user. */
void mr_due_set(
	struct mr_due *due, const char *user, uint64_t policy, int64_t until);

/* The file's new text. */
const char *mr_due_format(struct mr_due *due, size_t *length);

#endif
