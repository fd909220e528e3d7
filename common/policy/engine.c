/* engine - see engine.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/engine.h"
#include "common/base/arena.h"
#include "common/policy/facts.h"
#include "common/policy/rule.h"
#include "common/policy/scan.h"
#include "common/policy/split.h"
#include "common/policy/tally.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* A check's outcomes, and one more for `unsure`. */
enum { UNSURE = MR_OUTCOMES, COUNTED, ACTIONS = MR_REJECT + 1 };

struct counts {
	atomic_ulong of[COUNTED][ACTIONS];
};

struct mr_engine {
	pthread_mutex_t lock; /* of `current` */
	struct mr_policy *current;
	struct mr_split *split;
	struct counts *counts; /* one per check */
	struct mr_tally *scanners, *exceptions;
	atomic_ulong accepted;
};

static size_t number_of_checks(void)
{
	size_t n = 0;

	while (mr_checks[n] != NULL)
		n++;
	return n;
}

struct mr_engine *mr_engine_new(struct mr_policy *policy)
{
	struct mr_engine *engine = mr_calloc(1, sizeof(*engine));

	pthread_mutex_init(&engine->lock, NULL);
	engine->current = policy;
	engine->split = mr_split_new();
	engine->counts = mr_calloc(number_of_checks(), sizeof(struct counts));
	engine->scanners = mr_tally_new();
	engine->exceptions = mr_tally_new();
	mr_policy_count_exceptions(policy, engine->exceptions);
	return engine;
}

void mr_engine_free(struct mr_engine **engine)
{
	struct mr_engine *e = *engine;

	if (e == NULL)
		return;
	mr_policy_release(&e->current);
	mr_split_free(&e->split);
	mr_tally_free(&e->scanners);
	mr_tally_free(&e->exceptions);
	pthread_mutex_destroy(&e->lock);
	free(e->counts);
	free(e);
	*engine = NULL;
}

struct mr_policy *mr_engine_policy(struct mr_engine *engine)
{
	struct mr_policy *policy;

	pthread_mutex_lock(&engine->lock);
	policy = mr_policy_hold(engine->current);
	pthread_mutex_unlock(&engine->lock);
	return policy;
}

void mr_engine_publish(struct mr_engine *engine, struct mr_policy *policy)
{
	struct mr_policy *old;

	mr_policy_count_exceptions(policy, engine->exceptions);
	pthread_mutex_lock(&engine->lock);
	old = engine->current;
	engine->current = policy;
	pthread_mutex_unlock(&engine->lock);
	mr_policy_release(&old);
}

void mr_engine_begin(struct mr_engine *engine, struct mr_txn *txn)
{
	txn->split = mr_split_wanted(engine->split, txn);
	mr_fact_who(txn, txn->session->login == NULL ? "" : txn->session->login,
		&txn->login_who);
}

/* --- a stage */

static void count(struct mr_engine *engine, struct mr_txn *txn, size_t check,
	const struct mr_trace *trace)
{
	const struct mr_outcome *outcomes = mr_checks[check]->outcomes;
	int outcome = 0;

	if (trace != NULL && trace->exception != NULL)
		mr_exception_used(txn, trace->exception);
	if (trace == NULL ||
		(trace->finding != MR_HIT && trace->finding != MR_UNSURE))
		return;
	if (trace->finding == MR_UNSURE)
		outcome = UNSURE;
	else
		while (outcomes[outcome].name != trace->outcome)
			outcome++;
	atomic_fetch_add_explicit(
		&engine->counts[check].of[outcome][trace->action], 1,
		memory_order_relaxed);
}

static struct mr_question question_about(
	struct mr_txn *txn, struct mr_recipient *recipient, enum mr_stage stage)
{
	return (struct mr_question){
		.policy = txn->policy,
		.session = txn->session,
		.txn = txn,
		.recipient = recipient,
		.stage = stage,
	};
}

static bool is_asked(const struct mr_txn *txn, enum mr_stage stage)
{
	return (txn->stages & (1u << stage)) != 0;
}

static bool is_asked_of(const struct mr_txn *txn, const struct mr_check *check,
	enum mr_stage stage)
{
	if (check->counts & (1u << stage))
		return txn->counts || txn->every_rule;
	return is_asked(txn, stage);
}

/* Asks what this stage asks.  A rejection cannot be beaten, so what is left
 * matters only to `explain`. */
static struct mr_decision judge(struct mr_engine *engine, struct mr_txn *txn,
	struct mr_recipient *recipient, enum mr_stage stage)
{
	struct mr_decision decision = { 0 };
	struct mr_question q = question_about(txn, recipient, stage);

	for (size_t i = 0; mr_checks[i] != NULL; i++) {
		if (decision.verdict.action == MR_REJECT && !txn->every_rule)
			break;
		if (!(txn->policy->on >> i & 1) && !txn->every_rule)
			continue;
		if (stage == MR_STAGE_MAIL && !(txn->policy->at_mail >> i & 1))
			continue;
		if (!is_asked_of(txn, mr_checks[i], stage))
			continue;
		if (mr_checks[i]->stages & (1u << stage))
			count(engine, txn, i,
				mr_rule_ask(&q, mr_checks[i], &decision));
	}
	return decision;
}

static struct mr_verdict split(struct mr_engine *engine, struct mr_txn *txn,
	struct mr_recipient *recipient, enum mr_stage stage,
	const struct mr_check *check, struct mr_place at)
{
	struct mr_question q = question_about(txn, recipient, stage);
	struct mr_decision decision;
	const struct mr_trace *trace = mr_rule_split(&q, check, at, &decision);
	size_t number = 0;

	while (mr_checks[number] != check)
		number++;
	count(engine, txn, number, trace);
	return decision.verdict;
}

/* On the next try of a mail that was split: the check by which this recipient
 * would not be answered like the first that was accepted, or NULL. */
static const struct mr_check *find_disagreement(
	struct mr_txn *txn, struct mr_recipient *recipient)
{
	struct mr_question q = question_about(txn, recipient, MR_STAGE_EOM);
	struct mr_recipient *first = txn->recipients;

	while (first != NULL && !first->accepted)
		first = first->next;
	for (size_t i = 0; first != NULL && mr_checks[i] != NULL; i++)
		if ((mr_checks[i]->stages & (1u << MR_STAGE_EOM)) &&
			!mr_rule_agrees(&q, mr_checks[i], first))
			return mr_checks[i];
	return NULL;
}

static void judge_recipient(struct mr_engine *engine, struct mr_txn *txn)
{
	struct mr_recipient *r = txn->newest;
	const struct mr_check *check = NULL;

	mr_fact_who(txn, r->address.plain, &r->who);
	r->verdict = judge(engine, txn, r, MR_STAGE_RCPT).verdict;
	if (r->verdict.action < MR_DEFER && txn->split &&
		(is_asked(txn, MR_STAGE_EOM) || txn->counts) &&
		!txn->session->local)
		check = find_disagreement(txn, r);
	if (check != NULL)
		r->verdict = split(engine, txn, r, MR_STAGE_RCPT, check,
			(struct mr_place){ 0 });
	r->accepted = r->verdict.action < MR_DEFER;
	txn->verdict = r->verdict;
}

/* The answers of all recipients on their way to the one answer that the end
 * of a mail allows. */
struct merger {
	bool accepted;
	struct mr_decision rejected, deferred; /* the first of each */
	struct mr_recipient *rejected_by, *deferred_by;
};

static void merge(struct merger *merger, const struct mr_decision *decision,
	struct mr_recipient *recipient)
{
	switch (decision->verdict.action) {
	case MR_OFF:
	case MR_OBSERVE:
	case MR_TAG:
		merger->accepted = true;
		break;
	case MR_DEFER:
		if (merger->deferred_by == NULL) {
			merger->deferred = *decision;
			merger->deferred_by = recipient;
		}
		break;
	case MR_REJECT:
		if (merger->rejected_by == NULL) {
			merger->rejected = *decision;
			merger->rejected_by = recipient;
		}
		break;
	}
}

static struct mr_verdict conclude(struct mr_engine *engine, struct mr_txn *txn,
	const struct merger *merger)
{
	bool rejected = merger->rejected_by != NULL;
	bool deferred = merger->deferred_by != NULL;
	const struct mr_decision *refusal =
		rejected ? &merger->rejected : &merger->deferred;

	if (merger->accepted + rejected + deferred < 2)
		return refusal->verdict;
	/* What sendmail(1) gave us cannot be asked to come again in parts: it
	 * goes back to its sender whole. */
	if (txn->session->local)
		return refusal->verdict;
	mr_split_remember(engine->split, txn);
	return split(engine, txn,
		rejected ? merger->rejected_by : merger->deferred_by,
		MR_STAGE_EOM, refusal->check, refusal->verdict.at);
}

static void conclude_scan(struct mr_engine *engine, struct mr_txn *txn)
{
	struct mr_trace *const *trace = txn->trace_last;

	mr_scan_conclude(txn);
	for (; *trace != NULL; trace = &(*trace)->next)
		mr_tally_count(
			mr_tally_find(engine->scanners,
				mr_arena_printf(txn->arena, "%s.%s.%s",
					mr_action_name((*trace)->action),
					(*trace)->check, (*trace)->outcome)),
			txn->now);
}

static void judge_message(struct mr_engine *engine, struct mr_txn *txn)
{
	struct merger merger = { 0 };

	for (struct mr_recipient *r = txn->recipients; r != NULL; r = r->next) {
		struct mr_decision decision = { .verdict = r->verdict };

		if (r->accepted)
			decision = judge(engine, txn, r, MR_STAGE_EOM);
		if (r->accepted || txn->session->local)
			merge(&merger, &decision, r);
		if (decision.verdict.action > r->verdict.action)
			r->verdict = decision.verdict;
	}
	txn->verdict = conclude(engine, txn, &merger);
	if (txn->instead != NULL && txn->verdict.action < MR_DEFER)
		txn->verdict = *txn->instead;
	if (txn->verdict.action < MR_DEFER) {
		if (txn->split)
			mr_split_forget(engine->split, txn);
		if (is_asked(txn, MR_STAGE_RCPT))
			atomic_fetch_add_explicit(
				&engine->accepted, 1, memory_order_relaxed);
		conclude_scan(engine, txn);
		return;
	}
	for (struct mr_recipient *r = txn->recipients; r != NULL; r = r->next)
		if (r->accepted || txn->session->local)
			r->verdict = txn->verdict;
}

const struct mr_verdict *mr_engine_step(
	struct mr_engine *engine, struct mr_txn *txn, enum mr_stage stage)
{
	switch (stage) {
	case MR_STAGE_MAIL:
		txn->verdict = judge(engine, txn, NULL, stage).verdict;
		break;
	case MR_STAGE_RCPT:
		judge_recipient(engine, txn);
		break;
	case MR_STAGE_EOM:
		judge_message(engine, txn);
		break;
	case MR_STAGES:
		abort();
	}
	return &txn->verdict;
}

/* --- afterwards */

const struct mr_verdict *mr_txn_summary(const struct mr_txn *txn)
{
	const struct mr_verdict *refused = NULL, *taken = NULL;

	if (txn->recipients == NULL)
		return &txn->verdict;
	for (const struct mr_recipient *r = txn->recipients; r != NULL;
		r = r->next) {
		if (r->verdict.action < MR_DEFER) {
			if (taken == NULL || r->verdict.action > taken->action)
				taken = &r->verdict;
		} else if (refused == NULL ||
			   r->verdict.action < refused->action) {
			refused = &r->verdict;
		}
	}
	return taken != NULL ? taken : refused;
}

/* Does the trace tag a mail that anybody gets? */
static bool tags(const struct mr_trace *trace)
{
	return trace->action == MR_TAG &&
	       (trace->of == NULL || trace->of->verdict.action < MR_DEFER);
}

/* Which outcomes of a check tag; the last is `unsure`. */
struct tagged {
	bool outcome[COUNTED];
};

/* What a scanner has said is a header of its own. */
static void note_tag(struct tagged *all, const struct mr_trace *trace)
{
	size_t check = 0;
	int outcome = 0;

	while (mr_checks[check] != NULL &&
		mr_checks[check]->name != trace->check)
		check++;
	if (mr_checks[check] == NULL)
		return;
	if (trace->outcome == NULL)
		outcome = UNSURE;
	else
		while (mr_checks[check]->outcomes[outcome].name !=
			trace->outcome)
			outcome++;
	all[check].outcome[outcome] = true;
}

/* NULL: none.  Asked behind each recipient. */
static struct tagged *find_tags(const struct mr_txn *txn)
{
	struct tagged *all = NULL;

	for (const struct mr_trace *t = txn->trace; t != NULL; t = t->next) {
		if (!tags(t))
			continue;
		if (all == NULL)
			all = MR_NEW_ARRAY(
				txn->arena, struct tagged, number_of_checks());
		note_tag(all, t);
	}
	return all;
}

static const char *outcome_name(const struct mr_check *check, int outcome)
{
	return outcome == UNSURE ? "unsure" : check->outcomes[outcome].name;
}

const char *mr_txn_tag(const struct mr_txn *txn)
{
	const struct tagged *all = find_tags(txn);
	const char *tag = NULL;

	for (size_t c = 0; all != NULL && mr_checks[c] != NULL; c++)
		for (int o = 0; o < COUNTED; o++)
			if (all[c].outcome[o])
				tag = mr_arena_printf(txn->arena, "%s%s%s.%s",
					tag == NULL ? "" : tag,
					tag == NULL ? "" : ", ",
					mr_checks[c]->name,
					outcome_name(mr_checks[c], o));
	if (tag == NULL)
		return NULL;
	return mr_arena_printf(txn->arena, "%s; id=%s", tag, txn->id);
}

void mr_engine_counts(struct mr_engine *engine,
	void (*seen)(void *context, const char *name, uint64_t count),
	void *context)
{
	char name[128];
	unsigned long n = atomic_load(&engine->accepted);

	if (n > 0)
		seen(context, "accept", n);
	for (size_t c = 0; mr_checks[c] != NULL; c++)
		for (int o = 0; o < COUNTED; o++)
			for (int a = 0; a < ACTIONS; a++) {
				n = atomic_load(&engine->counts[c].of[o][a]);
				if (n == 0)
					continue;
				snprintf(name, sizeof(name), "%s.%s.%s",
					mr_action_name((enum mr_action)a),
					mr_checks[c]->name,
					outcome_name(mr_checks[c], o));
				seen(context, name, n);
			}
	mr_tally_each(engine->scanners, seen, context);
}
