/*
 * transaction - what we were told about a mail and the session it belongs to
 *
 * A front end tells, in SMTP's order; nothing here looks anything up.  All
 * texts are copied, and cut at MR_TOLD_LONGEST octets.
 *
 *   session:  client, listener, TLS, HELO, login      (one connection)
 *   txn:      sender, recipients, headers, size       (one mail)
 *
 * A transaction is judged from first to last by the policy that it began with.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_TRANSACTION_H
#define MR_POLICY_TRANSACTION_H

#include "common/base/address.h"
#include "common/base/ip.h"
#include "common/config/schema.h"
#include "common/lookup/recipient.h"
#include "common/policy/policy.h"
#include "common/policy/verdict.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct mr_account;
struct mr_engine;
struct mr_expansion;
struct mr_facts;
struct mr_quota_facts;
struct mr_quotas;
struct mr_rates;
struct mr_scan;

/* Postfix's line_length_limit. */
enum { MR_TOLD_LONGEST = 2048, MR_RECIPIENTS_MOST = 10000 };
/* Of an address as it was given, for replies and logs. */
enum { MR_GIVEN_LONGEST = 256 };

struct mr_session {
	struct mr_ip client;
	char *client_name;   /* as Postfix verified it; NULL: unknown */
	char *client_ptr;    /* as the address claims; NULL: unknown */
	char *helo;          /* NULL: none given */
	char *login;         /* lower case; NULL: not logged in */
	enum mr_tls tls;     /* MR_TLS_NONE: cleartext; ANY: unknown version */
	struct mr_ip server; /* our address */
	unsigned port;       /* ours; 0: not by SMTP, or unknown */
	char *daemon_name;
	bool local;     /* sendmail(1) and qmqpd: one answer, at the end */
	uint64_t seed;  /* of the decision ids */
	uint64_t mails; /* transactions begun */
};

/* A recipient, with the facts that were looked up for it at most once. */
struct mr_recipient {
	struct mr_address address;
	const char *given; /* as told, printable, for replies and logs */
	const char *said;  /* by the client, as it is; NULL: not by SMTP */
	struct mr_who who; /* whose rules apply */
	struct mr_verdict verdict;
	bool accepted; /* by the verdict at RCPT */
	bool resolved; /* are the next three known? */
	enum mr_lookup resolution;
	struct mr_recipient_answer found;
	const char *unresolved; /* why, if resolution is MR_TEMPFAIL */
	bool limited;           /* is limit known? */
	uint64_t limit;         /* octets this recipient takes of this sender */
	struct mr_place limit_at;
	bool limit_is_senders; /* a login\'s own, not the recipient\'s */
	struct mr_recipient *next;
};

struct mr_txn {
	struct mr_arena *arena;
	struct mr_session *session;
	struct mr_policy *policy; /* held */
	const char *id;           /* short, for replies and logs */
	const char *queue_id;     /* Postfix's, NULL until it is known */
	time_t now;
	struct mr_address sender; /* text "": the null sender <> */
	const char *sender_given; /* as told, printable */
	uint64_t declared;        /* SIZE= (RFC 1870), 0: not said */
	uint64_t size;            /* octets of headers and body so far */
	bool trusted;
	unsigned stages; /* 1 << enum mr_stage, at which checks are asked; all,
	                    unless another program has the rest (judge.h) */
	bool counts;     /* are the checks asked that only one program may? */
	const struct mr_rates *rates;   /* counters; NULL: nobody counts here */
	const struct mr_quotas *quotas; /* how full mailboxes are; NULL: nobody
	                                   knows here */
	struct mr_quota_facts *quota;   /* see quotas.h; NULL: not asked yet */
	unsigned n_taken;  /* recipients at the end, by Postfix; 0: not said */
	bool taken_known;  /* are these the ones that we accepted? */
	bool split;        /* see engine.h */
	bool every_rule;   /* explain: also ask what cannot matter */
	int64_t waited_ms; /* for look-ups, so far */
	struct mr_facts *facts; /* what the DNS said; NULL: nothing yet */
	struct mr_scan *scan;   /* what scanners say; NULL: no header yet */
	struct mr_expansion *expansions; /* of lists, see mailing.h */
	struct mr_account *account;      /* see account.h; NULL: not asked */
	const char *client_network;      /* for rates; NULL: not asked yet */
	struct mr_who login_who; /* whose rules a login's mail follows */
	bool *excepted; /* which exceptions were counted; NULL: none yet */
	struct mr_recipient *recipients, *newest;
	unsigned n_recipients;
	struct mr_trace *trace, **trace_last, **trace_untold;
	struct mr_verdict verdict; /* of the last step */
	/* the last step's, if the rules let the mail pass; or NULL */
	const struct mr_verdict *instead;
};

/* One connection.  NULL-safe free; free transactions first. */
struct mr_session *mr_session_new(void);
void mr_session_free(struct mr_session **session);

/* Connect; a second one (XCLIENT) forgets HELO, TLS and login.  `ip` NULL: not
 * by SMTP.  `name` NULL, "unknown" or an address in brackets: no verified name.
 */
void mr_session_client(
	struct mr_session *session, const struct mr_ip *ip, const char *name);
/* The name in the client's PTR record, verified or not; NULL or "unknown": no
 * name is known. */
void mr_session_client_ptr(struct mr_session *session, const char *name);
/* Which of our ports; port 0 and daemon_name NULL: unknown. */
void mr_session_listener(
	struct mr_session *session, unsigned port, const char *daemon_name);
/* Which of our addresses; NULL, or what is none: unknown. */
void mr_session_server(struct mr_session *session, const char *address);
/* HELO or EHLO.  RFC 3207 section 4.2: STARTTLS makes what was said before
 * void; the client says HELO again. */
void mr_session_helo(struct mr_session *session, const char *name);
/* `version` as Postfix's {tls_version}; NULL: cleartext. */
void mr_session_tls(struct mr_session *session, const char *version);
void mr_session_login(struct mr_session *session, const char *name);

/* MAIL: begins a transaction under `policy`, of which it takes a hold of its
 * own.  `sender` with or without angle brackets.  mr_txn_free ends it (RSET,
 * end of mail). */
struct mr_txn *mr_txn_new(struct mr_engine *engine, struct mr_session *session,
	struct mr_policy *policy, const char *sender, uint64_t declared,
	time_t now);
void mr_txn_free(struct mr_txn **txn);
void mr_txn_queue_id(struct mr_txn *txn, const char *id);
/* RCPT: the recipient that the next step at MR_STAGE_RCPT judges. */
struct mr_recipient *mr_txn_rcpt(struct mr_txn *txn, const char *address);
/* Octets of content, each line end counted as CRLF (RFC 5322 section 2.1). */
void mr_txn_content(struct mr_txn *txn, uint64_t octets);

#endif
