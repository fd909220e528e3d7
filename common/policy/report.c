/* report - see report.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/report.h"
#include "common/base/arena.h"
#include "common/base/text.h"

enum { SHOWN = 256 };

static const char *shown(const struct mr_txn *txn, const char *text)
{
	return mr_text_printable(txn->arena, text, SHOWN);
}

/* NOQUEUE: reject: RCPT from name[address] */
static char *head(
	const struct mr_txn *txn, enum mr_stage stage, const char *action)
{
	const struct mr_session *s = txn->session;
	const char *id = txn->queue_id == NULL ? "NOQUEUE" : txn->queue_id;
	const char *name = s->client_name == NULL ? "unknown" : s->client_name;

	if (s->local || s->client.family == 0)
		return mr_arena_join(txn->arena, id, ": ", action, ": ",
			mr_stage_smtp(stage), " from local", NULL);
	return mr_arena_join(txn->arena, id, ": ", action, ": ",
		mr_stage_smtp(stage), " from ", shown(txn, name), "[",
		mr_ip_format(txn->arena, &s->client), "]", NULL);
}

static char *envelope_of(const struct mr_txn *txn, const char *recipient)
{
	const struct mr_session *s = txn->session;
	bool to = recipient != NULL, helo = s->helo != NULL;

	return mr_arena_join(txn->arena, "from=<", txn->sender_given, ">",
		to ? " to=<" : "", to ? recipient : "", to ? ">" : "",
		helo ? " helo=<" : "", helo ? shown(txn, s->helo) : "",
		helo ? ">" : "", s->login == NULL ? "" : " sasl_username=",
		s->login == NULL ? "" : shown(txn, s->login), NULL);
}

static char *tail(
	const struct mr_txn *txn, const char *rule, const struct mr_place *at)
{
	return mr_arena_printf(txn->arena, "rule=%s at=%s id=%s", rule,
		mr_place_format(txn->arena, at), txn->id);
}

static char *report_accepted(const struct mr_txn *txn, enum mr_stage stage)
{
	const struct mr_recipient *first = NULL;
	unsigned n = 0;

	for (const struct mr_recipient *r = txn->recipients; r != NULL;
		r = r->next)
		if (r->accepted) {
			first = first == NULL ? r : first;
			n++;
		}
	return mr_arena_printf(txn->arena, "%s; %s size=%llu nrcpt=%u id=%s",
		head(txn, stage, "accept"),
		envelope_of(txn, first == NULL ? NULL : first->given),
		(unsigned long long)txn->size, n, txn->id);
}

/* The reply only says that something could not be found out. */
static const char *why_field(
	const struct mr_txn *txn, const struct mr_verdict *verdict)
{
	char *text;

	if (verdict->why == NULL)
		return "";
	text = mr_arena_strdup(txn->arena, verdict->why);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '"')
			*p = '\'';
	return mr_arena_printf(txn->arena, " why=\"%s\"", text);
}

char *mr_report_line(const struct mr_txn *txn, enum mr_stage stage,
	const struct mr_recipient *recipient, const struct mr_verdict *verdict)
{
	if (verdict->action < MR_DEFER)
		return report_accepted(txn, stage);
	return mr_arena_printf(txn->arena, "%s: %d %s %s; %s%s %s",
		head(txn, stage, mr_action_name(verdict->action)),
		verdict->code, verdict->enhanced, verdict->text,
		envelope_of(txn, recipient == NULL ? NULL : recipient->given),
		why_field(txn, verdict),
		tail(txn, verdict->rule, &verdict->at));
}

char *mr_report_trace(const struct mr_txn *txn, const struct mr_trace *trace)
{
	const char *rule = mr_arena_printf(txn->arena, "%s.%s", trace->check,
		trace->outcome == NULL ? "unsure" : trace->outcome);

	return mr_arena_printf(txn->arena, "%s: %s; %s %s",
		head(txn, trace->stage, mr_action_name(trace->action)),
		trace->detail == NULL ? "" : trace->detail,
		envelope_of(txn, trace->recipient),
		tail(txn, rule, &trace->at));
}

char *mr_report_envelope(
	const struct mr_txn *txn, const struct mr_envelope *envelope)
{
	size_t lists = 0;

	while (envelope->drop[lists] != NULL)
		lists++;
	return mr_arena_printf(txn->arena,
		"%s; %s lists=%zu members=%zu rule=list id=%s",
		head(txn, MR_STAGE_EOM,
			txn->policy->expands ? "expand" : "observe: expand"),
		envelope_of(txn, envelope->drop[0]->given), lists,
		envelope->n_add, txn->id);
}
