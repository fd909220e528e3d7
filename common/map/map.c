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
#include <stdio.h>
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

/* Types of Postfix that are of no use here. */
static const struct {
	const char *type, *instead;
} useless[] = {
	{ "proxy", "give the table behind it: proxy:mysql:/x is mysql:/x" },
	{ "memcache", "give the table that it is a cache of" },
	{ "unionmap", "give its tables one by one" },
	{ "pipemap", "give a table that answers in one step" },
	{ "randmap", "its answers are drawn by lot" },
	{ "environ", "a daemon's environment is no table" },
	{ "internal", "it lives inside a process of Postfix" },
};

/* The names that belong to a type, the last one NULL. */
static const char *const *names_of(
	const struct mr_map_type *type, const char *own[2])
{
	own[0] = type->name;
	own[1] = NULL;
	return type->types == NULL ? own : type->types;
}

/* Calls `each` for all names until it says true. */
static const struct mr_map_type *look_through(
	bool (*each)(void *context, const char *name), void *context)
{
	const char *own[2];

	for (size_t i = 0; i < N_TYPES; i++)
		for (const char *const *name = names_of(types[i], own);
			*name != NULL; name++)
			if (each(context, *name))
				return types[i];
	return NULL;
}

static bool is_asked(void *context, const char *name)
{
	return strcmp(context, name) == 0;
}

/* For a message: all names in a row, and in an array for mr_text_nearest. */
struct known {
	char text[256];
	const char *names[64];
	size_t n;
};

static bool add_known(void *context, const char *name)
{
	struct known *known = context;
	size_t length = strlen(known->text);

	if (known->n + 1 < sizeof(known->names) / sizeof(known->names[0]))
		known->names[known->n++] = name;
	snprintf(known->text + length, sizeof(known->text) - length, "%s%s",
		length == 0 ? "" : ", ", name);
	return false;
}

static int refuse_type(const char *type, struct mr_error *error)
{
	struct known known = { "" };
	const char *nearest;

	for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++)
		if (strcmp(useless[i].type, type) == 0)
			return mr_error_set(error,
				"the map type %s is not supported: %s", type,
				useless[i].instead);
	look_through(add_known, &known);
	nearest = mr_text_nearest(type, known.names);
	if (nearest != NULL)
		return mr_error_set(error,
			"unknown map type \"%s\", did you mean \"%s\"?", type,
			nearest);
	return mr_error_set(error, "unknown map type \"%s\", known are %s",
		type, known.text);
}

static int parse_reference(const char *reference,
	const struct mr_map_type **type_r, const char **name_r,
	struct mr_error *error)
{
	size_t length = strcspn(reference, ":");
	char type[40];

	if (reference[length] != ':')
		return mr_error_set(error, "a map is TYPE:NAME, for example "
					   "lmdb:/etc/postfix/virtual");
	snprintf(type, sizeof(type), "%.*s",
		(int)(length < sizeof(type) ? length : sizeof(type) - 1),
		reference);
	*type_r = look_through(is_asked, type);
	if (*type_r == NULL)
		return refuse_type(type, error);
	*name_r = (*type_r)->types == NULL ? reference + length + 1 : reference;
	return (*type_r)->check == NULL ? 0 : (*type_r)->check(*name_r, error);
}

int mr_map_check_path(const char *name, struct mr_error *error)
{
	if (name[0] != '/')
		return mr_error_set(
			error, "\"%.200s\" is not an absolute path", name);
	return 0;
}

/* One thread opens; the others answer "not now" meanwhile. */
static int try_to_open(
	struct mr_map *map, int64_t now_ms, struct mr_error *error)
{
	void *state = NULL;
	int result;

	pthread_mutex_lock(&map->lock);
	if (atomic_load(&map->state) != NULL) {
		pthread_mutex_unlock(&map->lock);
		return 0;
	}
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

/* Opened now is only what is no more than its reference. */
int mr_map_open_later(
	const char *reference, struct mr_map **map_r, struct mr_error *error)
{
	const struct mr_map_type *type;
	void *state = NULL;
	const char *name;
	struct mr_map *map;

	if (parse_reference(reference, &type, &name, error) < 0 ||
		(type->check == NULL && type->open(name, 0, &state, error) < 0))
		return -1;
	map = mr_calloc(1, sizeof(*map));
	map->reference = mr_calloc(1, strlen(reference) + 1);
	strcpy(map->reference, reference);
	map->name = map->reference + (name - reference);
	map->type = type;
	map->state = state;
	map->next_try_ms = INT64_MIN;
	pthread_mutex_init(&map->lock, NULL);
	*map_r = map;
	return 0;
}

int mr_map_check(const char *reference, struct mr_error *error)
{
	struct mr_map *map = NULL;
	int result = mr_map_open_later(reference, &map, error);

	mr_map_free(&map);
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

bool mr_map_wants_whole(const struct mr_map *map)
{
	return map->type->wants_whole != NULL &&
	       map->type->wants_whole(map->name);
}

/* NULL: not open, and cannot be opened now. */
static void *state_of(
	struct mr_map *map, int64_t now_ms, struct mr_error *error)
{
	void *state = atomic_load(&map->state);

	if (state == NULL && try_to_open(map, now_ms, error) == 0)
		state = atomic_load(&map->state);
	if (state == NULL)
		name_the_map(map, error);
	return state;
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
	state = state_of(map, now_ms, error);
	if (state == NULL)
		return MR_TEMPFAIL;
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

bool mr_map_can_list(const char *reference)
{
	const struct mr_map_type *type;
	struct mr_error ignored;
	const char *name;

	return parse_reference(reference, &type, &name, &ignored) == 0 &&
	       type->list != NULL;
}

int mr_map_list(struct mr_map *map, int64_t deadline_ms,
	const struct mr_map_listener *listener, struct mr_error *error)
{
	int64_t now_ms = mr_clock_ms();
	int result;
	void *state;

	if (map->type->list == NULL) {
		mr_error_set(error, "its keys cannot be listed");
		name_the_map(map, error);
		return -1;
	}
	state = state_of(map, now_ms, error);
	if (state == NULL)
		return -1;
	result = map->type->list(state, now_ms, deadline_ms, listener, error);
	if (result < 0)
		name_the_map(map, error);
	return result;
}
