/* events - see events.h. */
/* SPDX-License-Identifier: ISC */
#include "milter/events.h"
#include "common/base/clock.h"
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/policy/engine.h"
#include "common/policy/report.h"
#include "milter/reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Each forged tag header costs the MTA a deletion; no honest mail has many. */
enum { FORGED_MOST = 100 };

struct connection {
	struct mr_events *events;
	struct mr_session *session;
	struct mr_policy *policy; /* held; fits the needs */
	struct mr_mta_needs needs;
	struct mr_txn *txn;         /* NULL: no mail under way */
	struct mr_trace **unlogged; /* the part of its trace still to be told */
	int forged; /* headers of the tag's name that came with the mail */
};

/* --- sessions */

static struct mr_mta_needs needs_of(const struct mr_policy *policy)
{
	return (struct mr_mta_needs){
		.headers = policy->needs_content || policy->tags,
		.body = policy->needs_content,
		.change_headers = policy->tags,
	};
}

static void *on_open(void *program, struct mr_mta_needs *needs)
{
	struct mr_events *events = program;
	struct connection *c = mr_calloc(1, sizeof(*c));

	c->events = events;
	c->session = mr_session_new();
	c->policy = mr_engine_policy(events->engine);
	c->needs = *needs = needs_of(c->policy);
	atomic_fetch_add(&events->sessions, 1);
	return c;
}

static void end_transaction(struct connection *c)
{
	if (c->txn == NULL)
		return;
	mr_txn_free(&c->txn);
	c->unlogged = NULL;
	atomic_fetch_sub(&c->events->transactions, 1);
}

static void on_close(void *context)
{
	struct connection *c = context;

	end_transaction(c);
	mr_session_free(&c->session);
	mr_policy_release(&c->policy);
	atomic_fetch_sub(&c->events->sessions, 1);
	free(c);
}

/* For sendmail(1) Postfix's cleanup says "localhost", 127.0.0.1 and port 0. */
static bool is_local(const struct mr_ip *ip, const char *name, unsigned port)
{
	struct mr_ip loopback;
	struct mr_error ignored;

	if (port != 0)
		return false;
	if (ip->family == 0)
		return true;
	mr_ip_parse(ip->family == AF_INET ? "127.0.0.1" : "::1", &loopback,
		&ignored);
	return name != NULL && strcasecmp(name, "localhost") == 0 &&
	       memcmp(ip->octets, loopback.octets, sizeof(ip->octets)) == 0;
}

static void on_connect(void *context, struct mr_mta *mta, const char *name,
	const struct sockaddr *address)
{
	struct connection *c = context;
	const char *digits = mr_mta_macro(mta, "{daemon_port}");
	unsigned port =
		digits == NULL ? 0 : (unsigned)strtoul(digits, NULL, 10);
	struct mr_ip ip = { 0 };

	end_transaction(c);
	if (address != NULL)
		ip = mr_ip_from_sockaddr(address);
	mr_session_client(c->session, ip.family == 0 ? NULL : &ip, name);
	mr_session_listener(
		c->session, port, mr_mta_macro(mta, "{daemon_name}"));
	c->session->local = is_local(&ip, name, port);
}

static void tell_tls(struct connection *c, struct mr_mta *mta)
{
	mr_session_tls(c->session, mr_mta_macro(mta, "{tls_version}"));
}

static void on_helo(void *context, struct mr_mta *mta, const char *name)
{
	struct connection *c = context;

	tell_tls(c, mta);
	mr_session_helo(c->session, name);
}

/* --- mails */

static void log_trace(struct connection *c)
{
	struct mr_trace *trace;

	for (; (trace = *c->unlogged) != NULL; c->unlogged = &trace->next)
		if ((trace->finding == MR_HIT || trace->finding == MR_UNSURE) &&
			(trace->action == MR_OBSERVE ||
				trace->action == MR_TAG))
			mr_log(MR_LOG_INFO, "%s",
				mr_report_trace(c->txn, trace));
}

/* The one place where a mail is judged, answered and logged. */
static enum mr_mta_answer judge(struct connection *c, struct mr_mta *mta,
	enum mr_stage stage, const struct mr_recipient *recipient)
{
	const struct mr_verdict *verdict;

	mr_txn_queue_id(c->txn, mr_mta_macro(mta, "i"));
	verdict = mr_engine_step(c->events->engine, c->txn, stage);
	mr_log(MR_LOG_DEBUG, "%s %s: %s", c->txn->id, mr_stage_smtp(stage),
		mr_verdict_name(verdict));
	log_trace(c);
	atomic_store(&c->events->spoke_ms, mr_clock_ms());
	if (c->session->local && stage != MR_STAGE_EOM)
		return MR_MTA_CONTINUE;
	if (verdict->action >= MR_DEFER || stage == MR_STAGE_EOM)
		mr_log(MR_LOG_INFO, "%s",
			mr_report_line(c->txn, stage, recipient, verdict));
	return mr_reply_give(mta, verdict);
}

/* SIZE= among MAIL's parameters (RFC 1870); 0: none that makes sense. */
static uint64_t declared_size(const char *const *parameters)
{
	for (; *parameters != NULL; parameters++) {
		const char *p = *parameters;
		uint64_t size = 0;

		if (strncasecmp(p, "SIZE=", 5) != 0)
			continue;
		for (p += 5; *p >= '0' && *p <= '9'; p++)
			if (__builtin_mul_overflow(size, 10, &size) ||
				__builtin_add_overflow(
					size, (uint64_t)(*p - '0'), &size))
				size = UINT64_MAX;
		return *p == '\0' ? size : 0;
	}
	return 0;
}

static bool covers(
	const struct mr_mta_needs *got, const struct mr_mta_needs *wanted)
{
	return got->headers >= wanted->headers && got->body >= wanted->body &&
	       got->change_headers >= wanted->change_headers;
}

static void take_policy(struct connection *c)
{
	struct mr_policy *policy = mr_engine_policy(c->events->engine);
	struct mr_mta_needs needs = needs_of(policy);

	if (covers(&c->needs, &needs)) {
		mr_policy_release(&c->policy);
		c->policy = policy;
	} else {
		mr_policy_release(&policy);
	}
}

static enum mr_mta_answer on_mail(
	void *context, struct mr_mta *mta, const char *const *arguments)
{
	struct connection *c = context;
	const char *sender = arguments[0] == NULL ? "" : arguments[0];
	uint64_t declared =
		arguments[0] == NULL ? 0 : declared_size(arguments + 1);
	enum mr_mta_answer answer;

	end_transaction(c);
	take_policy(c);
	tell_tls(c, mta);
	mr_session_login(c->session, mr_mta_macro(mta, "{auth_authen}"));
	atomic_fetch_add(&c->events->transactions, 1);
	c->txn = mr_txn_new(c->events->engine, c->session, c->policy, sender,
		declared, time(NULL));
	c->unlogged = &c->txn->trace;
	c->forged = 0;
	answer = judge(c, mta, MR_STAGE_MAIL, NULL);
	if (answer != MR_MTA_CONTINUE)
		end_transaction(c);
	return answer;
}

/* What the rules do not speak of: a mail that only means harm to us. */
static enum mr_mta_answer refuse(struct connection *c, struct mr_mta *mta,
	enum mr_stage stage, const struct mr_recipient *recipient,
	struct mr_verdict verdict)
{
	verdict.text = mr_arena_printf(
		c->txn->arena, "%s (id %s)", verdict.text, c->txn->id);
	mr_log(MR_LOG_INFO, "%s",
		mr_report_line(c->txn, stage, recipient, &verdict));
	return mr_reply_give(mta, &verdict);
}

/* The recipient as Postfix has rewritten it, if it says so: net.example!bob and
 * bob%net.example are bob@net.example to it, and must be so to the rules. */
static const char *recipient_of(
	struct mr_mta *mta, const char *const *arguments)
{
	const char *rewritten = mr_mta_macro(mta, "{rcpt_addr}");

	if (rewritten != NULL && strchr(rewritten, '@') != NULL)
		return rewritten;
	return arguments[0] == NULL ? "" : arguments[0];
}

static enum mr_mta_answer on_rcpt(
	void *context, struct mr_mta *mta, const char *const *arguments)
{
	struct connection *c = context;
	struct mr_recipient *recipient;

	if (c->txn == NULL)
		return MR_MTA_TEMPFAIL;
	if (c->txn->n_recipients >= MR_RECIPIENTS_MOST)
		return refuse(c, mta, MR_STAGE_RCPT, NULL,
			(struct mr_verdict){ MR_DEFER, 452, "4.5.3",
				"Too many recipients",
				"milter.too_many_recipients", { 0 } });
	recipient = mr_txn_rcpt(c->txn, recipient_of(mta, arguments));
	return judge(c, mta, MR_STAGE_RCPT, recipient);
}

/* With CRLF for each LF that has no CR. */
static uint64_t octets_of(const char *value)
{
	uint64_t octets = 0;

	for (const char *p = value; *p != '\0'; p++)
		octets += *p == '\n' && (p == value || p[-1] != '\r') ? 2 : 1;
	return octets;
}

static void on_header(void *context, const char *name, const char *value)
{
	struct connection *c = context;

	if (c->txn == NULL)
		return;
	mr_txn_content(c->txn,
		strlen(name) + strlen(":") + octets_of(value) + strlen("\r\n"));
	if (c->needs.change_headers && c->forged <= FORGED_MOST &&
		strcasecmp(name, c->txn->policy->global->tag_header) == 0)
		c->forged++;
}

static void on_body(void *context, size_t octets)
{
	struct connection *c = context;

	if (c->txn != NULL)
		mr_txn_content(c->txn, octets);
}

/* Whoever reads the tag header may believe it: it is never the sender's. */
static void tag(struct connection *c, struct mr_mta *mta)
{
	const char *name = c->txn->policy->global->tag_header;
	const char *value = mr_txn_tag(c->txn);

	for (int index = c->forged; index > 0; index--)
		if (mr_mta_delete_header(mta, name, index) < 0)
			mr_log(MR_LOG_WARNING,
				"cannot delete a forged %s header, the MTA "
				"does not let us",
				name);
	if (value != NULL && mr_mta_add_header(mta, name, value) < 0)
		mr_log(MR_LOG_WARNING,
			"cannot add the %s header, the MTA does not let us",
			name);
}

static enum mr_mta_answer on_end(void *context, struct mr_mta *mta)
{
	struct connection *c = context;
	enum mr_mta_answer answer;

	if (c->txn == NULL)
		return MR_MTA_TEMPFAIL;
	mr_txn_content(c->txn, strlen("\r\n"));
	if (c->forged > FORGED_MOST)
		answer = refuse(c, mta, MR_STAGE_EOM, NULL,
			(struct mr_verdict){ MR_REJECT, 550, "5.6.0",
				"Too many headers of our own name",
				"milter.forged_headers", { 0 } });
	else
		answer = judge(c, mta, MR_STAGE_EOM, NULL);
	if (answer == MR_MTA_CONTINUE && c->needs.change_headers)
		tag(c, mta);
	end_transaction(c);
	return answer;
}

static void on_abort(void *context)
{
	end_transaction(context);
}

const struct mr_mta_callbacks mr_events_callbacks = {
	.open = on_open,
	.connect = on_connect,
	.helo = on_helo,
	.mail = on_mail,
	.rcpt = on_rcpt,
	.header = on_header,
	.body = on_body,
	.end = on_end,
	.abort = on_abort,
	.close = on_close,
};
