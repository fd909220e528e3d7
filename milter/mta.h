/*
 * mta - the MTA at the other end of a milter connection
 *
 * This page is all the program knows of the milter protocol's machinery; today
 * libmilter.c stands behind it, over Sendmail's libmilter.  It is kept this
 * narrow because libmilter may have to be replaced: its pool of workers parks
 * sessions that arrive together behind callbacks that wait, and only a trick
 * helps (workers.h).  An event loop that speaks the protocol itself would
 * change one file.
 *
 * A connection is one context, made when the MTA connects and told everything
 * until `close`.  Callbacks of one connection never overlap, those of several
 * run in parallel.  Events that decide nothing have no answer; the MTA does
 * not wait for them.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MILTER_MTA_H
#define MR_MILTER_MTA_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct sockaddr;
struct mr_mta; /* a connection, within one of its callbacks */

enum mr_mta_answer { MR_MTA_CONTINUE, MR_MTA_REJECT, MR_MTA_TEMPFAIL };

/* What the MTA must send, or let us do, on this connection.  What is not
 * needed costs nothing: headers and body halve the throughput. */
struct mr_mta_needs {
	bool headers;
	bool body;
	bool change_headers;
	bool change_recipients;
	/* Connect and HELO when they happen.  Postfix keeps what needs no
	 * answer until something does, which is MAIL; so we answer. */
	bool early;
};

/* All texts are the MTA's, valid during the call, and may hold anything. */
struct mr_mta_callbacks {
	/* A new connection; the needs hold until its end. */
	void *(*open)(void *program, struct mr_mta_needs *needs);
	/* The SMTP client; again after XCLIENT.  `address` may be NULL, or of
	 * a family other than IPv4 and IPv6. */
	void (*connect)(void *context, struct mr_mta *mta, const char *name,
		const struct sockaddr *address);
	void (*helo)(void *context, struct mr_mta *mta, const char *name);
	/* The address, then the ESMTP parameters; NULL ends the list. */
	enum mr_mta_answer (*mail)(void *context, struct mr_mta *mta,
		const char *const *arguments);
	enum mr_mta_answer (*rcpt)(void *context, struct mr_mta *mta,
		const char *const *arguments);
	/* The value as it stands behind the colon, with its blanks; folded
	 * lines are separated by LF or CRLF. */
	void (*header)(void *context, const char *name, const char *value);
	void (*body)(void *context, size_t octets);
	enum mr_mta_answer (*end)(void *context, struct mr_mta *mta);
	/* The mail is given up (RSET); also between any two events. */
	void (*abort)(void *context);
	void (*close)(void *context);
};

/* Makes ready to answer on `fd`, a listening socket that is taken over.  Once
 * per process, before the first thread. */
int mr_mta_open(int fd, const struct mr_mta_callbacks *callbacks, void *program,
	struct mr_error *error);
/* Answers, in threads of its own that inherit the caller's signal mask (block
 * everything); returns only if it cannot go on. */
void mr_mta_run(void);
/* Takes no more connections; those there are go on.  From any thread.  Returns
 * the listening socket, which is the caller's now; -1: it failed, and
 * connections are still taken. */
int mr_mta_quiesce(struct mr_error *error);

/* Within a callback: what the MTA says of "{daemon_port}", "i"...; NULL if it
 * says nothing.  Valid during the call.  What was said at an earlier step
 * stays until the MTA says more at the same one. */
const char *mr_mta_macro(struct mr_mta *mta, const char *name);
/* The reply that goes with the answer REJECT or TEMPFAIL; without one it is
 * the MTA's own.  `text` is one line of printable ASCII.  -1: not usable. */
int mr_mta_reply(
	struct mr_mta *mta, int code, const char *enhanced, const char *text);
/* In `end`: adds a header at the end, or on top of those that came with the
 * mail, where trace headers belong (a value of several lines has LF in front of
 * each blank that continues it); changes or deletes the `index`th of that
 * name, from 1. */
int mr_mta_add_header(struct mr_mta *mta, const char *name, const char *value);
int mr_mta_insert_header(
	struct mr_mta *mta, const char *name, const char *value);
int mr_mta_change_header(
	struct mr_mta *mta, const char *name, int index, const char *value);
int mr_mta_delete_header(struct mr_mta *mta, const char *name, int index);
/* In `end`, with addresses as in SMTP.  The one that is dropped goes with all
 * that the MTA has made of it; it is meant as the client said it. */
int mr_mta_add_recipient(struct mr_mta *mta, const char *address);
int mr_mta_drop_recipient(struct mr_mta *mta, const char *address);

#endif
