/* judge - see judge.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/judge.h"
#include "common/base/arena.h"

static unsigned bit(int judge)
{
	return 1u << judge;
}

static void see_judge(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct mr_policy *policy = context;

	(void)scope;
	(void)at;
	policy->judges |= bit(*(const int *)value);
}

/* A policy request has no header, and its answer changes no recipient. */
static void warn_of_section(const struct mr_policy *policy,
	const struct mr_section *section, struct mr_problems *problems)
{
	const char *const *title = mr_config_titles(
		policy->config, NULL, section, problems->arena);

	for (; *title != NULL; title++)
		mr_problem_add(problems, MR_WARNING,
			mr_settings_first_place(mr_config_get(policy->config,
				NULL, section, *title, problems->arena)),
			"%s %s is for mail that the milter judges, and by "
			"judge = policyd it judges none",
			section->name, *title);
}

void mr_judge_survey(struct mr_policy *policy, struct mr_problems *problems)
{
	policy->judges = bit(policy->global->judge);
	mr_config_each(policy->config, &mr_section_listener,
		offsetof(struct mr_listener, judge), see_judge, policy);
	if ((policy->judges & bit(MR_JUDGE_MILTER)) != 0)
		return;
	warn_of_section(policy, &mr_section_list, problems);
	warn_of_section(policy, &mr_section_scanner, problems);
}

bool mr_judge_is_used(const struct mr_policy *policy, enum mr_judge program)
{
	if (program == MR_JUDGE_POLICYD &&
		(policy->verify == program || policy->rates || policy->books))
		return true;
	return (policy->judges & bit((int)program)) != 0;
}

static int listeners_judge(
	const struct mr_policy *policy, const struct mr_session *session)
{
	struct mr_chain chain = { .scope[MR_LISTENER] = mr_policy_listener(
					  policy, session->port,
					  session->daemon_name) };
	struct mr_arena *arena;
	int judge;

	if (chain.scope[MR_LISTENER] == NULL)
		return MR_UNSET;
	arena = mr_arena_new(1024);
	judge = ((const struct mr_listener *)mr_config_get(policy->config,
			 &chain, &mr_section_listener, NULL, arena)
			 ->values)
	                ->judge;
	mr_arena_free(&arena);
	return judge;
}

static enum mr_judge judge_of(
	const struct mr_policy *policy, const struct mr_session *session)
{
	int judge = MR_UNSET;

	if (session->local)
		return MR_JUDGE_MILTER;
	if (policy->judges != bit(policy->global->judge))
		judge = listeners_judge(policy, session);
	return (enum mr_judge)(
		judge == MR_UNSET ? policy->global->judge : judge);
}

unsigned mr_judge_stages(const struct mr_policy *policy,
	const struct mr_session *session, enum mr_judge program)
{
	enum mr_judge judge = judge_of(policy, session);
	unsigned end = bit(MR_STAGE_EOM);

	if (judge == MR_JUDGE_POLICYD || policy->verify == MR_JUDGE_MILTER ||
		session->local)
		return judge == program ? MR_EVERY_STAGE : 0;
	return program == MR_JUDGE_MILTER ? MR_EVERY_STAGE & ~end : end;
}
