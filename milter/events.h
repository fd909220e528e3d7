/*
 * events - what the MTA tells becomes sessions and transactions, and the
 * engine's verdict the answer and the log line
 *
 * The size of a mail is counted as it came over SMTP (RFC 5322 section 2.1):
 * each header as name, colon, value and CRLF, with CRLF for each line end in
 * the value; the empty line; the body's octets as given.  The Received header
 * that Postfix adds is not in it.  The body is counted, never held.
 *
 * A mail is judged by the policy that is current at MAIL, unless that needs
 * what this connection did not ask of the MTA when it began (headers, body):
 * then by the one of its beginning, until the client comes again.
 *
 * sendmail(1) and qmqpd: a refused recipient would leave the mail in the queue,
 * so such a session is `local` and gets its one answer at the end.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MILTER_EVENTS_H
#define MR_MILTER_EVENTS_H

#include "milter/mta.h"

#include <stdatomic.h>
#include <stdint.h>

struct mr_engine;
struct mr_quotas;

/* What all connections share; the `program` of the callbacks. */
struct mr_events {
	struct mr_engine *engine;
	const struct mr_quotas *quotas; /* of the policy daemon */
	atomic_uint sessions;           /* connections open */
	atomic_uint fresh;              /* of these without a mail so far */
	atomic_uint transactions;       /* mails under way */
	atomic_int_fast64_t came_ms;    /* CLOCK_MONOTONIC of the last one */
	atomic_int_fast64_t spoke_ms;   /* CLOCK_MONOTONIC of the last answer */
};

extern const struct mr_mta_callbacks mr_events_callbacks;

#endif
