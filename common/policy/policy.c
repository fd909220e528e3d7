/* policy - loads a policy file into what an engine runs on; see policy.h.  What
 * the option tables cannot say (maps, templates, contradictions between
 * sections) is checked in verify.c. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/policy.h"
#include "common/base/arena.h"
#include "common/map/map.h"
#include "common/policy/check.h"
#include "common/policy/survey.h"
#include "common/policy/verify.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The core sections, then one per check. */
static const struct mr_section *const core_sections[] = {
	&mr_section_global,
	&mr_section_maps,
	&mr_section_message,
	&mr_section_listener,
	&mr_section_group,
	&mr_section_domain,
	&mr_section_user,
	&mr_section_exception,
	&mr_section_milter,
	&mr_section_mailbox,
	&mr_section_purge,
	&mr_section_keep,
#define CHECK(name) &mr_check_section_##name,
#include "common/policy/checks.def"
#undef CHECK
	NULL,
};

static const struct mr_schema schema = { core_sections, mr_policy_verify };

const struct mr_schema *mr_policy_schema(void)
{
	return &schema;
}

static const void *top(
	const struct mr_policy *policy, const struct mr_section *section)
{
	return mr_config_get(policy->config, NULL, section, NULL, policy->arena)
	        ->values;
}

/* A table that is missing now may come later; until then it is "unsure". */
static struct mr_map **open_maps(struct mr_policy *policy,
	const struct mr_list *list, struct mr_place at, size_t *count,
	struct mr_problems *problems)
{
	const char *const *references = list->items;
	struct mr_map **maps =
		MR_NEW_ARRAY(policy->arena, struct mr_map *, list->count + 1);

	*count = 0;
	for (size_t i = 0; i < list->count; i++) {
		struct mr_error error;

		if (mr_map_open(references[i], &maps[*count], &error) < 0) {
			mr_problem_add(problems, MR_WARNING, at,
				"%s; until it can be read, what it is asked is "
				"unsure",
				error.text);
			if (mr_map_open_later(
				    references[i], &maps[*count], &error) < 0)
				continue;
		}
		(*count)++;
	}
	return maps;
}

static void open_recipient_maps(
	struct mr_policy *policy, struct mr_problems *problems)
{
	const struct mr_settings *settings = mr_config_get(
		policy->config, NULL, &mr_section_maps, NULL, policy->arena);
	const struct mr_maps *maps = settings->values;
	struct mr_recipient_maps *out = &policy->maps;

	out->domains = open_maps(policy, &maps->domains,
		mr_settings_place(settings, offsetof(struct mr_maps, domains)),
		&out->n_domains, problems);
	out->aliases = open_maps(policy, &maps->aliases,
		mr_settings_place(settings, offsetof(struct mr_maps, aliases)),
		&out->n_aliases, problems);
	out->mailboxes = open_maps(policy, &maps->mailboxes,
		mr_settings_place(
			settings, offsetof(struct mr_maps, mailboxes)),
		&out->n_mailboxes, problems);
	out->delimiters = maps->recipient_delimiter;
}

static void open_groups(struct mr_policy *policy, struct mr_problems *problems)
{
	const struct mr_scope *scope;
	size_t n = 0, ignored;

	for (scope = mr_config_scopes(policy->config, MR_GROUP); scope != NULL;
		scope = scope->next)
		n++;
	policy->groups =
		MR_NEW_ARRAY(policy->arena, struct mr_group_maps, n + 1);
	n = 0;
	for (scope = mr_config_scopes(policy->config, MR_GROUP); scope != NULL;
		scope = scope->next) {
		struct mr_chain chain = { .scope[MR_GROUP] = scope };
		const struct mr_settings *settings =
			mr_config_get(policy->config, &chain, &mr_section_group,
				NULL, policy->arena);
		const struct mr_group *group = settings->values;

		policy->groups[n].scope = scope;
		policy->groups[n++].members = open_maps(policy, &group->members,
			mr_settings_place(
				settings, offsetof(struct mr_group, members)),
			&ignored, problems);
	}
}

static void list_exceptions(struct mr_policy *policy)
{
	const char *const *titles = mr_config_titles(
		policy->config, NULL, &mr_section_exception, policy->arena);
	size_t n = 0;

	while (titles[n] != NULL)
		n++;
	policy->exceptions =
		MR_NEW_ARRAY(policy->arena, struct mr_rule_exception, n + 1);
	for (size_t i = 0; i < n; i++) {
		const struct mr_settings *settings = mr_config_get(
			policy->config, NULL, &mr_section_exception, titles[i],
			policy->arena);

		policy->exceptions[i].name = titles[i];
		policy->exceptions[i].values = settings->values;
		policy->exceptions[i].at = mr_settings_place(
			settings, offsetof(struct mr_exception, skip));
	}
}

/* The struct of the config is shared; ours may know the host's name. */
static void set_global(struct mr_policy *policy)
{
	struct mr_global *global = MR_NEW(policy->arena, struct mr_global);
	char name[HOST_NAME_MAX + 1] = "localhost";

	*global = *(const struct mr_global *)top(policy, &mr_section_global);
	if (global->hostname == NULL) {
		gethostname(name, sizeof(name) - 1);
		global->hostname = mr_arena_strdup(policy->arena, name);
	}
	policy->global = global;
	policy->milter = top(policy, &mr_section_milter);
}

int mr_policy_load(const char *path, struct mr_policy **policy_r,
	struct mr_problems *problems)
{
	struct mr_policy *policy;
	struct mr_config *config;

	if (mr_config_read(&schema, path, &config, problems) < 0)
		return -1;
	policy = mr_calloc(1, sizeof(*policy));
	policy->arena = mr_arena_new(4096);
	policy->config = config;
	policy->references = 1;
	set_global(policy);
	open_recipient_maps(policy, problems);
	open_groups(policy, problems);
	list_exceptions(policy);
	mr_policy_survey(policy);
	*policy_r = policy;
	return 0;
}

struct mr_policy *mr_policy_hold(struct mr_policy *policy)
{
	__atomic_add_fetch(&policy->references, 1, __ATOMIC_RELAXED);
	return policy;
}

static void free_maps(struct mr_map *const *maps)
{
	for (; maps != NULL && *maps != NULL; maps++) {
		struct mr_map *map = *maps;

		mr_map_free(&map);
	}
}

void mr_policy_release(struct mr_policy **policy)
{
	struct mr_policy *p = *policy;

	*policy = NULL;
	if (p == NULL ||
		__atomic_sub_fetch(&p->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free_maps(p->maps.domains);
	free_maps(p->maps.aliases);
	free_maps(p->maps.mailboxes);
	for (struct mr_group_maps *g = p->groups; g != NULL && g->scope != NULL;
		g++)
		free_maps(g->members);
	mr_config_free(&p->config);
	mr_arena_free(&p->arena);
	free(p);
}
