/* config - see config.h: a load from the text to the checked config.  Binding
 * is in bind.c, what applies to whom in resolve.c. */
/* SPDX-License-Identifier: ISC */
#include "common/config/config.h"
#include "common/config/bind.h"
#include "common/config/value.h"

#include <assert.h>
#include <malloc.h>
#include <string.h>

/* Below this a freed tree is not worth asking the kernel to take it back. */
enum { LARGE_TREE = 1024 * 1024, VALIDATED_AT_ONCE = 1000 };

static const char *name_section(
	struct mr_arena *arena, const struct mr_section *section)
{
	if (section->name == NULL)
		return "the top level";
	if (section->kind == NULL)
		return section->name;
	return mr_arena_printf(arena, "%s %s", section->name, section->kind);
}

/* Of a copy, what stays out of it has no value. */
static bool is_left_out(
	const struct mr_config *config, const struct mr_option *option)
{
	return config->schema->copy && option->unpublished;
}

/* A default that does not parse is a mistake in a table of ours. */
static void fill_defaults(
	const struct mr_config *config, struct mr_section_info *info)
{
	const struct mr_section *section = info->section;
	struct mr_arena *arena = config->arena;

	info->initial = mr_arena_alloc(arena, section->size);
	for (unsigned i = 0; i < info->options; i++) {
		const struct mr_option *option = &section->options[i];
		void *value = (char *)info->initial + option->offset;
		struct mr_flaw flaw;
		int result = 0;

		mr_value_unset(option, value);
		if (option->initial != NULL && !is_left_out(config, option))
			result = mr_value_parse(arena, option, option->initial,
				false, value, &flaw);
		assert(result == 0);
		(void)result;
	}
}

static void learn_schema(struct mr_config *config)
{
	const struct mr_section *const *sections = config->schema->sections;
	size_t count = 0;

	while (sections[count] != NULL)
		count++;
	config->infos =
		MR_NEW_ARRAY(config->arena, struct mr_section_info, count);
	for (size_t i = 0; i < count; i++) {
		struct mr_section_info *info = &config->infos[i];

		info->section = sections[i];
		info->name = name_section(config->arena, sections[i]);
		while (sections[i]->options[info->options].name != NULL)
			info->options++;
		info->top_last = &info->top;
		fill_defaults(config, info);
	}
}

static struct mr_config *new_config(const struct mr_schema *schema)
{
	struct mr_config *config = mr_calloc(1, sizeof(*config));

	config->arena = mr_arena_new(4096);
	config->schema = schema;
	learn_schema(config);
	config->top = mr_store_new_scope(
		config, MR_GLOBAL, "", (struct mr_place){ 0 });
	return config;
}

/* What is not set anywhere is missed where the section begins. */
static const struct mr_place *fill_places(const struct mr_settings *settings,
	const struct mr_binding *binding, struct mr_arena *scratch)
{
	unsigned count = binding->info->options;
	struct mr_place *places =
		MR_NEW_ARRAY(scratch, struct mr_place, count + 1);

	for (unsigned i = 0; i < count; i++)
		places[i] = settings->places[i].file != NULL
		                    ? settings->places[i]
		                    : binding->at;
	return places;
}

static bool is_whole(
	const struct mr_config *config, const struct mr_section *section)
{
	const struct mr_option *o = section->options;

	while (o->name != NULL && !is_left_out(config, o))
		o++;
	return o->name == NULL;
}

/* The effective values of every instance that is written somewhere, as seen
 * from there.  One with a mistake, or over one at the top, is left out. */
static void validate_scope(struct mr_config *config,
	const struct mr_scope *scope, struct mr_arena *scratch,
	struct mr_problems *problems)
{
	struct mr_chain chain = { 0 };

	chain.scope[scope->rung] = scope;
	for (struct mr_binding *b = scope->bindings; b != NULL; b = b->next) {
		const struct mr_section *section = b->info->section;
		const struct mr_settings *settings;
		const struct mr_binding *below;

		if (section->validate == NULL || b->broken ||
			!is_whole(config, section))
			continue;
		below = mr_store_find(
			config, &config->top->scope, b->info, b->title);
		if (below != NULL && below->broken)
			continue;
		settings = mr_config_get(
			config, &chain, section, b->title, scratch);
		section->validate(settings->values,
			fill_places(settings, b, scratch), problems);
	}
}

static void validate_all(struct mr_config *config, struct mr_problems *problems)
{
	struct mr_arena *scratch = mr_arena_new(4096);
	size_t count = 0;

	validate_scope(config, &config->top->scope, scratch, problems);
	for (int rung = MR_LISTENER; rung >= MR_USER; rung--)
		for (const struct mr_scope *s =
				mr_config_scopes(config, (enum mr_rung)rung);
			s != NULL; s = s->next) {
			validate_scope(config, s, scratch, problems);
			if (++count % VALIDATED_AT_ONCE == 0) {
				mr_arena_free(&scratch);
				scratch = mr_arena_new(4096);
			}
		}
	mr_arena_free(&scratch);
}

/* Binds the tree, and frees it with its arena. */
static int load(const struct mr_schema *schema, const struct mr_node *nodes,
	struct mr_arena *tree, struct mr_config **config_r,
	struct mr_problems *problems)
{
	struct mr_config *config = new_config(schema);
	struct mr_bind bind = {
		.config = config, .problems = problems, .scratch = tree
	};
	bool large = mr_arena_size(tree) > LARGE_TREE;

	mr_bind_tree(&bind, nodes);
	mr_arena_free(&tree);
	/* its blocks lie below those of the config, so free(3) keeps them */
	if (large)
		malloc_trim(0);
	validate_all(config, problems);
	if (schema->verify != NULL)
		schema->verify(config, problems);
	*config_r = config;
	if (problems->mistakes > 0)
		mr_config_free(config_r);
	return problems->mistakes > 0 ? -1 : 0;
}

int mr_config_read(const struct mr_schema *schema, const char *path,
	struct mr_config **config_r, struct mr_problems *problems)
{
	struct mr_arena *tree = mr_arena_new(64 * 1024);

	return load(schema, mr_tree_read_file(tree, path, problems), tree,
		config_r, problems);
}

int mr_config_read_text(const struct mr_schema *schema, const char *name,
	const char *text, size_t length, struct mr_config **config_r,
	struct mr_problems *problems)
{
	struct mr_arena *tree = mr_arena_new(length);

	return load(schema,
		mr_tree_read_text(tree, name, text, length, problems), tree,
		config_r, problems);
}

void mr_config_free(struct mr_config **config)
{
	if (*config == NULL)
		return;
	mr_store_free(*config);
	free(*config);
	*config = NULL;
}

const struct mr_schema *mr_config_schema(const struct mr_config *config)
{
	return config->schema;
}

const struct mr_scope *mr_config_scope(
	const struct mr_config *config, enum mr_rung rung, const char *title)
{
	struct mr_scope_store *found;

	if (rung == MR_GLOBAL)
		return title[0] == '\0' ? &config->top->scope : NULL;
	HASH_FIND(hh, config->scopes[rung], title, strlen(title), found);
	return found == NULL ? NULL : &found->scope;
}

const struct mr_scope *mr_config_scopes(
	const struct mr_config *config, enum mr_rung rung)
{
	if (rung == MR_GLOBAL)
		return &config->top->scope;
	return config->scopes[rung] == NULL ? NULL
	                                    : &config->scopes[rung]->scope;
}
