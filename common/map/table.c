/* table - see table.h. */
/* SPDX-License-Identifier: ISC */
#include "common/map/table.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/map/map.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
	const char *value;
	UT_hash_handle hh;
};

struct mr_table {
	atomic_uint holders;
	char *text;
	struct mr_arena *arena;
	struct entry *entries;
};

struct mr_table *mr_table_new(char *text)
{
	struct mr_table *table = mr_calloc(1, sizeof(*table));

	atomic_init(&table->holders, 1);
	table->text = text;
	table->arena = mr_arena_new(0);
	return table;
}

struct mr_table *mr_table_hold(struct mr_table *table)
{
	atomic_fetch_add(&table->holders, 1);
	return table;
}

void mr_table_release(struct mr_table **table)
{
	struct mr_table *old = *table;

	*table = NULL;
	if (old == NULL || atomic_fetch_sub(&old->holders, 1) > 1)
		return;
	HASH_CLEAR(hh, old->entries);
	mr_arena_free(&old->arena);
	free(old->text);
	free(old);
}

bool mr_table_add(struct mr_table *table, char *key, const char *value)
{
	struct entry *entry;
	bool ascii = true;

	for (char *p = key; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
		ascii &= (unsigned char)*p < 0x80;
	}
	if (!ascii)
		key = mr_text_lower(table->arena, key);
	HASH_FIND_STR(table->entries, key, entry);
	if (entry != NULL)
		return false;
	entry = MR_NEW(table->arena, struct entry);
	entry->value = value;
	HASH_ADD_KEYPTR(hh, table->entries, key, strlen(key), entry);
	return true;
}

const char *mr_table_get(const struct mr_table *table, const char *key)
{
	struct entry *entry;

	HASH_FIND_STR(table->entries, key, entry);
	return entry == NULL ? NULL : entry->value;
}

size_t mr_table_count(const struct mr_table *table)
{
	return HASH_COUNT(table->entries);
}

bool mr_table_list(
	const struct mr_table *table, const struct mr_map_listener *listener)
{
	for (const struct entry *e = table->entries; e != NULL; e = e->hh.next)
		if (!listener->see(listener->context, e->hh.key))
			return false;
	return true;
}
