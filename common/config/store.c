/* store - see store.h. */
/* SPDX-License-Identifier: ISC */
#include "common/config/store.h"

#include <string.h>

/* Up to so many bindings a walk is faster than a hash. */
enum { CROWDED = 16 };

/* The key is scope, section and title in one piece. */
struct mr_index_entry {
	struct mr_binding *binding;
	UT_hash_handle hh;
	char key[];
};

static size_t key_size(const char *title)
{
	return 2 * sizeof(void *) + strlen(title);
}

static void make_key(char *key, const struct mr_scope *scope,
	const struct mr_section_info *info, const char *title)
{
	memcpy(key, &scope, sizeof(scope));
	memcpy(key + sizeof(scope), &info, sizeof(info));
	memcpy(key + sizeof(scope) + sizeof(info), title, strlen(title));
}

static void index_binding(struct mr_config *config,
	const struct mr_scope *scope, struct mr_binding *binding)
{
	size_t size = key_size(binding->title);
	struct mr_index_entry *entry =
		mr_arena_alloc(config->arena, sizeof(*entry) + size);

	entry->binding = binding;
	make_key(entry->key, scope, binding->info, binding->title);
	HASH_ADD_KEYPTR(hh, config->index, entry->key, size, entry);
}

struct mr_section_info *mr_store_info(
	const struct mr_config *config, const struct mr_section *section)
{
	const struct mr_section *const *sections = config->schema->sections;
	struct mr_section_info *info;

	HASH_FIND_PTR(config->by_section, &section, info);
	if (info != NULL)
		return info;
	for (size_t i = 0; sections[i] != NULL; i++)
		if (sections[i] == section)
			return &config->infos[i];
	return NULL;
}

struct mr_scope_store *mr_store_new_scope(struct mr_config *config,
	enum mr_rung rung, const char *title, struct mr_place at)
{
	struct mr_scope_store *store =
		MR_NEW(config->arena, struct mr_scope_store);

	store->scope.rung = rung;
	store->scope.title = title;
	store->scope.at = at;
	store->last = &store->scope.bindings;
	return store;
}

void mr_store_add_scope(struct mr_config *config, struct mr_scope_store *scope)
{
	struct mr_scope_store **head = &config->scopes[scope->scope.rung];

	/* uthash keeps the order in which things were added */
	if (*head != NULL) {
		struct mr_scope_store *last =
			ELMT_FROM_HH((*head)->hh.tbl, (*head)->hh.tbl->tail);

		last->scope.next = &scope->scope;
	}
	HASH_ADD_KEYPTR(hh, *head, scope->scope.title,
		strlen(scope->scope.title), scope);
}

static struct mr_binding *find_in_index(const struct mr_config *config,
	const struct mr_scope *scope, const struct mr_section_info *info,
	const char *title)
{
	size_t size = key_size(title);
	struct mr_index_entry *entry;
	char small[128], *key = small;

	if (size > sizeof(small))
		key = mr_calloc(1, size);
	make_key(key, scope, info, title);
	HASH_FIND(hh, config->index, key, size, entry);
	if (key != small)
		free(key);
	return entry == NULL ? NULL : entry->binding;
}

struct mr_binding *mr_store_find(const struct mr_config *config,
	const struct mr_scope *scope, const struct mr_section_info *info,
	const char *title)
{
	const struct mr_scope_store *store =
		(const struct mr_scope_store *)scope;

	if (store == config->top && info->section->title == NULL)
		return info->top;
	if (store->count > CROWDED)
		return find_in_index(config, scope, info, title);
	for (struct mr_binding *b = scope->bindings; b != NULL; b = b->next)
		if (b->info == info && strcmp(b->title, title) == 0)
			return b;
	return NULL;
}

struct mr_binding *mr_store_add(struct mr_config *config,
	struct mr_scope_store *scope, struct mr_section_info *info,
	const char *title, struct mr_place at)
{
	struct mr_binding *binding = MR_NEW(config->arena, struct mr_binding);

	binding->info = info;
	binding->title = title;
	binding->at = at;
	*scope->last = binding;
	scope->last = &binding->next;
	if (scope == config->top) {
		*info->top_last = binding;
		info->top_last = &binding->same;
	}
	if (++scope->count > CROWDED) {
		/* those that were there before it got crowded */
		if (scope->count == CROWDED + 1)
			for (struct mr_binding *b = scope->scope.bindings;
				b != binding; b = b->next)
				index_binding(config, &scope->scope, b);
		index_binding(config, &scope->scope, binding);
	}
	return binding;
}

void mr_store_free(struct mr_config *config)
{
	for (int rung = 0; rung < MR_RUNGS; rung++)
		HASH_CLEAR(hh, config->scopes[rung]);
	HASH_CLEAR(hh, config->index);
	HASH_CLEAR(hh, config->by_section);
	mr_arena_free(&config->arena);
}
