/* delegation - see delegation.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/delegation.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/daemon/decide.h"
#include "common/policy/ahead.h"
#include "common/policy/judge.h"
#include "common/policy/quotas.h"
#include "common/policy/rates.h"
#include "common/policy/report.h"
#include "policyd/mails.h"
#include "policyd/prepend.h"
#include "policyd/rewrite.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char dunno[] = "DUNNO";

struct mr_delegation {
	struct mr_engine *engine;
	struct mr_mails *mails;
	const struct mr_rates *rates;
	const struct mr_quotas *quotas;
};

struct mr_delegation *mr_delegation_new(struct mr_engine *engine,
	const struct mr_rates *rates, const struct mr_quotas *quotas)
{
	struct mr_delegation *delegation = mr_calloc(1, sizeof(*delegation));

	delegation->engine = engine;
	delegation->mails =
		mr_mails_new(MR_DELEGATION_MAILS, MR_DELEGATION_OCTETS);
	delegation->rates = rates;
	delegation->quotas = quotas;
	return delegation;
}

void mr_delegation_free(struct mr_delegation **delegation)
{
	if (*delegation == NULL)
		return;
	mr_mails_free(&(*delegation)->mails);
	free(*delegation);
	*delegation = NULL;
}

size_t mr_delegation_mails(struct mr_delegation *delegation)
{
	return mr_mails_count(delegation->mails);
}

/* --- what a request tells */

static const char *or_null(const char *value)
{
	return *value == '\0' ? NULL : value;
}

static struct mr_session *session_of(const struct mr_request *request)
{
	struct mr_session *session = mr_session_new();
	uint64_t port = mr_request_number(request->server_port);
	struct mr_error ignored;
	struct mr_ip ip;
	bool known = mr_ip_parse(request->client_address, &ip, &ignored) == 0;

	mr_session_client(
		session, known ? &ip : NULL, or_null(request->client_name));
	mr_session_client_ptr(session, or_null(request->reverse_client_name));
	mr_session_listener(session, port > 65535 ? 0 : (unsigned)port,
		or_null(request->policy_context));
	mr_session_server(session, or_null(request->server_address));
	mr_session_helo(session, or_null(request->helo_name));
	mr_session_tls(session, request->encryption_protocol);
	mr_session_login(session, request->sasl_username);
	return session;
}

/* The checks that are ours alone. */
static void let_count(
	const struct mr_delegation *delegation, struct mr_txn *txn)
{
	txn->counts = txn->policy->rates || txn->policy->books;
	if (txn->policy->rates)
		txn->rates = delegation->rates;
}

/* NULL: it is not ours to judge.  `declared` is SIZE=. */
static struct mr_mail *begin(struct mr_delegation *delegation,
	const struct mr_request *request, uint64_t declared)
{
	struct mr_mail *mail = mr_mail_new(request->instance);
	struct mr_policy *policy = mr_engine_policy(delegation->engine);
	unsigned stages;

	mail->session = session_of(request);
	stages = mr_judge_stages(policy, mail->session, MR_JUDGE_POLICYD);
	if (stages == 0 && !policy->rates && !policy->books) {
		mr_mail_free(&mail);
	} else {
		mail->txn = mr_txn_new(delegation->engine, mail->session,
			policy, request->sender, declared, time(NULL));
		mail->txn->stages = stages;
		mail->txn->quotas = delegation->quotas;
		let_count(delegation, mail->txn);
	}
	mr_policy_release(&policy);
	return mail;
}

static bool is_asked(const struct mr_mail *mail, enum mr_stage stage)
{
	return (mail->txn->stages & (1u << stage)) != 0;
}

static void ask_ahead(const struct mr_mail *mail, unsigned moments)
{
	if (is_asked(mail, MR_STAGE_RCPT))
		mr_ahead(mail->txn->policy, mail->session, mail->txn, moments);
}

/* --- judging */

/* NULL: accepted. */
static const char *refusal_of(
	const struct mr_verdict *verdict, struct mr_arena *arena)
{
	if (verdict->action < MR_DEFER)
		return NULL;
	return mr_arena_printf(arena, "%d %s %s", verdict->code,
		verdict->enhanced, verdict->text);
}

static const char *judge(struct mr_delegation *delegation, struct mr_mail *mail,
	enum mr_stage stage, const struct mr_recipient *recipient)
{
	return refusal_of(
		mr_decide(delegation->engine, mail->txn, stage, recipient),
		mail->txn->arena);
}

static const char *recipient_of(
	const struct mr_mail *mail, const struct mr_request *request)
{
	return mr_rewrite_recipient(mail->txn->arena, request->recipient,
		mail->txn->policy->global->hostname);
}

static struct mr_mail *begin_with_sender(
	struct mr_delegation *delegation, const struct mr_request *request)
{
	struct mr_mail *mail =
		begin(delegation, request, mr_request_number(request->size));

	if (mail == NULL)
		return NULL;
	ask_ahead(mail,
		1u << MR_AT_CONNECT | 1u << MR_AT_HELO | 1u << MR_AT_MAIL);
	if (is_asked(mail, MR_STAGE_MAIL))
		mail->refusal = judge(delegation, mail, MR_STAGE_MAIL, NULL);
	return mail;
}

/* Is that recipient the one that was told as `address`?  What is cut or made
 * printable in `given` is no address of ours. */
static bool is_told(const struct mr_recipient *recipient, const char *address)
{
	return strlen(address) < MR_GIVEN_LONGEST &&
	       strcmp(recipient->given, address) == 0;
}

static bool is_newest(const struct mr_mail *mail, const char *address)
{
	return mail->txn->newest != NULL && is_told(mail->txn->newest, address);
}

static const char *refuse_too_many(const struct mr_mail *mail)
{
	struct mr_txn *txn = mail->txn;
	struct mr_verdict verdict = { MR_DEFER, 452, "4.5.3", NULL,
		"policyd.too_many_recipients" };

	verdict.text = mr_arena_printf(
		txn->arena, "Too many recipients (id %s)", txn->id);
	mr_log(MR_LOG_INFO, "%s",
		mr_report_line(txn, MR_STAGE_RCPT, NULL, &verdict));
	return refusal_of(&verdict, txn->arena);
}

/* Postfix asks again about the same recipient if it lost our answer, or has us
 * in several of its lists. */
static const char *judge_recipient(struct mr_delegation *delegation,
	struct mr_mail *mail, const char *address)
{
	struct mr_recipient *recipient;

	if (mail->refusal != NULL)
		return mail->refusal;
	if (is_newest(mail, address))
		return mail->answer;
	if (mail->txn->n_recipients >= MR_RECIPIENTS_MOST)
		return refuse_too_many(mail);
	recipient = mr_txn_rcpt(mail->txn, address);
	ask_ahead(mail, 1u << MR_AT_RCPT);
	mail->answer = judge(delegation, mail, MR_STAGE_RCPT, recipient);
	return mail->answer;
}

/* What the mail accepted so far is to carry. */
static const char *headers_of(struct mr_mail *mail, struct mr_arena *arena)
{
	const char *header = NULL;

	if (is_asked(mail, MR_STAGE_RCPT))
		header = mr_prepend_next(mail->txn, &mail->headers);
	if (header == NULL)
		return dunno;
	return mr_arena_printf(arena, "PREPEND %s", header);
}

/* --- by protocol_state */

/* Without an instance nothing can be remembered. */
static void keep(struct mr_delegation *delegation,
	const struct mr_request *request, struct mr_mail **mail)
{
	if (*request->instance != '\0')
		mr_mails_keep(delegation->mails, mail, mr_clock_ms());
	else
		mr_mail_free(mail);
}

static const char *on_rcpt(struct mr_delegation *delegation,
	const struct mr_request *request, struct mr_arena *arena)
{
	struct mr_mail *mail =
		mr_mails_take(delegation->mails, request->instance);
	const char *answer;

	if (mail == NULL)
		mail = begin_with_sender(delegation, request);
	if (mail == NULL)
		return dunno;
	answer = judge_recipient(delegation, mail, recipient_of(mail, request));
	mail->n_taken += answer == NULL;
	answer = answer == NULL ? headers_of(mail, arena)
	                        : mr_arena_strdup(arena, answer);
	keep(delegation, request, &mail);
	return answer;
}

static const char *on_data(struct mr_delegation *delegation,
	const struct mr_request *request, struct mr_arena *arena)
{
	struct mr_mail *mail =
		mr_mails_take(delegation->mails, request->instance);
	const char *answer;

	if (mail == NULL)
		return dunno;
	answer = headers_of(mail, arena);
	keep(delegation, request, &mail);
	return answer;
}

/* What came before is not known; the recipient was accepted. */
static struct mr_mail *begin_at_end(
	struct mr_delegation *delegation, const struct mr_request *request)
{
	struct mr_mail *mail;
	unsigned stages;

	if (*request->recipient == '\0')
		return NULL;
	mail = begin(delegation, request, 0);
	if (mail == NULL)
		return NULL;
	stages = mail->txn->stages;
	mail->txn->stages = 0;
	mail->txn->counts = false;
	mr_txn_rcpt(mail->txn, recipient_of(mail, request));
	mr_engine_step(delegation->engine, mail->txn, MR_STAGE_RCPT);
	mail->txn->stages = stages;
	let_count(delegation, mail->txn);
	return mail;
}

/* Postfix or the milter may have refused whom we accepted.  A mail for one
 * recipient names him; of several, named "", we know only how many they are. */
static void leave_out_refused(struct mr_mail *mail, const char *only)
{
	struct mr_recipient *r;
	bool there = false;

	for (r = mail->txn->recipients; *only != '\0' && r != NULL; r = r->next)
		there |= is_told(r, only);
	for (r = mail->txn->recipients; there && r != NULL; r = r->next)
		r->accepted = r->accepted && is_told(r, only);
	mail->txn->taken_known = there || mail->n_taken == mail->txn->n_taken;
}

static unsigned taken_of(const struct mr_request *request)
{
	uint64_t n = mr_request_number(request->recipient_count);

	return n > MR_RECIPIENTS_MOST ? MR_RECIPIENTS_MOST : (unsigned)n;
}

static const char *on_end(struct mr_delegation *delegation,
	const struct mr_request *request, struct mr_arena *arena)
{
	struct mr_mail *mail =
		mr_mails_take(delegation->mails, request->instance);
	const char *answer;

	if (mail == NULL)
		mail = begin_at_end(delegation, request);
	if (mail == NULL)
		return dunno;
	mail->txn->n_taken = taken_of(request);
	leave_out_refused(mail, recipient_of(mail, request));
	mr_txn_queue_id(mail->txn, or_null(request->queue_id));
	mr_txn_content(mail->txn, mr_request_number(request->size));
	answer = judge(delegation, mail, MR_STAGE_EOM, NULL);
	if (answer == NULL)
		mr_rates_count(mail->txn);
	else
		mr_quotas_cancel(mail->txn);
	answer = answer == NULL ? dunno : mr_arena_strdup(arena, answer);
	mr_mail_free(&mail);
	return answer;
}

static void ask_early(struct mr_delegation *delegation,
	const struct mr_request *request, enum mr_moment moment)
{
	struct mr_policy *policy = mr_engine_policy(delegation->engine);
	struct mr_session *session = session_of(request);

	if (mr_judge_stages(policy, session, MR_JUDGE_POLICYD) ==
		MR_EVERY_STAGE)
		mr_ahead(policy, session, NULL, 1u << moment);
	mr_session_free(&session);
	mr_policy_release(&policy);
}

static const char *on_connect(struct mr_delegation *delegation,
	const struct mr_request *request, struct mr_arena *arena)
{
	(void)arena;
	ask_early(delegation, request, MR_AT_CONNECT);
	return dunno;
}

static const char *on_helo(struct mr_delegation *delegation,
	const struct mr_request *request, struct mr_arena *arena)
{
	(void)arena;
	ask_early(delegation, request, MR_AT_HELO);
	return dunno;
}

const char *mr_delegation_answer(struct mr_delegation *delegation,
	const struct mr_request *request, struct mr_arena *arena)
{
	static const struct {
		const char *state;
		const char *(*answer)(struct mr_delegation *delegation,
			const struct mr_request *request,
			struct mr_arena *arena);
	} states[] = {
		{ "RCPT", on_rcpt },
		{ "END-OF-MESSAGE", on_end },
		{ "DATA", on_data },
		{ "CONNECT", on_connect },
		{ "HELO", on_helo },
		{ "EHLO", on_helo },
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(states[i].state, request->protocol_state) == 0)
			return states[i].answer(delegation, request, arena);
	return dunno;
}

static const char *answer(void *context, int fd, char *text, size_t length,
	struct mr_arena *arena, const char **why_r)
{
	struct mr_request request;
	struct mr_error error;

	(void)fd;
	if (mr_request_parse(text, length, &request, &error) < 0) {
		*why_r = "a broken request";
		return NULL;
	}
	return mr_answer_write(
		arena, mr_delegation_answer(context, &request, arena));
}

struct mr_answerer mr_delegation_answerer(struct mr_delegation *delegation)
{
	return (struct mr_answerer){ delegation, answer };
}
