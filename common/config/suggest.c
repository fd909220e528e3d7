/* suggest - complaints about names, with what was probably meant */
/* SPDX-License-Identifier: ISC */
#include "common/config/bind.h"
#include "common/base/text.h"

#include <string.h>

static bool has_option(const struct mr_section *section, const char *name)
{
	for (const struct mr_option *o = section->options; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return true;
	return false;
}

static size_t count_sections(const struct mr_config *config)
{
	size_t count = 0;

	while (config->schema->sections[count] != NULL)
		count++;
	return count;
}

static bool is_section_name(const struct mr_config *config, const char *name)
{
	for (size_t i = 1; config->schema->sections[i] != NULL; i++)
		if (strcmp(config->schema->sections[i]->name, name) == 0)
			return true;
	return false;
}

/* Another section that has such a setting. */
static const struct mr_section_info *find_owner(
	const struct mr_config *config, const char *option)
{
	for (size_t i = 0; config->schema->sections[i] != NULL; i++)
		if (has_option(config->schema->sections[i], option))
			return &config->infos[i];
	return NULL;
}

void mr_suggest_setting(struct mr_bind *bind, const struct mr_node *node,
	const struct mr_section_info *info)
{
	const char **words =
		MR_NEW_ARRAY(bind->scratch, const char *, info->options + 1);
	const struct mr_section_info *owner =
		find_owner(bind->config, node->name);
	size_t length = strlen(node->name);
	struct mr_problem *problem;
	const char *nearest;

	for (unsigned i = 0; i < info->options; i++)
		words[i] = info->section->options[i].name;
	nearest = mr_text_nearest(node->name, words);
	problem = mr_problem_add(bind->problems, MR_MISTAKE, node->at,
		"unknown setting \"%.60s\" in %s", node->name, info->name);
	if (is_section_name(bind->config, node->name))
		mr_problem_hint(bind->problems, problem, length,
			"this is a section: %s {", node->name);
	else if (owner != NULL)
		mr_problem_hint(bind->problems, problem, length,
			"it belongs to %s", owner->name);
	else if (nearest != NULL)
		mr_problem_hint(bind->problems, problem, length,
			"did you mean \"%s\"?", nearest);
	else
		mr_problem_hint(bind->problems, problem, length,
			"\"mailreeve settings\" lists them all");
}

void mr_suggest_section(struct mr_bind *bind, const struct mr_node *node,
	const struct mr_section_info *parent, enum mr_rung rung)
{
	const struct mr_section *const *sections =
		bind->config->schema->sections;
	const char **words = MR_NEW_ARRAY(
		bind->scratch, const char *, count_sections(bind->config) + 1);
	size_t count = 0, length = strlen(node->name);
	struct mr_problem *problem;
	const char *nearest;

	problem = mr_problem_add(bind->problems, MR_MISTAKE, node->at,
		"unknown section \"%.60s\"", node->name);
	if (has_option(parent->section, node->name)) {
		mr_problem_hint(bind->problems, problem, length,
			"this is a setting: %s = ...", node->name);
		return;
	}
	/* `helo {` for `check helo {` */
	for (size_t i = 1; sections[i] != NULL; i++)
		if (sections[i]->kind != NULL &&
			strcmp(sections[i]->kind, node->name) == 0) {
			mr_problem_hint(bind->problems, problem, length,
				"did you mean \"%s %s\"?", sections[i]->name,
				node->name);
			return;
		}
	for (size_t i = 1; sections[i] != NULL; i++)
		if ((sections[i]->where & MR_IN(rung)) != 0)
			words[count++] = sections[i]->name;
	nearest = mr_text_nearest(node->name, words);
	if (nearest != NULL)
		mr_problem_hint(bind->problems, problem, length,
			"did you mean \"%s\"?", nearest);
	else
		mr_problem_hint(bind->problems, problem, length,
			"\"mailreeve settings\" lists them all");
}

void mr_suggest_kind(struct mr_bind *bind, const struct mr_node *node)
{
	const struct mr_section *const *sections =
		bind->config->schema->sections;
	const char **kinds = MR_NEW_ARRAY(
		bind->scratch, const char *, count_sections(bind->config) + 1);
	const char *written = node->titles[0], *nearest, *all = "";
	struct mr_problem *problem;
	size_t count = 0;

	for (size_t i = 1; sections[i] != NULL; i++)
		if (sections[i]->kind != NULL &&
			strcmp(sections[i]->name, node->name) == 0)
			kinds[count++] = sections[i]->kind;
	for (size_t i = 0; i < count; i++)
		all = mr_arena_printf(bind->scratch, "%s%s%s", all,
			i == 0           ? ""
			: i + 1 == count ? " or "
					 : ", ",
			kinds[i]);
	if (written == NULL) {
		problem = mr_problem_add(bind->problems, MR_MISTAKE, node->at,
			"%s what? Its kind is missing", node->name);
		mr_problem_hint(bind->problems, problem, strlen(node->name),
			"%s %s", node->name, all);
		return;
	}
	nearest = mr_text_nearest(written, kinds);
	problem = mr_problem_add(bind->problems, MR_MISTAKE, node->value_at,
		"unknown %s \"%.60s\"", node->name, written);
	if (nearest != NULL)
		mr_problem_hint(bind->problems, problem, strlen(written),
			"did you mean \"%s %s\"?", node->name, nearest);
	else
		mr_problem_hint(bind->problems, problem, strlen(written),
			"known are %s", all);
}

/* "at the top level, in listener and in user" */
static const char *list_places(
	struct mr_bind *bind, const struct mr_section *section)
{
	static const char *const places[] = { "in user", "in group",
		"in domain", "in listener", "at the top level" };
	const char *text = "";

	for (int rung = MR_GLOBAL; rung >= MR_USER; rung--) {
		bool more = (section->where & (MR_IN(rung) - 1)) != 0;

		if ((section->where & MR_IN(rung)) == 0)
			continue;
		text = mr_arena_printf(bind->scratch, "%s%s%s", text,
			text[0] == '\0' ? ""
			: more          ? ", "
					: " and ",
			places[rung]);
	}
	return text;
}

void mr_suggest_place(struct mr_bind *bind, const struct mr_node *node,
	const struct mr_section_info *info,
	const struct mr_section_info *parent)
{
	struct mr_problem *problem = mr_problem_add(bind->problems, MR_MISTAKE,
		node->at, "%s may not stand in %s", info->name, parent->name);

	mr_problem_hint(bind->problems, problem, strlen(node->name),
		"it may stand %s", list_places(bind, info->section));
}
