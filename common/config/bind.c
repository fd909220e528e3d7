/* bind - see bind.h.  What stands in a wrong place, or twice, is checked like
 * everything else, in a scope that is then forgotten: all mistakes of a file
 * show in one run. */
/* SPDX-License-Identifier: ISC */
#include "common/config/bind.h"
#include "common/base/text.h"
#include "common/config/value.h"

#include <string.h>

/* Longer ones are a mistake. */
enum { TITLE_LONGEST = 1024 };

struct mr_kept_file {
	const char *from, *file;
	struct mr_kept_file *next;
};

/* Where nodes stand. */
struct context {
	struct mr_scope_store *scope;
	const struct mr_section_info *parent;
	bool plain;    /* the parent holds settings only */
	bool unclosed; /* its } is missing: places mean nothing */
};

static void bind_nodes(struct mr_bind *bind, const struct mr_node *nodes,
	const struct context *context, struct mr_binding *own);

/* The place with a file name that lives as long as the config. */
static struct mr_place keep_place(struct mr_bind *bind, struct mr_place at)
{
	struct mr_kept_file *f = bind->files;

	if (at.file != bind->from) {
		while (f != NULL && f->from != at.file)
			f = f->next;
		if (f == NULL) {
			f = MR_NEW(bind->scratch, struct mr_kept_file);
			f->from = at.file;
			f->file = mr_arena_strdup(bind->config->arena, at.file);
			f->next = bind->files;
			bind->files = f;
		}
		bind->from = at.file;
		bind->file = f->file;
	}
	at.file = bind->file;
	return at;
}

static void show_flaw(struct mr_bind *bind, const struct mr_node *node,
	const struct mr_option *option, const struct mr_flaw *flaw,
	enum mr_severity severity)
{
	struct mr_place at = node->value_at;
	struct mr_problem *problem;

	at.column += (unsigned)flaw->offset;
	problem = mr_problem_add(bind->problems, severity, at, "%s: %s",
		option->name, flaw->error.text);
	/* it may be the password itself */
	if (option->type == MR_TYPE_SECRET)
		problem->line = NULL;
	else if (flaw->nearest != NULL)
		mr_problem_hint(bind->problems, problem, flaw->length,
			"did you mean \"%s\"?", flaw->nearest);
	else
		mr_problem_mark(problem, flaw->length);
}

static void complain_twice(struct mr_bind *bind, struct mr_place at,
	size_t marked, const char *what, struct mr_place first)
{
	mr_problem_mark(mr_problem_add(bind->problems, MR_MISTAKE, at,
				"%.100s is there already, at %s:%u:%u", what,
				first.file, first.line, first.column),
		marked);
}

static const struct mr_set *find_set(
	const struct mr_binding *binding, unsigned option)
{
	const struct mr_set *s = binding->sets;

	while (s != NULL && s->option != option)
		s = s->next;
	return s;
}

static void bind_setting(struct mr_bind *bind, const struct mr_node *node,
	struct mr_binding *binding)
{
	const struct mr_section_info *info = binding->info;
	const struct mr_option *option = info->section->options;
	const struct mr_set *first;
	struct mr_flaw flaw;
	struct mr_set *set;
	unsigned index;
	int result;

	while (option->name != NULL && strcmp(option->name, node->name) != 0)
		option++;
	index = (unsigned)(option - info->section->options);
	first = find_set(binding, index);
	if (option->name == NULL || first != NULL) {
		if (first != NULL)
			complain_twice(bind, node->at, strlen(node->name),
				node->name, first->at);
		else
			mr_suggest_setting(bind, node, info);
		binding->broken = true;
		return;
	}
	set = mr_arena_alloc(
		bind->config->arena, sizeof(*set) + mr_value_size(option));
	set->option = index;
	set->at = keep_place(bind, node->at);
	set->next = binding->sets;
	binding->sets = set;
	mr_value_unset(option, set->value);
	result = mr_value_parse(bind->config->arena, option, node->value,
		node->quoted, set->value, &flaw);
	if (result < 0)
		binding->broken = true;
	if (result < 0 || flaw.error.text[0] != '\0')
		show_flaw(bind, node, option, &flaw,
			result < 0 ? MR_MISTAKE : MR_WARNING);
}

/* The section that a node names, with its kind; NULL: unknown, told. */
static struct mr_section_info *find_section(struct mr_bind *bind,
	const struct mr_node *node, const struct context *context)
{
	const struct mr_section *const *sections =
		bind->config->schema->sections;
	struct mr_section_info *plain = NULL;
	bool kinds = false;

	for (size_t i = 1; sections[i] != NULL; i++) {
		if (strcmp(sections[i]->name, node->name) != 0)
			continue;
		if (sections[i]->kind == NULL) {
			plain = &bind->config->infos[i];
			continue;
		}
		kinds = true;
		if (node->titles[0] != NULL &&
			strcmp(sections[i]->kind, node->titles[0]) == 0)
			return &bind->config->infos[i];
	}
	if (plain != NULL)
		return plain;
	if (kinds)
		mr_suggest_kind(bind, node);
	else
		mr_suggest_section(bind, node, context->parent,
			context->scope->scope.rung);
	return NULL;
}

static struct mr_place title_place(const struct mr_node *node, size_t title)
{
	struct mr_place at = node->at;

	at.column = node->columns[title];
	return at;
}

/* A title as it is kept; NULL: not a good one, told. */
static const char *keep_title(struct mr_bind *bind, const struct mr_node *node,
	size_t index, const struct mr_section *section)
{
	const char *title = node->titles[index];
	struct mr_error error;

	if (title[0] == '\0')
		mr_error_set(&error, "an empty %s", section->title);
	else if (strlen(title) > TITLE_LONGEST)
		mr_error_set(&error, "a %s of more than %d octets",
			section->title, TITLE_LONGEST);
	else {
		title = section->rung == MR_UNSET
		                ? mr_arena_strdup(bind->config->arena, title)
		                : mr_text_lower(bind->config->arena, title);
		if (section->check_title == NULL ||
			section->check_title(title, &error) == 0)
			return title;
	}
	mr_problem_mark(mr_problem_add(bind->problems, MR_MISTAKE,
				title_place(node, index), "%s", error.text),
		strlen(node->titles[index]));
	return NULL;
}

/* Are there as many titles as the section takes? */
static bool is_count_right(struct mr_bind *bind, const struct mr_node *node,
	const struct mr_section_info *info, size_t first)
{
	const struct mr_section *section = info->section;
	const char *title = node->titles[first];
	struct mr_problem *problem;
	size_t extra = first + (section->title != NULL);

	if (section->title != NULL && title == NULL) {
		problem = mr_problem_add(bind->problems, MR_MISTAKE, node->at,
			"%s needs a %s", info->name, section->title);
		mr_problem_hint(bind->problems, problem, strlen(node->name),
			"%s %s {", info->name, section->title);
		return false;
	}
	if (title == NULL || (section->title != NULL && !section->one_title) ||
		node->titles[extra] == NULL)
		return true;
	mr_problem_mark(
		mr_problem_add(bind->problems, MR_MISTAKE,
			title_place(node, extra), "%s takes %s", info->name,
			section->title == NULL ? "no title" : "one title only"),
		strlen(node->titles[extra]));
	return false;
}

/* One instance of `node` for the title at `index`, the only one without. */
static void add_instance(struct mr_bind *bind, const struct mr_node *node,
	size_t index, const struct mr_binding *body,
	struct mr_scope_store *scope)
{
	struct mr_section_info *info = body->info;
	const char *title = "", *what = info->name;
	struct mr_binding *binding;
	struct mr_place at = node->at;

	if (info->section->title != NULL) {
		title = keep_title(bind, node, index, info->section);
		if (title == NULL)
			return;
		at = title_place(node, index);
	}
	binding = mr_store_find(bind->config, &scope->scope, info, title);
	if (binding != NULL) {
		if (title[0] != '\0')
			what = mr_arena_printf(
				bind->scratch, "%s %.80s", info->name, title);
		complain_twice(bind, at,
			strlen(title[0] != '\0' ? node->titles[index]
						: node->name),
			what, binding->at);
		return;
	}
	binding = mr_store_add(bind->config, scope, info, title, body->at);
	binding->sets = body->sets;
	binding->broken = body->broken;
}

static void bind_instances(struct mr_bind *bind, const struct mr_node *node,
	struct mr_section_info *info, const struct context *context)
{
	struct mr_binding body = { .info = info,
		.at = keep_place(bind, node->at) };
	struct context inside = { context->scope, info, true,
		context->unclosed || node->unclosed };
	size_t first = info->section->kind != NULL;

	bind_nodes(bind, node->children, &inside, &body);
	if (!is_count_right(bind, node, info, first))
		return;
	if (info->section->title == NULL)
		add_instance(bind, node, 0, &body, context->scope);
	else
		for (size_t i = first; node->titles[i] != NULL; i++)
			add_instance(bind, node, i, &body, context->scope);
}

/* A new scope for the title, NULL if it is none or there already. */
static struct mr_scope_store *new_rung(struct mr_bind *bind,
	const struct mr_node *node, size_t index,
	const struct mr_section *section)
{
	enum mr_rung rung = (enum mr_rung)section->rung;
	struct mr_scope_store *scope;
	const char *title = keep_title(bind, node, index, section);

	if (title == NULL)
		return NULL;
	HASH_FIND(hh, bind->config->scopes[rung], title, strlen(title), scope);
	if (scope != NULL) {
		complain_twice(bind, title_place(node, index),
			strlen(node->titles[index]),
			mr_arena_printf(bind->scratch, "%s %.80s",
				section->name, title),
			scope->scope.at);
		return NULL;
	}
	scope = mr_store_new_scope(
		bind->config, rung, title, keep_place(bind, node->at));
	mr_store_add_scope(bind->config, scope);
	return scope;
}

/* `listener 587 465 {`: the others hold what the first one holds. */
static void copy_bindings(struct mr_config *config,
	const struct mr_scope_store *from, struct mr_scope_store *to)
{
	for (struct mr_binding *b = from->scope.bindings; b != NULL;
		b = b->next) {
		struct mr_binding *copy =
			mr_store_add(config, to, b->info, b->title, b->at);

		copy->sets = b->sets;
		copy->broken = b->broken;
	}
}

static void bind_rung(struct mr_bind *bind, const struct mr_node *node,
	struct mr_section_info *info, const struct context *context)
{
	struct mr_scope_store *scope = NULL, *more = NULL;
	struct mr_place at = keep_place(bind, node->at);
	struct context inside = { NULL, info, false,
		context->unclosed || node->unclosed };
	size_t title = 0;

	if (is_count_right(bind, node, info, 0))
		while (scope == NULL && node->titles[title] != NULL)
			scope = new_rung(bind, node, title++, info->section);
	if (scope == NULL)
		scope = mr_store_new_scope(bind->config,
			(enum mr_rung)info->section->rung, "", at);
	inside.scope = scope;
	bind_nodes(bind, node->children, &inside,
		mr_store_add(bind->config, scope, info, "", at));
	if (scope->scope.title[0] == '\0')
		return;
	for (; node->titles[title] != NULL; title++) {
		more = new_rung(bind, node, title, info->section);
		if (more != NULL)
			copy_bindings(bind->config, scope, more);
	}
}

static void bind_section(struct mr_bind *bind, const struct mr_node *node,
	const struct context *context)
{
	enum mr_rung rung = context->scope->scope.rung;
	struct mr_section_info *info = find_section(bind, node, context);
	struct context here = *context;

	if (info == NULL)
		return;
	if (context->plain || (info->section->where & MR_IN(rung)) == 0) {
		if (!context->unclosed)
			mr_suggest_place(bind, node, info, context->parent);
		here.scope = mr_store_new_scope(
			bind->config, rung, "", keep_place(bind, node->at));
	}
	if (info->section->rung == MR_UNSET)
		bind_instances(bind, node, info, &here);
	else
		bind_rung(bind, node, info, &here);
}

static void bind_nodes(struct mr_bind *bind, const struct mr_node *nodes,
	const struct context *context, struct mr_binding *own)
{
	for (; nodes != NULL; nodes = nodes->next)
		if (nodes->is_section)
			bind_section(bind, nodes, context);
		else
			bind_setting(bind, nodes, own);
}

void mr_bind_tree(struct mr_bind *bind, const struct mr_node *nodes)
{
	struct mr_config *config = bind->config;
	struct context top = { config->top, &config->infos[0], false, false };

	bind_nodes(bind, nodes, &top,
		mr_store_add(config, config->top, &config->infos[0], "",
			(struct mr_place){ 0 }));
}
