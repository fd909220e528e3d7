/* postmap - the types that only Postfix can read, asked through postmap(1).
 *
 * A process for each question would be slow, so answers are kept for a few
 * seconds, and only as long as the table's file stays the same. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/map/mark.h"
#include "common/map/postmap_run.h"
#include "common/map/type.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

/* How long an answer is kept, and how many are. */
enum { FOUND_MS = 10 * 1000, NOTFOUND_MS = 5 * 1000 };
enum { MOST_ENTRIES = 2000, MOST_OCTETS = 1024 * 1024 };

/* `file` is what stands behind the name of the table's file, NULL: there is
 * none.  A text may be in the middle of being saved.  Patterns and servers are
 * asked for whole addresses (Postfix's DICT_FLAG_PATTERN). */
struct kind {
	const char *file;
	bool is_text, wants_whole;
};

static const char *const names[] = { "hash", "btree", "dbm", "sdbm", "regexp",
	"pcre", "cidr", "ldap", "mysql", "pgsql", "mongodb", "nis", "nisplus",
	"unix", "tcp", "static", "fail", NULL };

static const struct kind kinds[] = {
	{ ".db", false, false },  /* hash */
	{ ".db", false, false },  /* btree */
	{ ".pag", false, false }, /* dbm */
	{ ".pag", false, false }, /* sdbm */
	{ "", true, true },       /* regexp */
	{ "", true, true },       /* pcre */
	{ "", true, true },       /* cidr */
	{ "", false, false },     /* ldap */
	{ "", false, false },     /* mysql */
	{ "", false, false },     /* pgsql */
	{ "", false, false },     /* mongodb */
	{ NULL, false, false },   /* nis */
	{ NULL, false, false },   /* nisplus */
	{ NULL, false, false },   /* unix */
	{ NULL, false, true },    /* tcp */
	{ NULL, false, false },   /* static */
	{ NULL, false, false },   /* fail */
};

_Static_assert(sizeof(kinds) / sizeof(kinds[0]) + 1 ==
		       sizeof(names) / sizeof(names[0]),
	"each name has its kind");

struct entry {
	UT_hash_handle hh; /* in the order in which they came */
	int64_t until_ms;
	size_t octets;
	bool found;
	char *value; /* behind the key */
	char key[];
};

struct postmap {
	char *reference, *file; /* file may be NULL */
	const struct kind *kind;
	pthread_mutex_t lock; /* guards what follows */
	struct entry *entries;
	size_t octets;
	unsigned generation; /* of the file */
	struct mr_mark mark;
	int64_t next_look_ms, fresh_until_ms;
};

static const struct kind *kind_of(const char *reference)
{
	size_t length = strcspn(reference, ":");

	for (size_t i = 0; names[i] != NULL; i++)
		if (strlen(names[i]) == length &&
			memcmp(names[i], reference, length) == 0)
			return &kinds[i];
	return NULL;
}

static const char *behind_colon(const char *reference)
{
	return strchr(reference, ':') + 1;
}

/* ldap:NAME and its like may have their settings in main.cf. */
static bool needs_path(const struct kind *kind)
{
	return kind->file != NULL && (kind->is_text || kind->file[0] != '\0');
}

static int postmap_check(const char *reference, struct mr_error *error)
{
	const char *name = behind_colon(reference);

	if (*name == '\0')
		return mr_error_set(error, "the table has no name");
	if (!mr_postmap_can_ask(reference))
		return mr_error_set(error, "a control character");
	return needs_path(kind_of(reference)) ? mr_map_check_path(name, error)
	                                      : 0;
}

static bool postmap_wants_whole(const char *reference)
{
	return kind_of(reference)->wants_whole;
}

static void forget(struct postmap *map, struct entry *entry)
{
	HASH_DEL(map->entries, entry);
	map->octets -= entry->octets;
	free(entry);
}

static void forget_all(struct postmap *map)
{
	struct entry *entry, *next;

	HASH_ITER (hh, map->entries, entry, next) {
		forget(map, entry);
	}
}

static void keep(
	struct postmap *map, const char *key, const char *value, int64_t now_ms)
{
	size_t key_size = strlen(key) + 1;
	size_t value_size = value == NULL ? 0 : strlen(value) + 1;
	size_t octets = sizeof(struct entry) + key_size + value_size;
	struct entry *entry;

	HASH_FIND_STR(map->entries, key, entry);
	if (entry != NULL)
		forget(map, entry);
	while (map->entries != NULL &&
		(HASH_COUNT(map->entries) >= MOST_ENTRIES ||
			map->octets + octets > MOST_OCTETS))
		forget(map, map->entries); /* the oldest */
	entry = mr_calloc(1, octets);
	entry->octets = octets;
	entry->until_ms = now_ms + (value == NULL ? NOTFOUND_MS : FOUND_MS);
	entry->found = value != NULL;
	entry->value = entry->key + key_size;
	memcpy(entry->key, key, key_size);
	if (value != NULL)
		memcpy(entry->value, value, value_size);
	HASH_ADD_KEYPTR(hh, map->entries, entry->key, key_size - 1, entry);
	map->octets += octets;
}

/* One stat(2) a second, under the lock. */
static void look_if_due(struct postmap *map, int64_t now_ms)
{
	struct mr_mark mark = { 0 };
	struct stat st;

	if (map->file == NULL || now_ms < map->next_look_ms)
		return;
	map->next_look_ms = now_ms + MR_MAP_LOOK_EVERY_MS;
	if (stat(map->file, &st) == 0)
		mark = mr_mark_of(&st);
	if (mr_mark_same(&mark, &map->mark))
		return;
	forget_all(map);
	map->generation++;
	map->mark = mark;
	if (map->kind->is_text)
		map->fresh_until_ms =
			now_ms + MR_MARK_FRESH_MS - mr_mark_age_ms(&mark);
}

/* false: it must be asked. */
static bool remember(struct postmap *map, struct mr_arena *arena,
	const char *key, int64_t now_ms, enum mr_lookup *answer_r,
	const char **value_r)
{
	struct entry *entry;

	HASH_FIND_STR(map->entries, key, entry);
	if (entry == NULL || now_ms >= entry->until_ms)
		return false;
	*answer_r = entry->found ? MR_FOUND : MR_NOTFOUND;
	if (entry->found)
		*value_r = mr_arena_strdup(arena, entry->value);
	return true;
}

static enum mr_lookup postmap_get(void *state, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	struct postmap *map = state;
	enum mr_lookup answer;
	unsigned generation;
	bool known, fresh;

	if (!mr_postmap_can_ask(key)) {
		mr_error_set(error, "such a key cannot be asked for");
		return MR_TEMPFAIL;
	}
	pthread_mutex_lock(&map->lock);
	look_if_due(map, now_ms);
	generation = map->generation;
	fresh = now_ms < map->fresh_until_ms;
	known = remember(map, arena, key, now_ms, &answer, value_r);
	pthread_mutex_unlock(&map->lock);
	if (!known) {
		answer = mr_postmap_run(map->reference, key, arena, deadline_ms,
			value_r, error);
		pthread_mutex_lock(&map->lock);
		/* the file that was read just now may be half of one */
		if (answer == MR_NOTFOUND && map->kind->is_text) {
			map->next_look_ms = now_ms;
			look_if_due(map, now_ms);
			fresh = now_ms < map->fresh_until_ms;
		}
		if (answer != MR_TEMPFAIL && generation == map->generation)
			keep(map, key, answer == MR_FOUND ? *value_r : NULL,
				now_ms);
		pthread_mutex_unlock(&map->lock);
	}
	if (answer == MR_NOTFOUND && fresh) {
		mr_error_set(error, "changed less than 5 s ago");
		return MR_TEMPFAIL;
	}
	return answer;
}

static void postmap_close(void *state)
{
	struct postmap *map = state;

	forget_all(map);
	pthread_mutex_destroy(&map->lock);
	free(map->reference);
	free(map->file);
	free(map);
}

static char *file_of(const char *reference)
{
	const struct kind *kind = kind_of(reference);
	const char *name = behind_colon(reference);
	size_t size;
	char *file;

	if (kind->file == NULL || name[0] != '/')
		return NULL;
	size = strlen(name) + strlen(kind->file) + 1;
	file = mr_calloc(1, size);
	snprintf(file, size, "%s%s", name, kind->file);
	return file;
}

static int postmap_open(const char *reference, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	struct postmap *map;
	char *file;

	if (mr_postmap_program() == NULL)
		return mr_error_set(
			error, "postmap is missing: %s", strerror(errno));
	file = file_of(reference);
	if (file != NULL && access(file, R_OK) < 0) {
		mr_error_set(error, "%s: %s", file, strerror(errno));
		free(file);
		return -1;
	}
	map = mr_calloc(1, sizeof(*map));
	map->reference = mr_calloc(1, strlen(reference) + 1);
	strcpy(map->reference, reference);
	map->file = file;
	map->kind = kind_of(reference);
	pthread_mutex_init(&map->lock, NULL);
	map->next_look_ms = now_ms;
	*state_r = map;
	return 0;
}

const struct mr_map_type mr_map_postmap = {
	.name = "postmap",
	.types = names,
	.check = postmap_check,
	.open = postmap_open,
	.close = postmap_close,
	.get = postmap_get,
	.wants_whole = postmap_wants_whole,
};
