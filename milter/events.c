/* events - see events.h. */
/* SPDX-License-Identifier: ISC */
#include "milter/events.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/daemon/decide.h"
#include "common/policy/ahead.h"
#include "common/policy/engine.h"
#include "common/policy/judge.h"
#include "common/policy/report.h"
#include "milter/envelope.h"
#include "milter/headers.h"
#include "milter/reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct connection {
	struct mr_events *events;
	struct mr_session *session;
	struct mr_policy *policy; /* held; fits the needs */
	struct mr_mta_needs needs;
	struct mr_txn *txn; /* NULL: no mail under way, or not ours */
	bool others;        /* the policy daemon judges the mail under way */
	struct mr_headers headers;
	bool mailed; /* at least once */
};

/* --- sessions */

static struct mr_mta_needs needs_of(const struct mr_policy *policy)
{
	bool changes =
		policy->tags || policy->headers != 0 || policy->n_scanners > 0;
	bool content =
		policy->needs_content && policy->verify == MR_JUDGE_MILTER;

	return (struct mr_mta_needs){
		.headers = content || changes,
		.body = content,
		.change_headers = changes,
		.change_recipients = policy->expands,
		.early = policy->asks_early,
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
	atomic_fetch_add(&events->fresh, 1);
	atomic_store(&events->came_ms, mr_clock_ms());
	return c;
}

static void end_transaction(struct connection *c)
{
	c->others = false;
	if (c->txn == NULL)
		return;
	mr_txn_free(&c->txn);
	atomic_fetch_sub(&c->events->transactions, 1);
}

static void has_mailed(struct connection *c)
{
	if (!c->mailed)
		atomic_fetch_sub(&c->events->fresh, 1);
	c->mailed = true;
}

static void on_close(void *context)
{
	struct connection *c = context;

	has_mailed(c);
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

static unsigned our_stages(const struct connection *c)
{
	return mr_judge_stages(c->policy, c->session, MR_JUDGE_MILTER);
}

static void ask_ahead(struct connection *c, enum mr_moment moment)
{
	if (our_stages(c) != 0)
		mr_ahead(c->policy, c->session, c->txn, 1u << moment);
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
	mr_session_client_ptr(c->session, mr_mta_macro(mta, "{client_ptr}"));
	mr_session_listener(
		c->session, port, mr_mta_macro(mta, "{daemon_name}"));
	mr_session_server(c->session, mr_mta_macro(mta, "{daemon_addr}"));
	c->session->local = is_local(&ip, name, port);
	ask_ahead(c, MR_AT_CONNECT);
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
	ask_ahead(c, MR_AT_HELO);
}

/* --- mails */

/* The one place where a mail is judged and answered. */
static enum mr_mta_answer judge(struct connection *c, struct mr_mta *mta,
	enum mr_stage stage, const struct mr_recipient *recipient)
{
	const struct mr_verdict *verdict;

	mr_txn_queue_id(c->txn, mr_mta_macro(mta, "i"));
	verdict = mr_decide(c->events->engine, c->txn, stage, recipient);
	atomic_store(&c->events->spoke_ms, mr_clock_ms());
	if (c->session->local && stage != MR_STAGE_EOM)
		return MR_MTA_CONTINUE;
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
	       got->change_headers >= wanted->change_headers &&
	       got->change_recipients >= wanted->change_recipients;
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

/* The sender as Postfix has taken it, if it says so: what looks like a comment
 * is none of it, and <a@one.example(b@other.example> is a@one.example. */
static const char *sender_of(struct mr_mta *mta, const char *const *arguments)
{
	const char *taken = mr_mta_macro(mta, "{mail_addr}");

	if (taken != NULL && *taken != '\0')
		return taken;
	return arguments[0] == NULL ? "" : arguments[0];
}

static enum mr_mta_answer on_mail(
	void *context, struct mr_mta *mta, const char *const *arguments)
{
	struct connection *c = context;
	uint64_t declared =
		arguments[0] == NULL ? 0 : declared_size(arguments + 1);
	unsigned stages;
	enum mr_mta_answer answer;

	end_transaction(c);
	take_policy(c);
	tell_tls(c, mta);
	mr_session_login(c->session, mr_mta_macro(mta, "{auth_authen}"));
	stages = our_stages(c);
	c->others = stages == 0;
	if (c->others) {
		has_mailed(c);
		return MR_MTA_CONTINUE;
	}
	/* in this order, or a drain could find neither */
	atomic_fetch_add(&c->events->transactions, 1);
	has_mailed(c);
	c->txn = mr_txn_new(c->events->engine, c->session, c->policy,
		sender_of(mta, arguments), declared, time(NULL));
	c->txn->stages = stages;
	c->txn->quotas = c->events->quotas;
	c->headers = (struct mr_headers){ 0 };
	mr_ahead(c->policy, c->session, c->txn, 1u << MR_AT_MAIL);
	answer = judge(c, mta, MR_STAGE_MAIL, NULL);
	if (answer != MR_MTA_CONTINUE)
		end_transaction(c);
	return answer;
}

static void add_id(const struct mr_txn *txn, struct mr_verdict *verdict)
{
	verdict->text = mr_arena_printf(
		txn->arena, "%s (id %s)", verdict->text, txn->id);
}

/* What the rules do not speak of: a mail that only means harm to us. */
static enum mr_mta_answer refuse(struct connection *c, struct mr_mta *mta,
	enum mr_stage stage, const struct mr_recipient *recipient,
	struct mr_verdict verdict)
{
	mr_txn_queue_id(c->txn, mr_mta_macro(mta, "i"));
	add_id(c->txn, &verdict);
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

/* Nobody's mail is one that begins without MAIL. */
static enum mr_mta_answer without_transaction(const struct connection *c)
{
	return c->others ? MR_MTA_CONTINUE : MR_MTA_TEMPFAIL;
}

static enum mr_mta_answer on_rcpt(
	void *context, struct mr_mta *mta, const char *const *arguments)
{
	struct connection *c = context;
	struct mr_recipient *recipient;

	if (c->txn == NULL)
		return without_transaction(c);
	if (c->txn->n_recipients >= MR_RECIPIENTS_MOST)
		return refuse(c, mta, MR_STAGE_RCPT, NULL,
			(struct mr_verdict){ MR_DEFER, 452, "4.5.3",
				"Too many recipients",
				"milter.too_many_recipients" });
	recipient = mr_txn_rcpt(c->txn, recipient_of(mta, arguments));
	if (arguments[0] != NULL)
		recipient->said = mr_arena_strdup(c->txn->arena, arguments[0]);
	mr_ahead(c->policy, c->session, c->txn, 1u << MR_AT_RCPT);
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
	if (c->needs.body)
		mr_txn_content(c->txn, strlen(name) + strlen(":") +
					       octets_of(value) +
					       strlen("\r\n"));
	if (c->needs.change_headers)
		mr_headers_see(&c->headers, c->txn, name, value);
}

static void on_body(void *context, size_t octets)
{
	struct connection *c = context;

	if (c->txn != NULL)
		mr_txn_content(c->txn, octets);
}

/* Members in the place of lists; if that fails the mail is not taken.  What is
 * only observed is only logged. */
static enum mr_mta_answer expand(struct connection *c, struct mr_mta *mta,
	const struct mr_envelope *envelope)
{
	if (c->policy->expands && mr_envelope_change(envelope, mta) < 0)
		return refuse(c, mta, MR_STAGE_EOM, NULL,
			(struct mr_verdict){ MR_DEFER, 451, "4.3.0",
				"The list cannot be expanded just now: please "
				"try again later",
				"list.envelope",
				"the MTA lets us add no recipients" });
	mr_log(MR_LOG_INFO, "%s", mr_report_envelope(c->txn, envelope));
	return MR_MTA_CONTINUE;
}

static bool has_too_many_headers(const struct connection *c)
{
	bool observed = c->policy->global->mode == MR_MODE_OBSERVE;

	if (!mr_headers_too_many(&c->headers, c->txn))
		return false;
	if (observed)
		mr_log(MR_LOG_INFO,
			"%s: more than %d headers of our own name, for which "
			"it would be refused (mode = observe)",
			c->txn->id, MR_FORGED_MOST);
	return !observed;
}

/* The envelope comes first: a mail that is refused for it was not accepted. But
 * if the rules refuse it, it is they that are told of. */
static enum mr_mta_answer on_end(void *context, struct mr_mta *mta)
{
	struct connection *c = context;
	enum mr_lookup lists = MR_NOTFOUND;
	struct mr_envelope envelope;
	struct mr_verdict refusal;
	enum mr_mta_answer answer;

	if (c->txn == NULL)
		return without_transaction(c);
	if (c->needs.body)
		mr_txn_content(c->txn, strlen("\r\n"));
	if (c->policy->mailings->title != NULL)
		lists = mr_txn_envelope(c->txn, &envelope, &refusal);
	if (lists == MR_TEMPFAIL && c->policy->expands) {
		add_id(c->txn, &refusal);
		c->txn->instead = &refusal;
	}
	if (has_too_many_headers(c))
		answer = refuse(c, mta, MR_STAGE_EOM, NULL,
			(struct mr_verdict){ MR_REJECT, 550, "5.6.0",
				"Too many headers of our own name",
				"milter.forged_headers" });
	else
		answer = judge(c, mta, MR_STAGE_EOM, NULL);
	if (answer == MR_MTA_CONTINUE && lists == MR_FOUND)
		answer = expand(c, mta, &envelope);
	if (answer == MR_MTA_CONTINUE && c->needs.change_headers)
		mr_headers_change(&c->headers, c->txn, mta);
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
