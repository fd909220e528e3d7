/* setup_lists - the aliases that lists need: Postfix refuses an address that
 * its tables do not know before it asks a milter, so each list has to lead to
 * itself. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"
#include "common/map/map.h"
#include "common/policy/mailing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct names {
	struct mr_arena *arena;
	const char **of;
	size_t n, room;
};

static bool note(void *context, const char *domain)
{
	struct names *names = context;

	if (names->n == names->room) {
		const char **old = names->of;

		names->room = names->room * 2 + 16;
		names->of =
			MR_NEW_ARRAY(names->arena, const char *, names->room);
		if (names->n > 0)
			memcpy(names->of, old, names->n * sizeof(*old));
	}
	names->of[names->n++] = mr_arena_strdup(names->arena, domain);
	return true;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* -1: they cannot be listed. */
static int list_domains(const struct mr_setup *setup, struct names *domains,
	struct mr_error *error)
{
	const struct mr_recipient_maps *maps = &setup->policy->maps;
	const struct mr_map_listener listener = { note, domains };
	int64_t deadline = mr_cli_deadline(setup->policy->global->wait);
	size_t kept = 0;

	for (size_t i = 0; i < maps->n_domains; i++)
		if (mr_map_list(maps->domains[i], deadline, &listener, error) <
			0)
			return -1;
	if (domains->n == 0)
		return 0;
	qsort(domains->of, domains->n, sizeof(*domains->of), compare);
	for (size_t i = 1; i < domains->n; i++)
		if (strcmp(domains->of[kept], domains->of[i]) != 0)
			domains->of[++kept] = domains->of[i];
	domains->n = kept + 1;
	return 0;
}

/* What the alias tables say of it now; NULL: nothing that could be read. */
static const char *alias_of(const struct mr_setup *setup, const char *address)
{
	const struct mr_recipient_maps *maps = &setup->policy->maps;
	struct mr_error ignored;
	const char *value;

	for (size_t i = 0; i < maps->n_aliases; i++)
		if (mr_map_get(maps->aliases[i], setup->arena, address,
			    mr_cli_deadline(setup->policy->global->wait),
			    &value, &ignored) == MR_FOUND)
			return value;
	return NULL;
}

static void print_alias(const struct mr_setup *setup, const char *list)
{
	const char *now = alias_of(setup, list);

	if (now != NULL && strcmp(now, list) == 0) {
		mr_setup_explain(setup, " as it is: %s", list);
		return;
	}
	if (now != NULL)
		mr_setup_explain(setup,
			"%s has an alias already, to %s; Mailreeve takes its "
			"place, so this line has to take the alias's:",
			list, now);
	printf("%s\t%s\n", list, list);
}

/* The aliases of one list section: one, or one in each of its domains. */
static void print_mailing(const struct mr_setup *setup,
	const struct mr_mailing *mailing, const struct names *domains)
{
	const char *at = strrchr(mailing->title, '@');

	for (size_t i = 0; i < domains->n; i++) {
		const char *list = mr_arena_printf(setup->arena, "%.*s@%s",
			(int)(at - mailing->title), mailing->title,
			domains->of[i]);

		if (mr_policy_mailing(setup->policy, list) == mailing)
			print_alias(setup, list);
	}
}

/* The table that Postfix asks first, if it is a file. */
static const char *table_of(const struct mr_setup *setup)
{
	const char *list = NULL, *table = NULL;

	if (setup->postfix != NULL)
		list = mr_postfix_expand(setup->postfix, "virtual_alias_maps");
	if (list != NULL)
		table = mr_postfix_next(setup->arena, &list);
	if (table == NULL && setup->policy->maps.n_aliases > 0)
		table = mr_map_reference(setup->policy->maps.aliases[0]);
	return table != NULL && strstr(table, ":/") != NULL ? table : NULL;
}

void mr_setup_lists(struct mr_setup *setup)
{
	const struct mr_mailing *mailing = setup->policy->mailings;
	struct names domains = { .arena = setup->arena };
	const char *table = table_of(setup);
	struct mr_error error;

	if (mailing->title == NULL)
		return;
	mr_setup_heading(setup, "virtual_alias_maps: lists");
	mr_setup_explain(setup,
		"Postfix refuses an address that it does not know before it "
		"asks Mailreeve, so each list needs an alias to itself. The "
		"lines belong into %s; then:",
		table == NULL ? "a table of virtual_alias_maps" : table);
	mr_setup_explain(setup, " postmap %s", table == NULL ? "TABLE" : table);
	if (!setup->policy->expands)
		mr_setup_explain(setup,
			"Not yet: with mode = observe lists are not expanded, "
			"and mail for such an alias would bounce.");
	if (list_domains(setup, &domains, &error) < 0) {
		mr_setup_explain(setup,
			"The domains cannot be listed (%s): write such a line "
			"for each list in each of its domains, all@DOMAIN "
			"all@DOMAIN.",
			error.text);
		return;
	}
	for (; mailing->title != NULL; mailing++)
		print_mailing(setup, mailing, &domains);
}
