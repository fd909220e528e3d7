/* lists - see lists.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/lists.h"
#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/base/clock.h"

#include <string.h>

/* --- from the sections */

static const char *fill_zone(struct mr_arena *arena,
	const struct mr_list_settings *list, const char *title)
{
	const char *zone = list->zone == NULL ? title : list->zone;
	const char *key = strstr(zone, "{key}");

	if (key == NULL || list->key == NULL)
		return zone;
	return mr_arena_printf(arena, "%.*s%s%s", (int)(key - zone), zone,
		list->key, key + strlen("{key}"));
}

static void add_list(struct mr_policy *policy, struct mr_arena *arena,
	const struct mr_section *section, const char *title,
	struct mr_dnsbl_list *lists, size_t *n, struct mr_problems *problems)
{
	const struct mr_settings *settings =
		mr_config_get(policy->config, NULL, section, title, arena);
	const struct mr_list_settings *list = settings->values;
	struct mr_codes *codes =
		MR_NEW_ARRAY(arena, struct mr_codes, list->codes.count);
	struct mr_error ignored;

	if (list->key != NULL && *list->key == '\0') {
		mr_problem_add(problems, MR_WARNING,
			mr_settings_place(settings,
				offsetof(struct mr_list_settings, key)),
			"this user may not read the key of %s: the list would "
			"not be asked",
			title);
		return;
	}
	for (size_t i = 0; i < list->codes.count; i++)
		mr_codes_parse(((const char *const *)list->codes.items)[i],
			&codes[i], &ignored);
	lists[(*n)++] = (struct mr_dnsbl_list){
		.title = title,
		.zone = fill_zone(arena, list, title),
		.codes = codes,
		.n_codes = list->codes.count,
		.weight = list->weight,
		.ask = (enum mr_listed)list->ask,
		.white = section == &mr_section_dnswl,
		.test = list->test,
		.url = list->url,
	};
}

static const struct mr_section *const sections[] = { &mr_section_dnsbl,
	&mr_section_dnswl, NULL };

void mr_policy_open_lists(
	struct mr_policy *policy, struct mr_problems *problems)
{
	struct mr_arena *arena = mr_arena_new(4096);
	size_t n = 0, most = 0;
	struct mr_dnsbl_list *lists;

	for (int s = 0; sections[s] != NULL; s++)
		for (const char *const *t = mr_config_titles(
			     policy->config, NULL, sections[s], arena);
			*t != NULL; t++)
			most++;
	lists = MR_NEW_ARRAY(arena, struct mr_dnsbl_list, most);
	for (int s = 0; sections[s] != NULL; s++)
		for (const char *const *t = mr_config_titles(
			     policy->config, NULL, sections[s], arena);
			*t != NULL; t++)
			add_list(policy, arena, sections[s], *t, lists, &n,
				problems);
	policy->lists = mr_dnsbl_new(lists, n);
	mr_arena_free(&arena);
}

void mr_policy_verify_lists(
	const struct mr_config *config, struct mr_problems *problems)
{
	struct mr_arena *arena = problems->arena;

	for (int s = 0; sections[s] != NULL; s++)
		for (const char *const *t = mr_config_titles(
			     config, NULL, sections[s], arena);
			*t != NULL; t++) {
			const struct mr_settings *settings = mr_config_get(
				config, NULL, sections[s], *t, arena);
			const struct mr_list_settings *list = settings->values;

			if (list->zone == NULL &&
				mr_hostname_check(*t) != MR_HOSTNAME_FINE)
				mr_problem_add(problems, MR_MISTAKE,
					mr_settings_first_place(settings),
					"%s %s needs a zone: its title is no "
					"domain",
					sections[s]->name, *t);
		}
}

/* --- for sessions */

/* Literals, bare addresses and names without a domain are in no list of
 * domains; some refuse to be asked for them. */
static const char *domain(const char *name)
{
	if (name == NULL || mr_hostname_check(name) != MR_HOSTNAME_FINE)
		return NULL;
	return name;
}

struct mr_dnsbl_items mr_policy_items(
	const struct mr_session *session, const char *sender)
{
	return (struct mr_dnsbl_items){
		.client = session->client,
		.names = {
			[MR_LISTED_HELO] = domain(session->helo),
			[MR_LISTED_SENDER] = domain(sender),
			[MR_LISTED_CLIENT_NAME] = domain(session->client_name),
		},
	};
}
