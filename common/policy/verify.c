/* verify - see verify.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/verify.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/map/map.h"
#include "common/policy/check.h"
#include "common/policy/reply.h"

#include <string.h>

struct verifier {
	const struct mr_policy *policy;
	struct mr_problems *problems;
};

/* --- values that the core's types cannot judge -------------------------------
 */

static void verify_maps(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;
	const struct mr_list *list = value;
	const char *const *references = list->items;
	struct mr_error error;

	(void)scope;
	for (size_t i = 0; i < list->count; i++)
		if (mr_map_check(references[i], &error) < 0)
			mr_problem_add(
				v->problems, MR_MISTAKE, *at, "%s", error.text);
}

static void verify_text(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;
	struct mr_error error;

	(void)scope;
	if (mr_reply_check(*(const char *const *)value, &error) < 0)
		mr_problem_add(v->problems, MR_MISTAKE, *at, "%s", error.text);
}

static void verify_skip(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;
	const struct mr_list *list = value;
	const char *const *names = list->items;
	const char *known[64] = { "all" };

	(void)scope;
	for (size_t i = 0; mr_checks[i] != NULL && i < 62; i++)
		known[i + 1] = mr_checks[i]->name;
	for (size_t i = 0; i < list->count; i++) {
		const char *const *k = known;
		struct mr_problem *problem;
		const char *near;

		while (*k != NULL && strcmp(*k, names[i]) != 0)
			k++;
		if (*k != NULL)
			continue;
		problem = mr_problem_add(v->problems, MR_MISTAKE, *at,
			"there is no check \"%s\"", names[i]);
		near = mr_text_nearest(names[i], known);
		if (near != NULL)
			problem->hint = mr_arena_printf(v->problems->arena,
				"did you mean \"%s\"?", near);
	}
}

static void verify_purge(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;
	struct mr_chain chain = { 0 };
	struct mr_arena *arena = v->problems->arena;
	const struct mr_settings *keep;
	int64_t after = *(const int64_t *)value, minimum;
	struct mr_place floor;

	chain.scope[scope->rung] = scope;
	keep = mr_config_get(
		v->policy->config, &chain, &mr_section_keep, NULL, arena);
	minimum = ((const struct mr_keep *)keep->values)->minimum;
	floor = mr_settings_place(keep, offsetof(struct mr_keep, minimum));
	if (after < minimum)
		mr_problem_add(v->problems, MR_MISTAKE, *at,
			"after = %s can never happen: keep { minimum = %s } "
			"(%s) is longer",
			mr_duration_format(arena, after),
			mr_duration_format(arena, minimum),
			mr_place_format(arena, &floor));
}

/* --- settings that cannot be meant together ----------------------------------
 */

static bool is_on(const struct mr_policy *policy, const struct mr_check *check)
{
	const struct mr_rule *rule = mr_config_get(
		policy->config, NULL, check->section, NULL, policy->arena)
	                                     ->values;

	for (int i = 0; check->outcomes[i].name != NULL; i++)
		if (rule->outcome[i].action > MR_OFF)
			return true;
	return rule->action != MR_OFF;
}

static void verify_recipient(struct verifier *v)
{
	const struct mr_maps *maps = mr_config_get(v->policy->config, NULL,
		&mr_section_maps, NULL, v->policy->arena)
	                                     ->values;

	for (size_t i = 0; mr_checks[i] != NULL; i++) {
		struct mr_settings const *rule;

		if (strcmp(mr_checks[i]->name, "recipient") != 0 ||
			!is_on(v->policy, mr_checks[i]))
			continue;
		rule = mr_config_get(v->policy->config, NULL,
			mr_checks[i]->section, NULL, v->policy->arena);
		if (maps->domains.count == 0)
			mr_problem_add(v->problems, MR_MISTAKE, rule->places[0],
				"check recipient needs to know the hosted "
				"domains: set domains in maps { }");
	}
}

static void verify_listeners(struct verifier *v)
{
	const struct mr_scope *s =
		mr_config_scopes(v->policy->config, MR_LISTENER);

	for (; s != NULL; s = s->next) {
		struct mr_chain chain = { .scope[MR_LISTENER] = s };
		const struct mr_listener *listener =
			mr_config_get(v->policy->config, &chain,
				&mr_section_listener, NULL, v->policy->arena)
				->values;

		if (strcmp(s->title, "25") != 0)
			continue;
		if (listener->auth == MR_AUTH_REQUIRED)
			mr_problem_add(v->problems, MR_WARNING, s->at,
				"auth = required on port 25 refuses all mail "
				"from other servers");
		if (listener->tls != MR_TLS_NONE)
			mr_problem_add(v->problems, MR_WARNING, s->at,
				"tls on port 25 refuses mail from servers "
				"that offer none (RFC 3207 section 4)");
	}
}

void mr_policy_verify(
	const struct mr_policy *policy, struct mr_problems *problems)
{
	struct verifier v = { policy, problems };
	const struct mr_section *const *s =
		mr_config_schema(policy->config)->sections;

	for (; *s != NULL; s++)
		for (const struct mr_option *o = (*s)->options; o->name != NULL;
			o++) {
			size_t length = strlen(o->name);

			if (o->type == MR_TYPE_MAP)
				mr_config_each(policy->config, *s, o->offset,
					verify_maps, &v);
			if (length > 5 &&
				strcmp(o->name + length - 5, "_text") == 0)
				mr_config_each(policy->config, *s, o->offset,
					verify_text, &v);
		}
	mr_config_each(policy->config, &mr_section_exception,
		offsetof(struct mr_exception, skip), verify_skip, &v);
	mr_config_each(policy->config, &mr_section_purge,
		offsetof(struct mr_purge, after), verify_purge, &v);
	verify_recipient(&v);
	verify_listeners(&v);
}

/* --- what the front ends need to know
 * ------------------------------------------ */

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

/* May the largest limit be enforced at MAIL, before the recipient is known?
 * Only if no recipient could be let off. */
static bool may_refuse(const struct mr_policy *policy, const struct survey *s)
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

void mr_policy_survey(struct mr_policy *policy)
{
	bool limited = survey_sizes(policy);

	for (size_t i = 0; mr_checks[i] != NULL; i++) {
		struct survey s = { .policy = policy, .check = mr_checks[i] };

		survey_check(&s);
		if (mr_checks[i]->needs_content && s.on && limited)
			policy->needs_content = true;
		if (mr_checks[i]->stages & (1u << MR_STAGE_MAIL))
			policy->refuse_largest =
				may_refuse(policy, &s) &&
				policy->largest != MR_UNLIMITED;
	}
}
