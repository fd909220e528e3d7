/* map - see map.h.  Finds the type of a reference and stands between its table
 * and the caller: limits, and opening again what was missing at first. */
/* SPDX-License-Identifier: ISC */
#include "common/map/map.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/base/clock.h"
#include "common/map/type.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct mr_map {
	char *reference;
	const char *name; /* inside reference */
	const struct mr_map_type *type;
	_Atomic(void *) state; /* NULL until opened, then never changes */
	pthread_mutex_t lock;  /* guards what follows */
	bool opening;
	int64_t next_try_ms;
	struct mr_error why_closed;
};

static const struct mr_map_type *const types[] = {
#define MAP(name) &mr_map_##name,
#include "common/map/map.def"
#undef MAP
};
enum { N_TYPES = sizeof(types) / sizeof(types[0]) };

static int refuse_type(const char *type, size_t length, struct mr_error *error)
{
	const char *names[N_TYPES + 1];
	char *asked = strndup(type, length);
	char known[256] = "";
	const char *nearest;

	for (size_t i = 0; i < N_TYPES; i++) {
		names[i] = types[i]->name;
		strncat(known, i == 0 ? "" : ", ", 3);
		strncat(known, names[i], sizeof(known) - strlen(known) - 3);
	}
	names[N_TYPES] = NULL;
	nearest = asked == NULL ? NULL : mr_text_nearest(asked, names);
	if (nearest != NULL)
		mr_error_set(error,
			"unknown map type \"%.40s\", did you mean \"%s\"?",
			asked, nearest);
	else
		mr_error_set(error, "unknown map type \"%.40s\", known are %s",
			asked == NULL ? "" : asked, known);
	free(asked);
	return -1;
}

static int parse_reference(const char *reference,
	const struct mr_map_type **type_r, const char **name_r,
	struct mr_error *error)
{
	size_t length = strcspn(reference, ":");

	if (reference[length] != ':')
		return mr_error_set(error, "a map is TYPE:NAME, for example "
					   "lmdb:/etc/postfix/virtual");
	for (size_t i = 0; i < N_TYPES; i++)
		if (strlen(types[i]->name) == length &&
			memcmp(types[i]->name, reference, length) == 0) {
			*type_r = types[i];
			*name_r = reference + length + 1;
			return types[i]->check(*name_r, error);
		}
	return refuse_type(reference, length, error);
}

int mr_map_check_path(const char *name, struct mr_error *error)
{
	if (name[0] != '/')
		return mr_error_set(
			error, "\"%.200s\" is not an absolute path", name);
	return 0;
}

int mr_map_check(const char *reference, struct mr_error *error)
{
	const struct mr_map_type *type;
	const char *name;

	return parse_reference(reference, &type, &name, error);
}

int mr_map_open_later(
	const char *reference, struct mr_map **map_r, struct mr_error *error)
{
	const struct mr_map_type *type;
	const char *name;
	struct mr_map *map;

	if (parse_reference(reference, &type, &name, error) < 0)
		return -1;
	map = mr_calloc(1, sizeof(*map));
	map->reference = mr_calloc(1, strlen(reference) + 1);
	strcpy(map->reference, reference);
	map->name = map->reference + (name - reference);
	map->type = type;
	map->next_try_ms = INT64_MIN;
	pthread_mutex_init(&map->lock, NULL);
	*map_r = map;
	return 0;
}

/* One thread opens; the others answer "not now" meanwhile. */
static int try_to_open(
	struct mr_map *map, int64_t now_ms, struct mr_error *error)
{
	void *state = NULL;
	int result;

	pthread_mutex_lock(&map->lock);
	if (map->opening || now_ms < map->next_try_ms) {
		mr_error_set(error, "%s",
			map->why_closed.text[0] == '\0' ? "is being opened"
							: map->why_closed.text);
		pthread_mutex_unlock(&map->lock);
		return -1;
	}
	map->opening = true;
	pthread_mutex_unlock(&map->lock);

	result = map->type->open(map->name, now_ms, &state, error);

	pthread_mutex_lock(&map->lock);
	map->opening = false;
	map->next_try_ms = now_ms + MR_MAP_LOOK_EVERY_MS;
	if (result == 0)
		atomic_store(&map->state, state);
	else
		map->why_closed = *error;
	pthread_mutex_unlock(&map->lock);
	return result;
}

static void name_the_map(const struct mr_map *map, struct mr_error *error)
{
	struct mr_error why = *error;

	mr_error_set(error, "%.200s: %s", map->reference, why.text);
}

int mr_map_open(
	const char *reference, struct mr_map **map_r, struct mr_error *error)
{
	struct mr_map *map;

	if (mr_map_open_later(reference, &map, error) < 0)
		return -1;
	if (try_to_open(map, mr_clock_ms(), error) < 0) {
		name_the_map(map, error);
		mr_map_free(&map);
		return -1;
	}
	*map_r = map;
	return 0;
}

void mr_map_free(struct mr_map **map)
{
	void *state;

	if (*map == NULL)
		return;
	state = atomic_load(&(*map)->state);
	if (state != NULL)
		(*map)->type->close(state);
	pthread_mutex_destroy(&(*map)->lock);
	free((*map)->reference);
	free(*map);
	*map = NULL;
}

const char *mr_map_reference(const struct mr_map *map)
{
	return map->reference;
}

bool mr_map_names_users(const struct mr_map *map)
{
	return map->type == &mr_map_userdb;
}

enum mr_lookup mr_map_get_at(struct mr_map *map, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	size_t length = strnlen(key, MR_MAP_KEY_LONGEST + 1);
	enum mr_lookup answer;
	void *state;

	if (length == 0 || length > MR_MAP_KEY_LONGEST)
		return MR_NOTFOUND;
	state = atomic_load(&map->state);
	if (state == NULL) {
		if (try_to_open(map, now_ms, error) < 0) {
			name_the_map(map, error);
			return MR_TEMPFAIL;
		}
		state = atomic_load(&map->state);
	}
	answer = map->type->get(
		state, arena, key, now_ms, deadline_ms, value_r, error);
	if (answer == MR_FOUND && strnlen(*value_r, MR_MAP_VALUE_LONGEST + 1) >
					  MR_MAP_VALUE_LONGEST) {
		mr_error_set(error, "the value of %.100s is too long", key);
		answer = MR_TEMPFAIL;
	}
	if (answer == MR_TEMPFAIL)
		name_the_map(map, error);
	return answer;
}

enum mr_lookup mr_map_get(struct mr_map *map, struct mr_arena *arena,
	const char *key, int64_t deadline_ms, const char **value_r,
	struct mr_error *error)
{
	return mr_map_get_at(
		map, arena, key, mr_clock_ms(), deadline_ms, value_r, error);
}
