/* resolve - what applies to somebody: defaults, then each rung of the chain
 * from the widest to the narrowest.  Asked several times per mail, so it copies
 * and never parses. */
/* SPDX-License-Identifier: ISC */
#include "common/config/store.h"
#include "common/config/value.h"

#include <assert.h>
#include <string.h>

/* The scope of a rung in the chain; the top is implied. */
static const struct mr_scope *find_scope(const struct mr_config *config,
	const struct mr_chain *chain, enum mr_rung rung)
{
	if (rung == MR_GLOBAL)
		return &config->top->scope;
	return chain == NULL ? NULL : chain->scope[rung];
}

/* `settings` while they are being filled. */
struct filling {
	const struct mr_section_info *info;
	char *values;
	struct mr_place *places;
	enum mr_rung *from;
};

static void overlay(
	struct filling *f, const struct mr_binding *binding, enum mr_rung rung)
{
	for (const struct mr_set *s = binding->sets; s != NULL; s = s->next) {
		const struct mr_option *option =
			&f->info->section->options[s->option];

		memcpy(f->values + option->offset, s->value,
			mr_value_size(option));
		f->places[s->option] = s->at;
		f->from[s->option] = rung;
	}
}

/* What each rung says; does a narrower one than the top? */
static bool find_bindings(const struct mr_config *config,
	const struct mr_chain *chain, const struct mr_section_info *info,
	const char *title, const struct mr_binding *bindings[MR_RUNGS])
{
	bool narrower = false;

	for (int rung = MR_GLOBAL; rung >= MR_USER; rung--) {
		const struct mr_scope *scope =
			find_scope(config, chain, (enum mr_rung)rung);

		bindings[rung] = scope == NULL ? NULL
		                               : mr_store_find(config, scope,
							 info, title);
		narrower |= rung != MR_GLOBAL && bindings[rung] != NULL;
	}
	return narrower;
}

static const struct mr_settings *fill(struct mr_section_info *info,
	const char *title, const struct mr_binding *const bindings[MR_RUNGS],
	struct mr_arena *arena)
{
	struct mr_settings *settings = MR_NEW(arena, struct mr_settings);
	struct filling f = { .info = info };

	f.values = mr_arena_alloc(arena, info->section->size);
	memcpy(f.values, info->initial, info->section->size);
	f.places = MR_NEW_ARRAY(arena, struct mr_place, info->options);
	f.from = MR_NEW_ARRAY(arena, enum mr_rung, info->options);
	for (unsigned i = 0; i < info->options; i++)
		f.from[i] = MR_GLOBAL;
	for (int rung = MR_GLOBAL; rung >= MR_USER; rung--)
		if (bindings[rung] != NULL)
			overlay(&f, bindings[rung], (enum mr_rung)rung);
	settings->section = info->section;
	settings->title = title;
	settings->values = f.values;
	settings->places = f.places;
	settings->from = f.from;
	return settings;
}

const struct mr_settings *mr_config_get(const struct mr_config *config,
	const struct mr_chain *chain, const struct mr_section *section,
	const char *title, struct mr_arena *arena)
{
	struct mr_section_info *info = mr_store_info(config, section);
	const struct mr_binding *bindings[MR_RUNGS];
	const struct mr_settings *settled = NULL;

	assert(info != NULL);
	/* the titles of rungs are in the chain */
	if (title == NULL || section->rung != MR_UNSET)
		title = "";
	if (!find_bindings(config, chain, info, title, bindings))
		settled = bindings[MR_GLOBAL] == NULL
		                  ? info->plain
		                  : bindings[MR_GLOBAL]->settled;
	return settled != NULL ? settled : fill(info, title, bindings, arena);
}

void mr_config_settle(struct mr_config *config)
{
	const struct mr_section *const *sections = config->schema->sections;
	const struct mr_binding *bindings[MR_RUNGS] = { NULL };

	for (size_t i = 0; sections[i] != NULL; i++) {
		struct mr_section_info *info = &config->infos[i];

		HASH_ADD_PTR(config->by_section, section, info);
		bindings[MR_GLOBAL] = NULL;
		info->plain = fill(info, "", bindings, config->arena);
		for (struct mr_binding *b = info->top; b != NULL; b = b->same) {
			bindings[MR_GLOBAL] = b;
			b->settled =
				fill(info, b->title, bindings, config->arena);
		}
	}
}

static unsigned find_option(const struct mr_section *section, size_t offset)
{
	unsigned i = 0;

	for (; section->options[i].name != NULL; i++)
		if (section->options[i].offset == offset)
			return i;
	assert(!"no option at this offset");
	return 0;
}

struct mr_place mr_settings_place(
	const struct mr_settings *settings, size_t offset)
{
	return settings->places[find_option(settings->section, offset)];
}

struct mr_place mr_settings_first_place(const struct mr_settings *settings)
{
	const struct mr_option *o = settings->section->options;

	for (size_t i = 0; o[i].name != NULL; i++)
		if (settings->places[i].file != NULL)
			return settings->places[i];
	return (struct mr_place){ 0 };
}

enum mr_rung mr_settings_rung(const struct mr_settings *settings, size_t offset)
{
	return settings->from[find_option(settings->section, offset)];
}

/* The first binding of a section in a scope, and the next one. */
static const struct mr_binding *find_next(const struct mr_config *config,
	const struct mr_scope *scope, const struct mr_section_info *info,
	const struct mr_binding *last)
{
	if (scope == &config->top->scope)
		return last == NULL ? info->top : last->same;
	last = last == NULL ? scope->bindings : last->next;
	while (last != NULL && last->info != info)
		last = last->next;
	return last;
}

static size_t count_titles(const struct mr_config *config,
	const struct mr_chain *chain, const struct mr_section_info *info)
{
	size_t count = 0;

	for (int rung = 0; rung < MR_RUNGS; rung++) {
		const struct mr_scope *s =
			find_scope(config, chain, (enum mr_rung)rung);
		const struct mr_binding *b = NULL;

		while (s != NULL && (b = find_next(config, s, info, b)) != NULL)
			count++;
	}
	return count;
}

/* Has a narrower rung of the chain the title, too?  In one scope it is there
 * once. */
static bool is_in_narrower(const struct mr_config *config,
	const struct mr_chain *chain, const struct mr_binding *binding,
	int rung)
{
	while (--rung >= MR_USER) {
		const struct mr_scope *s =
			find_scope(config, chain, (enum mr_rung)rung);

		if (s != NULL && mr_store_find(config, s, binding->info,
					 binding->title) != NULL)
			return true;
	}
	return false;
}

const char *const *mr_config_titles(const struct mr_config *config,
	const struct mr_chain *chain, const struct mr_section *section,
	struct mr_arena *arena)
{
	const struct mr_section_info *info = mr_store_info(config, section);
	const char **titles;
	size_t count = 0;

	assert(info != NULL);
	titles = MR_NEW_ARRAY(
		arena, const char *, count_titles(config, chain, info) + 1);
	for (int rung = 0; rung < MR_RUNGS; rung++) {
		const struct mr_scope *s =
			find_scope(config, chain, (enum mr_rung)rung);
		const struct mr_binding *b = NULL;

		while (s != NULL && (b = find_next(config, s, info, b)) != NULL)
			if (!is_in_narrower(config, chain, b, rung))
				titles[count++] = b->title;
	}
	return titles;
}

struct each {
	const struct mr_section_info *info;
	unsigned option;
	void (*seen)(void *context, const struct mr_scope *scope,
		const void *value, const struct mr_place *at);
	void *context;
};

static void visit_scope(const struct mr_config *config,
	const struct mr_scope *scope, const struct each *each)
{
	const struct mr_binding *b = NULL;

	while ((b = find_next(config, scope, each->info, b)) != NULL)
		for (const struct mr_set *s = b->sets; s != NULL; s = s->next)
			if (s->option == each->option)
				each->seen(
					each->context, scope, s->value, &s->at);
}

void mr_config_each(const struct mr_config *config,
	const struct mr_section *section, size_t offset,
	void (*seen)(void *context, const struct mr_scope *scope,
		const void *value, const struct mr_place *at),
	void *context)
{
	struct each each = { mr_store_info(config, section),
		find_option(section, offset), seen, context };

	assert(each.info != NULL);
	visit_scope(config, &config->top->scope, &each);
	for (int rung = MR_LISTENER; rung >= MR_USER; rung--)
		for (const struct mr_scope *s =
				mr_config_scopes(config, (enum mr_rung)rung);
			s != NULL; s = s->next)
			visit_scope(config, s, &each);
}
