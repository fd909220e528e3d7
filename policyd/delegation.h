/*
 * delegation - a policy request becomes a step of a mail, the verdict an action
 *
 *   RCPT            the recipient is judged; the first one brings client, HELO
 *                   and sender along.  DUNNO, PREPEND or a reply
 *   DATA            a header that is left to tell: PREPEND, else DUNNO
 *   END-OF-MESSAGE  the mail is judged by its true size: DUNNO or a reply
 *   CONNECT, HELO, EHLO    DUNNO; the DNS is asked what will be needed
 *   anything else   DUNNO
 *
 * Never OK, which would skip what Postfix checks after us.  A request has room
 * for one header, so the tag comes first, then Received-SPF, then
 * Authentication-Results, each once per mail, with the next recipient or DATA.
 *
 * Mail that the milter judges (judge.h) is DUNNO, but for rates and, at its
 * end, for room in mailboxes: only we count and book what is accepted.  An
 * END-OF-MESSAGE of which we saw no recipient, as after a restart, is judged by
 * itself if it names one.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_DELEGATION_H
#define MR_POLICYD_DELEGATION_H

#include "policyd/answerer.h"
#include "policyd/postfix.h"

#include <stddef.h>
#include <stdint.h>

struct mr_arena;
struct mr_delegation;
struct mr_engine;
struct mr_quotas;
struct mr_rates;

/* How many mails may be under way at once, see mails.h, and in how many octets:
 * each recipient has some 10 KB. */
enum { MR_DELEGATION_MAILS = 10000, MR_DELEGATION_OCTETS = 256 << 20 };

/* `rates` and `quotas` are borrowed. */
struct mr_delegation *mr_delegation_new(struct mr_engine *engine,
	const struct mr_rates *rates, const struct mr_quotas *quotas);
void mr_delegation_free(struct mr_delegation **delegation);

/* The action, in `arena`.  From any thread; may wait for look-ups. */
const char *mr_delegation_answer(struct mr_delegation *delegation,
	const struct mr_request *request, struct mr_arena *arena);
/* The same for whole requests, and whole answers. */
struct mr_answerer mr_delegation_answerer(struct mr_delegation *delegation);
/* Mails under way. */
size_t mr_delegation_mails(struct mr_delegation *delegation);

#endif
