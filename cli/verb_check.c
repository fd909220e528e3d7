/* verb_check - `mailreeve check`: is the policy file good?  Beside what every
 * load finds it warns of exceptions that have expired, and of users who are in
 * two groups (only those the file names: a table cannot be listed). */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/setting.h"
#include "common/base/arena.h"
#include "common/map/map.h"

#include <stdio.h>
#include <time.h>

static const struct mr_flag flags[] = {
	MR_FLAG_CONFIG,
	{ .name = NULL },
};

/* How often a section stands in the file, as far as the file's top goes. */
static size_t count_section(
	const struct mr_policy *policy, const struct mr_section *section)
{
	const struct mr_settings *settings;
	const char *const *titles;
	size_t n = 0;

	if (section->rung != MR_UNSET) {
		const struct mr_scope *scope = mr_config_scopes(
			policy->config, (enum mr_rung)section->rung);

		for (; scope != NULL; scope = scope->next)
			n++;
		return n;
	}
	if (section->title != NULL) {
		titles = mr_config_titles(
			policy->config, NULL, section, policy->arena);
		while (titles[n] != NULL)
			n++;
		return n;
	}
	settings = mr_config_get(
		policy->config, NULL, section, NULL, policy->arena);
	for (size_t i = 0; section->options[i].name != NULL; i++)
		if (settings->places[i].file != NULL)
			return section->name != NULL;
	return 0;
}

static size_t count_sections(const struct mr_policy *policy)
{
	const struct mr_section *const *section =
		mr_config_schema(policy->config)->sections;
	size_t n = 0;

	for (; *section != NULL; section++)
		n += count_section(policy, *section);
	return n;
}

static void check_exceptions(const struct mr_policy *policy, time_t now,
	struct mr_problems *problems)
{
	const struct mr_rule_exception *e = policy->exceptions;

	for (; e->name != NULL; e++) {
		const struct mr_settings *settings;

		if (e->values->until == 0 || now < e->values->until)
			continue;
		settings = mr_config_get(policy->config, NULL,
			&mr_section_exception, e->name, policy->arena);
		mr_problem_add(problems, MR_WARNING,
			mr_settings_place(
				settings, offsetof(struct mr_exception, until)),
			"exception %s has expired and no longer does "
			"anything: set a later day, or remove it",
			e->name);
	}
}

static bool is_member(const struct mr_group_maps *group, const char *address,
	struct mr_arena *arena)
{
	struct mr_error ignored;
	const char *value;

	for (struct mr_map **map = group->members; *map != NULL; map++)
		switch (mr_map_get(*map, arena, address, mr_cli_deadline(5),
			&value, &ignored)) {
		case MR_FOUND:
			return true;
		case MR_TEMPFAIL: /* its table was warned of when it opened */
		case MR_NOTFOUND:
			break;
		}
	return false;
}

static void check_groups(
	const struct mr_policy *policy, struct mr_problems *problems)
{
	const struct mr_scope *user = mr_config_scopes(policy->config, MR_USER);

	for (; user != NULL; user = user->next) {
		const struct mr_group_maps *first = NULL, *g = policy->groups;

		for (; g->scope != NULL; g++) {
			if (!is_member(g, user->title, policy->arena))
				continue;
			if (first != NULL)
				mr_problem_add(problems, MR_WARNING, user->at,
					"%s is in the groups %s and %s; only "
					"%s counts, which comes first in the "
					"file",
					user->title, first->scope->title,
					g->scope->title, first->scope->title);
			else
				first = g;
		}
	}
}

static enum mr_exit run(struct mr_cli *cli)
{
	struct mr_problems problems;
	struct mr_policy *policy;
	const char *value;
	size_t sections;

	while (mr_cli_next(cli, &value) != MR_CLI_END)
		;
	mr_cli_operand(cli, 0, 0);
	mr_problems_init(&problems, cli->arena);
	if (mr_policy_load(cli->config, &policy, &problems) < 0) {
		mr_problems_print(&problems, stderr);
		return MR_EXIT_USAGE;
	}
	check_exceptions(policy, time(NULL), &problems);
	check_groups(policy, &problems);
	mr_problems_print(&problems, stderr);
	sections = count_sections(policy);
	printf("%s: ok, %zu section%s, %zu warning%s\n", cli->config, sections,
		sections == 1 ? "" : "s", problems.warnings,
		problems.warnings == 1 ? "" : "s");
	mr_policy_release(&policy);
	return MR_EXIT_FINE;
}

const struct mr_verb mr_verb_check = {
	.name = "check",
	.summary = "is the policy file good?",
	.help = "Reads the policy file and prints every mistake and warning "
		"with its place.\n"
		"Exit status: 0 good (warnings are allowed), 2 mistakes.\n",
	.flags = flags,
	.run = run,
};
