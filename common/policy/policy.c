/* policy - loads a policy file into what an engine runs on; see policy.h.  What
 * the option tables cannot say (maps, templates, contradictions between
 * sections) is checked in verify.c. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/policy.h"
#include "common/base/arena.h"
#include "common/policy/check.h"
#include "common/policy/judge.h"
#include "common/policy/lists.h"
#include "common/policy/scanners.h"
#include "common/policy/mailing.h"
#include "common/policy/survey.h"
#include "common/policy/tables.h"
#include "common/policy/verify.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The core sections, then one per check. */
static const struct mr_section *const core_sections[] = {
	&mr_section_global,
	&mr_section_dns,
	&mr_section_dnsbl,
	&mr_section_dnswl,
	&mr_section_results,
	&mr_section_list,
	&mr_section_maps,
	&mr_section_message,
	&mr_section_listener,
	&mr_section_group,
	&mr_section_domain,
	&mr_section_user,
	&mr_section_exception,
	&mr_section_milter,
	&mr_section_policyd,
	&mr_section_mailbox,
	&mr_section_purge,
	&mr_section_keep,
	&mr_section_scanner,
	&mr_section_rate,
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

static void open_recipient_maps(
	struct mr_policy *policy, struct mr_problems *problems)
{
	const struct mr_settings *settings = mr_config_get(
		policy->config, NULL, &mr_section_maps, NULL, policy->arena);
	const struct mr_maps *maps = settings->values;
	struct mr_recipient_maps *out = &policy->maps;

	out->domains = mr_tables_open(&maps->domains,
		mr_settings_place(settings, offsetof(struct mr_maps, domains)),
		policy->arena, &out->n_domains, problems);
	out->aliases = mr_tables_open(&maps->aliases,
		mr_settings_place(settings, offsetof(struct mr_maps, aliases)),
		policy->arena, &out->n_aliases, problems);
	out->mailboxes = mr_tables_open(&maps->mailboxes,
		mr_settings_place(
			settings, offsetof(struct mr_maps, mailboxes)),
		policy->arena, &out->n_mailboxes, problems);
	out->delimiters = maps->recipient_delimiter;
}

static void open_dns(struct mr_policy *policy, struct mr_problems *problems)
{
	const struct mr_settings *settings = mr_config_get(
		policy->config, NULL, &mr_section_dns, NULL, policy->arena);
	struct mr_error error;

	/* The section's own check knows all mistakes. */
	if (mr_dns_open(settings->values, &policy->dns, &error) < 0)
		mr_problem_add(problems, MR_MISTAKE,
			mr_settings_place(settings,
				offsetof(struct mr_dns_settings, servers)),
			"%s", error.text);
}

void mr_policy_use_dns(struct mr_policy *policy, struct mr_dns *dns)
{
	mr_dns_free(&policy->dns);
	policy->dns = dns;
}

void mr_policy_keep_dns(struct mr_policy *policy, const struct mr_policy *old)
{
	if (mr_dns_alike(policy->dns, old->dns))
		mr_policy_use_dns(policy, mr_dns_hold(old->dns));
}

void mr_policy_keep_lists(struct mr_policy *policy, const struct mr_policy *old)
{
	if (policy->dns != old->dns ||
		!mr_dnsbl_alike(policy->lists, old->lists))
		return;
	mr_dnsbl_free(&policy->lists);
	policy->lists = mr_dnsbl_hold(old->lists);
}

void mr_policy_watch_lists(struct mr_policy *policy)
{
	if (mr_policy_asks(policy, "dnsbl"))
		mr_dnsbl_watch(policy->lists, policy->dns);
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
		policy->groups[n++].members = mr_tables_open(&group->members,
			mr_settings_place(
				settings, offsetof(struct mr_group, members)),
			policy->arena, &ignored, problems);
	}
}

static void list_exceptions(struct mr_policy *policy)
{
	const char *const *titles = mr_config_titles(
		policy->config, NULL, &mr_section_exception, policy->arena);
	size_t n = 0;

	while (titles[n] != NULL)
		n++;
	policy->n_exceptions = n;
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
	policy->policyd = top(policy, &mr_section_policyd);
	policy->verify = (enum mr_judge)(
		(const struct mr_message *)top(policy, &mr_section_message))
	                         ->verify;
}

static void set_results(struct mr_policy *policy)
{
	struct mr_results_settings *results =
		MR_NEW(policy->arena, struct mr_results_settings);

	*results = *(const struct mr_results_settings *)top(
		policy, &mr_section_results);
	if (results->authserv_id == NULL)
		results->authserv_id = policy->global->hostname;
	if (results->add)
		policy->headers |= MR_AUTHENTICATION_RESULTS;
	if (results->received_spf)
		policy->headers |= MR_RECEIVED_SPF;
	policy->results = results;
}

int mr_policy_load(const char *path, struct mr_policy **policy_r,
	struct mr_problems *problems)
{
	struct mr_policy *policy;
	struct mr_config *config;

	if (mr_config_read(&schema, path, &config, problems) < 0)
		return -1;
	mr_config_settle(config);
	policy = mr_calloc(1, sizeof(*policy));
	policy->arena = mr_arena_new(4096);
	policy->config = config;
	policy->references = 1;
	policy->spf_box = mr_spf_box_new(NULL);
	set_global(policy);
	set_results(policy);
	open_dns(policy, problems);
	if (policy->dns == NULL) {
		mr_policy_release(&policy);
		return -1;
	}
	mr_policy_open_lists(policy, problems);
	open_recipient_maps(policy, problems);
	open_groups(policy, problems);
	list_exceptions(policy);
	mr_policy_open_scanners(policy);
	mr_policy_open_mailings(policy, problems);
	mr_policy_survey(policy);
	mr_judge_survey(policy, problems);
	*policy_r = policy;
	return 0;
}

struct mr_policy *mr_policy_hold(struct mr_policy *policy)
{
	__atomic_add_fetch(&policy->references, 1, __ATOMIC_RELAXED);
	return policy;
}

void mr_policy_release(struct mr_policy **policy)
{
	struct mr_policy *p = *policy;

	*policy = NULL;
	if (p == NULL ||
		__atomic_sub_fetch(&p->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	mr_spf_box_free(&p->spf_box);
	mr_dnsbl_free(&p->lists);
	mr_dns_free(&p->dns);
	mr_tables_close(p->maps.domains);
	mr_tables_close(p->maps.aliases);
	mr_tables_close(p->maps.mailboxes);
	for (struct mr_group_maps *g = p->groups; g != NULL && g->scope != NULL;
		g++)
		mr_tables_close(g->members);
	for (struct mr_mailing *m = p->mailings; m != NULL && m->title != NULL;
		m++)
		mr_tables_close(m->members);
	mr_config_free(&p->config);
	mr_arena_free(&p->arena);
	free(p);
}
