/* survey - see survey.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/survey.h"
#include "common/policy/check.h"

#include <string.h>

struct survey {
	struct mr_policy *policy;
	const struct mr_check *check;
	bool on, elsewhere; /* active at all; set outside the top level */
};

static void survey_action(struct survey *s, int action)
{
	if (action == MR_UNSET)
		return;
	s->on |= action != MR_OFF;
	s->policy->tags |= action == MR_TAG;
}

static void see_action(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct survey *s = context;

	(void)at;
	survey_action(s, *(const int *)value);
	s->elsewhere |= scope->rung != MR_GLOBAL;
}

/* Sizes that are set anywhere: the largest, and is there a limit at all? */
struct sizes {
	struct mr_policy *policy;
	bool limited;
};

static void see_size(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct sizes *sizes = context;
	uint64_t size = *(const uint64_t *)value;

	(void)scope;
	sizes->limited |= size != MR_UNLIMITED;
	if (size > sizes->policy->largest) {
		sizes->policy->largest = size;
		sizes->policy->largest_at = *at;
	}
}

static bool survey_sizes(struct mr_policy *policy)
{
	const size_t offset = offsetof(struct mr_message, size);
	const struct mr_settings *settings = mr_config_get(
		policy->config, NULL, &mr_section_message, NULL, policy->arena);
	struct sizes sizes = { policy, false };

	policy->largest = ((const struct mr_message *)settings->values)->size;
	policy->largest_at = mr_settings_place(settings, offset);
	mr_config_each(
		policy->config, &mr_section_message, offset, see_size, &sizes);
	return sizes.limited;
}

static void survey_check(struct survey *s)
{
	const struct mr_option *o = s->check->section->options;
	const char *values = mr_config_get(s->policy->config, NULL,
		s->check->section, NULL, s->policy->arena)
	                             ->values;

	for (; o->name != NULL; o++) {
		if (o->words != mr_action_words && o->words != mr_unsure_words)
			continue;
		if (o->offset != offsetof(struct mr_rule, unsure))
			survey_action(s, *(const int *)(values + o->offset));
		mr_config_each(s->policy->config, s->check->section, o->offset,
			see_action, s);
	}
	s->policy->tags |= ((const struct mr_rule *)values)->unsure == MR_TAG;
}

/* May the check be asked at MAIL, before the recipient is known?  Only if no
 * recipient could be let off. */
static bool may_ask_at_mail(
	const struct mr_policy *policy, const struct survey *s)
{
	const struct mr_rule_exception *e = policy->exceptions;

	for (; e->name != NULL; e++)
		for (size_t i = 0; i < e->values->skip.count; i++) {
			const char *name =
				((const char *const *)e->values->skip.items)[i];

			if (strcmp(name, "all") == 0 ||
				strcmp(name, s->check->name) == 0)
				return false;
		}
	return s->on && !s->elsewhere;
}

static void want(struct mr_policy *policy, size_t i)
{
	const unsigned early = 1u << MR_AT_CONNECT | 1u << MR_AT_HELO;

	policy->on |= (uint64_t)1 << i;
	policy->asks_early |= (mr_checks[i]->ahead_at & early) != 0;
}

static void see_limit(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct mr_policy *policy = context;

	(void)scope;
	(void)at;
	policy->rates |= ((const struct mr_rate *)value)->seconds > 0;
}

static void see_rates_action(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct mr_policy *policy = context;

	(void)scope;
	(void)at;
	policy->tags |= *(const int *)value == MR_TAG;
}

static void survey_rates(struct mr_policy *policy)
{
	for (int m = 0; m < MR_RATE_MEASURES; m++)
		mr_config_each(policy->config, &mr_section_rate,
			offsetof(struct mr_rate_settings, limit) +
				(size_t)m * sizeof(struct mr_rate),
			see_limit, policy);
	mr_config_each(policy->config, &mr_section_rate,
		offsetof(struct mr_rate_settings, action), see_rates_action,
		policy);
}

void mr_policy_survey(struct mr_policy *policy)
{
	bool limited = survey_sizes(policy);

	survey_rates(policy);

	for (size_t i = 0; mr_checks[i] != NULL; i++) {
		struct survey s = { .policy = policy, .check = mr_checks[i] };

		survey_check(&s);
		if (mr_checks[i]->needs_content && s.on && limited)
			policy->needs_content = true;
		if (s.on || (mr_checks[i]->headers & policy->headers) != 0)
			want(policy, i);
		if (may_ask_at_mail(policy, &s))
			policy->at_mail |= (uint64_t)1 << i;
	}
	policy->books = mr_policy_asks(policy, "quota");
}

bool mr_policy_asks(const struct mr_policy *policy, const char *check)
{
	for (size_t i = 0; mr_checks[i] != NULL; i++)
		if (strcmp(mr_checks[i]->name, check) == 0)
			return policy->on >> i & 1;
	return false;
}
