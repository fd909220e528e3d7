/* setup_maps - do Postfix and the policy look into the same tables?  A table
 * that only one of them knows makes them disagree about who exists. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"
#include "common/map/map.h"

#include <stdio.h>
#include <string.h>

/* Which parameters belong to a setting of the policy's maps section. */
struct pair {
	const char *setting;
	size_t offset;
	const char *parameters[3];
};

static const struct pair pairs[] = {
	{ "domains", offsetof(struct mr_maps, domains),
		{ "virtual_mailbox_domains", "virtual_alias_domains", NULL } },
	{ "aliases", offsetof(struct mr_maps, aliases),
		{ "virtual_alias_maps", NULL } },
	{ "mailboxes", offsetof(struct mr_maps, mailboxes),
		{ "virtual_mailbox_maps", NULL } },
};

static const char *next_table(struct mr_arena *arena, const char **list)
{
	const char *table = mr_postfix_next(arena, list);

	if (table != NULL && strncmp(table, "proxy:", 6) == 0)
		table += 6;
	return table;
}

/* The file of TYPE:FILE: hash:/x and texthash:/x come from one source. */
static bool is_same(const char *a, const char *b)
{
	const char *file_a = strchr(a, ':'), *file_b = strchr(b, ':');

	if (strcmp(a, b) == 0)
		return true;
	return file_a != NULL && file_b != NULL && file_a[1] == '/' &&
	       strcmp(file_a, file_b) == 0;
}

static bool has_table(const struct mr_list *list, const char *table)
{
	const char *const *references = list->items;

	for (size_t i = 0; i < list->count; i++)
		if (is_same(references[i], table))
			return true;
	return false;
}

static bool postfix_has(const struct mr_setup *setup, const struct pair *pair,
	const char *reference)
{
	for (const char *const *name = pair->parameters; *name != NULL;
		name++) {
		const char *list = mr_postfix_expand(setup->postfix, *name);
		const char *table;

		while (list != NULL &&
			(table = next_table(setup->arena, &list)) != NULL)
			if (is_same(table, reference))
				return true;
	}
	return false;
}

/* A table of Postfix that the policy lacks. */
static void explain_missing(const struct mr_setup *setup,
	const struct pair *pair, const char *parameter, const char *table)
{
	struct mr_error error;

	if (mr_map_check(table, &error) == 0)
		mr_setup_explain(setup,
			"Postfix's %s has %s, the policy's maps { %s } has "
			"not.",
			parameter, table, pair->setting);
	else
		mr_setup_explain(setup,
			"Postfix's %s has %s, which the policy's maps { %s } "
			"cannot have: %s.",
			parameter, table, pair->setting, error.text);
}

static int compare(const struct mr_setup *setup, const struct pair *pair,
	const struct mr_maps *maps)
{
	const struct mr_list *list =
		(const struct mr_list *)((const char *)maps + pair->offset);
	const char *const *references = list->items;
	int differences = 0;

	for (const char *const *name = pair->parameters; *name != NULL;
		name++) {
		const char *tables = mr_postfix_expand(setup->postfix, *name);
		const char *table;

		if (!mr_postfix_sets(setup->postfix, *name))
			continue;
		while (tables != NULL &&
			(table = next_table(setup->arena, &tables)) != NULL) {
			if (has_table(list, table))
				continue;
			explain_missing(setup, pair, *name, table);
			differences++;
		}
	}
	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(references[i], "userdb:", 7) == 0 ||
			postfix_has(setup, pair, references[i]))
			continue;
		mr_setup_explain(setup,
			"The policy's maps { %s } has %s, Postfix's %s%s%s has "
			"not.",
			pair->setting, references[i], pair->parameters[0],
			pair->parameters[1] == NULL ? "" : " or ",
			pair->parameters[1] == NULL ? "" : pair->parameters[1]);
		differences++;
	}
	return differences;
}

static int compare_delimiters(
	const struct mr_setup *setup, const struct mr_maps *maps)
{
	const char *postfix =
		mr_postfix_expand(setup->postfix, "recipient_delimiter");

	if (postfix == NULL || maps->recipient_delimiter == NULL ||
		strcmp(postfix, maps->recipient_delimiter) == 0)
		return 0;
	mr_setup_explain(setup,
		"Postfix's recipient_delimiter is \"%s\", the policy's is "
		"\"%s\".",
		postfix, maps->recipient_delimiter);
	return 1;
}

void mr_setup_compare_maps(struct mr_setup *setup)
{
	const struct mr_maps *maps = mr_config_get(setup->policy->config, NULL,
		&mr_section_maps, NULL, setup->arena)
	                                     ->values;
	int differences;

	if (setup->postfix == NULL) {
		mr_setup_explain(setup, "The policy's maps { } must name the "
					"tables that Postfix "
					"uses.");
		return;
	}
	differences = compare_delimiters(setup, maps);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		differences += compare(setup, &pairs[i], maps);
	if (differences == 0)
		mr_setup_explain(setup,
			"Postfix and the policy look into the same tables.");
	else
		mr_setup_explain(setup,
			"As long as they differ, Postfix and Mailreeve may "
			"disagree about who exists.");
}
