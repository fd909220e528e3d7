/* rule - see rule.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/rule.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/policy/reply.h"

#include <string.h>

enum { DETAIL_LONGEST = 300 };

const struct mr_settings *mr_question_settings(
	const struct mr_question *question, const struct mr_section *section)
{
	const struct mr_recipient *recipient = question->recipient;
	const struct mr_who *who =
		recipient == NULL ? &question->txn->login_who : &recipient->who;

	return mr_config_get(question->policy->config, &who->chain, section,
		NULL, question->txn->arena);
}

static void load(struct mr_question *question, const struct mr_check *check)
{
	question->rule = mr_question_settings(question, check->section);
	question->settings = question->rule->values;
}

static size_t outcome_offset(int outcome)
{
	return offsetof(struct mr_rule, outcome[0].action) +
	       sizeof(((struct mr_rule *)0)->outcome[0]) * (size_t)outcome;
}

/* An outcome's own action; MR_UNSET: as `action`.  An `action` that a narrower
 * rung sets means all outcomes: `check helo { action = off }` of a user is not
 * undone by an outcome that the top of the file sets. */
static int own_action(const struct mr_settings *settings, int outcome)
{
	const struct mr_rule *rule = settings->values;
	size_t own = outcome_offset(outcome);
	size_t all = offsetof(struct mr_rule, action);

	if (mr_settings_place(settings, own).file != NULL &&
		mr_settings_place(settings, all).file != NULL &&
		mr_settings_rung(settings, all) <
			mr_settings_rung(settings, own))
		return MR_UNSET;
	return rule->outcome[outcome].action;
}

bool mr_rule_is_on(
	const struct mr_check *check, const struct mr_settings *settings)
{
	if (((const struct mr_rule *)settings->values)->action != MR_OFF)
		return true;
	for (int i = 0; check->outcomes[i].name != NULL; i++)
		if (i != check->mixed && own_action(settings, i) > MR_OFF)
			return true;
	return false;
}

static bool is_exempt(const struct mr_txn *txn, const struct mr_recipient *r)
{
	const struct mr_list *exempt = &txn->policy->global->exempt;
	const char *const *patterns = exempt->items;

	for (size_t i = 0; r != NULL && i < exempt->count; i++)
		if (mr_address_pattern_match(patterns[i], r->address.plain))
			return true;
	return false;
}

/* Why the check is not asked here, or NULL. */
static const char *find_waiver(const struct mr_question *q,
	const struct mr_check *check, const struct mr_rule_exception **e)
{
	*e = NULL;
	if (check->about_sender && q->session->login != NULL)
		return "the client logged in";
	if (check->about_sender && q->txn->trusted)
		return "the client is trusted";
	if (check->about_sender && is_exempt(q->txn, q->recipient))
		return "the recipient is exempt";
	*e = mr_policy_exception(q->txn, q->recipient, check);
	if (*e == NULL)
		return NULL;
	if ((*e)->values->reason == NULL)
		return mr_arena_printf(
			q->txn->arena, "exception %s", (*e)->name);
	return mr_arena_printf(q->txn->arena, "exception %s: %s", (*e)->name,
		(*e)->values->reason);
}

static enum mr_action rule_action(const struct mr_settings *settings,
	enum mr_finding finding, int outcome, struct mr_place *at)
{
	const struct mr_rule *rule = settings->values;
	size_t offset = offsetof(struct mr_rule, action);
	int action = rule->action;

	switch (finding) {
	case MR_SKIP:
	case MR_CLEAR:
		action = MR_OFF;
		break;
	case MR_UNSURE:
		offset = offsetof(struct mr_rule, unsure);
		action = rule->unsure;
		break;
	case MR_HIT:
		if (own_action(settings, outcome) == MR_UNSET)
			break;
		offset = outcome_offset(outcome);
		action = own_action(settings, outcome);
		break;
	}
	*at = mr_settings_place(settings, offset);
	return (enum mr_action)action;
}

/* The mildest of what the groups say that the recipient may be in. */
static enum mr_action find_rules_action(const struct mr_question *q,
	enum mr_finding finding, int outcome, struct mr_place *at,
	const char **why)
{
	const struct mr_who *who =
		q->recipient == NULL ? &q->txn->login_who : &q->recipient->who;
	enum mr_action action = rule_action(q->rule, finding, outcome, at);

	for (size_t i = 0; who->perhaps != NULL && who->perhaps[i] != NULL;
		i++) {
		struct mr_chain chain = who->chain;
		enum mr_action other;
		struct mr_place other_at;

		chain.scope[MR_GROUP] = who->perhaps[i];
		other = rule_action(
			mr_config_get(q->policy->config, &chain,
				q->rule->section, NULL, q->txn->arena),
			finding, outcome, &other_at);
		if (other >= action)
			continue;
		action = other;
		*at = other_at;
		*why = mr_arena_printf(q->txn->arena,
			"who is in group %s cannot be told",
			who->perhaps[i]->title);
	}
	return action;
}

/* Nothing is felt with mode = observe. */
static enum mr_action soften(
	const struct mr_question *q, enum mr_action action, const char **why)
{
	if (action <= MR_OBSERVE || q->policy->global->mode != MR_MODE_OBSERVE)
		return action;
	*why = "mode = observe";
	return MR_OBSERVE;
}

static enum mr_action find_action(const struct mr_question *q,
	enum mr_finding finding, int outcome, struct mr_place *at,
	const char **why)
{
	return soften(q, find_rules_action(q, finding, outcome, at, why), why);
}

static struct mr_code code_for(const struct mr_question *q,
	const struct mr_check *check, const struct mr_answer *answer,
	enum mr_action action)
{
	struct mr_code code = check->unsure;

	if (action < MR_DEFER)
		return (struct mr_code){ 0, NULL };
	if (answer->finding == MR_HIT)
		return action == MR_REJECT
		               ? check->outcomes[answer->outcome].reject
		               : check->outcomes[answer->outcome].defer;
	if (action == MR_REJECT) {
		char *enhanced = mr_arena_strdup(q->txn->arena, code.enhanced);

		enhanced[0] = '5';
		code = (struct mr_code){ 550, enhanced };
	}
	return code;
}

static struct mr_verdict make_verdict(const struct mr_question *q,
	const struct mr_check *check, const struct mr_answer *answer,
	const struct mr_trace *trace)
{
	const struct mr_rule *rule = q->settings;
	bool hit = answer->finding == MR_HIT;
	struct mr_code code = code_for(q, check, answer, trace->action);
	struct mr_verdict verdict = {
		.action = trace->action,
		.code = code.code,
		.enhanced = code.enhanced,
		.at = trace->at,
	};

	verdict.rule = mr_arena_printf(q->txn->arena, "%s.%s", check->name,
		hit ? check->outcomes[answer->outcome].name : "unsure");
	if (code.code != 0)
		verdict.text = mr_reply_text(q, answer,
			hit ? rule->outcome[answer->outcome].text
			    : rule->unsure_text);
	return verdict;
}

static struct mr_trace *add_trace(
	const struct mr_question *q, const struct mr_check *check)
{
	struct mr_trace *trace = MR_NEW(q->txn->arena, struct mr_trace);

	trace->check = check->name;
	trace->stage = q->stage;
	trace->recipient = q->recipient == NULL ? NULL : q->recipient->given;
	trace->of = q->recipient;
	*q->txn->trace_last = trace;
	q->txn->trace_last = &trace->next;
	return trace;
}

/* What let the mail pass only explain shows. */
static bool is_told(const struct mr_question *q, const struct mr_answer *answer)
{
	return answer->finding == MR_HIT || answer->finding == MR_UNSURE ||
	       q->txn->every_rule;
}

/* The finding and what is done about it, as trace and as verdict. */
static void decide(const struct mr_question *q, const struct mr_check *check,
	const struct mr_answer *answer, struct mr_trace *trace,
	struct mr_decision *decision)
{
	trace->finding = answer->finding;
	if (answer->detail != NULL && is_told(q, answer))
		trace->detail = mr_text_printable(
			q->txn->arena, answer->detail, DETAIL_LONGEST);
	if (answer->finding == MR_HIT)
		trace->outcome = check->outcomes[answer->outcome].name;
	if (answer->at.file != NULL)
		trace->at = answer->at;
	if (trace->action <= MR_OBSERVE ||
		trace->action <= decision->verdict.action)
		return;
	decision->check = check;
	decision->verdict = make_verdict(q, check, answer, trace);
	if (answer->finding == MR_UNSURE)
		decision->verdict.why = trace->detail;
}

const struct mr_trace *mr_rule_ask(struct mr_question *question,
	const struct mr_check *check, struct mr_decision *decision)
{
	struct mr_answer answer = { 0 };
	struct mr_trace *trace;

	load(question, check);
	if (!mr_rule_is_on(check, question->rule)) {
		if (question->txn->every_rule)
			add_trace(question, check)->why = "the check is off";
		return NULL;
	}
	trace = add_trace(question, check);
	trace->why = find_waiver(question, check, &trace->exception);
	if (trace->exception != NULL)
		trace->at = trace->exception->at;
	if (trace->why != NULL)
		return trace;
	answer.finding = check->run(question, &answer);
	if (answer.finding == MR_HIT && answer.action != MR_OFF)
		trace->action = soften(
			question, (enum mr_action)answer.action, &trace->why);
	else
		trace->action = find_action(question, answer.finding,
			answer.outcome, &trace->at, &trace->why);
	if (answer.finding == MR_HIT && answer.most != MR_OFF &&
		(int)trace->action > answer.most)
		trace->action = (enum mr_action)answer.most;
	decide(question, check, &answer, trace, decision);
	return trace;
}

/* What each outcome would lead to; whatever does not refuse is alike. */
static void list_refusals(struct mr_question *q, const struct mr_check *check,
	enum mr_action actions[MR_OUTCOMES])
{
	const struct mr_rule_exception *exception;
	struct mr_place ignored;
	const char *why;

	load(q, check);
	memset(actions, 0, sizeof(*actions) * MR_OUTCOMES);
	if (!mr_rule_is_on(check, q->rule) ||
		find_waiver(q, check, &exception) != NULL)
		return;
	for (int i = 0; check->outcomes[i].name != NULL; i++) {
		if (i == check->mixed)
			continue;
		actions[i] = find_action(q, MR_HIT, i, &ignored, &why);
		if (actions[i] < MR_DEFER)
			actions[i] = MR_OFF;
	}
}

bool mr_rule_agrees(struct mr_question *question, const struct mr_check *check,
	struct mr_recipient *other)
{
	static const enum mr_action none[MR_OUTCOMES];
	enum mr_action ours[MR_OUTCOMES], others[MR_OUTCOMES];
	struct mr_question about = *question;

	about.recipient = other;
	list_refusals(question, check, ours);
	list_refusals(&about, check, others);
	if (memcmp(ours, others, sizeof(ours)) != 0)
		return false;
	return memcmp(ours, none, sizeof(ours)) == 0 ||
	       check->agrees(question, other);
}

const struct mr_trace *mr_rule_split(struct mr_question *question,
	const struct mr_check *check, struct mr_place at,
	struct mr_decision *decision)
{
	struct mr_answer answer = {
		.finding = MR_HIT,
		.outcome = check->mixed,
		.detail = "its recipients do not agree",
	};
	struct mr_trace *trace;

	load(question, check);
	trace = add_trace(question, check);
	trace->action = MR_DEFER;
	trace->at = at;
	*decision = (struct mr_decision){ 0 };
	decide(question, check, &answer, trace, decision);
	return trace;
}
