/*
 * report - what Dovecot says of one mailbox, as a datagram
 *
 *   request=mailreeve_usage
 *   mailbox=ann@example.net
 *   bytes=1048576
 *   limit=1073741824
 *   messages=12          (optional)
 *   saved=20480          (optional)
 *   time=86400123        (optional)
 *
 * In the attribute format (attributes.h), with its empty line at the end.
 * Without the messages nobody has counted: it holds so many octets at most.
 * Nothing here reads or writes a socket.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_REPORT_H
#define MR_POLICYD_REPORT_H

#include "common/base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Octets of a datagram, and of a mailbox's name in it. */
enum { MR_REPORT_LONGEST = 2048, MR_REPORT_MAILBOX = 512 };

enum { MR_REPORT_NOT_COUNTED = -1 };

struct mr_report {
	const char *mailbox; /* printable, as the userdb has the user */
	int64_t bytes;
	int64_t messages; /* MR_REPORT_NOT_COUNTED: the bytes are at most so
	                     many */
	int64_t limit; /* octets, as Dovecot sees it; for display.  0: none */
	int64_t saved; /* octets of the one mail that a delivery has just saved;
	                  0: it is about something else */
	int64_t time;  /* when it was counted, in milliseconds of this host's
	                  CLOCK_BOOTTIME; 0: not said */
};

/* `text` is changed, and the mailbox points into it. */
int mr_report_parse(char *text, size_t length, struct mr_report *report,
	struct mr_error *error);

#endif
