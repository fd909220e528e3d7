/*
 * mark - the header by which the milter tells the mailbox what a scanner found
 *
 * One header for each scanner, of the policy's tag_header:
 *
 *   X-Mailreeve: scanner=spam
 *
 * What checks found stands in a header of its own, of the same name, and is
 * never a mark: it begins with "CHECK.OUTCOME".
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_MARK_H
#define MR_BASE_MARK_H

#include <stdbool.h>

struct mr_arena;

/* The value of the header. */
char *mr_mark_format(struct mr_arena *arena, const char *scanner);
/* Is the value, as it stands behind the colon, the mark of this scanner?  Case
 * and blanks around it are ignored; nothing else may stand there. */
bool mr_mark_is(const char *value, const char *scanner);

#endif
