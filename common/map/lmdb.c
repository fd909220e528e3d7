/* lmdb - Postfix's lmdb tables, mapped into memory, never read as a whole.
 *
 * postmap(1) rewrites the file in place, other tools put a new one in its
 * place: then it is opened anew, and closed behind its last reader. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/base/clock.h"
#include "common/map/lmdb_file.h"
#include "common/map/type.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Idle readers that are kept; more are made and thrown away. */
enum { IDLE_READERS = 64 };
/* How long opening waits for a program that writes. */
enum { OPEN_WAIT_MS = 1000 };

/* An opened file, shared by those who ask it. */
struct shared {
	struct mr_lmdb_file *file;
	unsigned holders;
	struct mr_lmdb_reader *idle;
	unsigned n_idle;
};

struct lmdb {
	char *path;
	pthread_mutex_t replacing; /* taken first; guards `gone` */
	bool gone;
	pthread_mutex_t lock; /* guards what follows and what it points to */
	struct shared *current;
	int64_t next_look_ms;
};

static struct shared *share(struct mr_lmdb_file *file)
{
	struct shared *shared = mr_calloc(1, sizeof(*shared));

	shared->file = file;
	shared->holders = 1;
	return shared;
}

static void free_shared(struct shared *shared)
{
	while (shared->idle != NULL) {
		struct mr_lmdb_reader *reader = shared->idle;

		shared->idle = reader->next;
		mr_lmdb_reader_free(&reader);
	}
	mr_lmdb_file_free(&shared->file);
	free(shared);
}

static void lmdb_close(void *state)
{
	struct lmdb *map = state;

	free_shared(map->current);
	pthread_mutex_destroy(&map->lock);
	pthread_mutex_destroy(&map->replacing);
	free(map->path);
	free(map);
}

static int lmdb_open(const char *name, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	size_t length = strlen(name);
	char *path = mr_calloc(1, length + sizeof(".lmdb"));
	struct mr_lmdb_file *file;
	struct lmdb *map;

	memcpy(path, name, length);
	memcpy(path + length, ".lmdb", sizeof(".lmdb"));
	file = mr_lmdb_file_open(path, mr_clock_ms() + OPEN_WAIT_MS, error);
	if (file == NULL) {
		free(path);
		return -1;
	}
	map = mr_calloc(1, sizeof(*map));
	map->path = path;
	map->current = share(file);
	map->next_look_ms = now_ms + MR_MAP_LOOK_EVERY_MS;
	pthread_mutex_init(&map->lock, NULL);
	pthread_mutex_init(&map->replacing, NULL);
	*state_r = map;
	return 0;
}

static struct shared *hold(struct lmdb *map)
{
	struct shared *shared;

	pthread_mutex_lock(&map->lock);
	shared = map->current;
	shared->holders++;
	pthread_mutex_unlock(&map->lock);
	return shared;
}

static void release(struct lmdb *map, struct shared *shared)
{
	bool last;

	pthread_mutex_lock(&map->lock);
	last = --shared->holders == 0;
	pthread_mutex_unlock(&map->lock);
	if (last)
		free_shared(shared);
}

static void note_gone(struct lmdb *map, const char *why)
{
	if (why != NULL && !map->gone)
		mr_log(MR_LOG_WARNING,
			"map=lmdb:%s: %s; keeping what was opened before; run "
			"postmap again",
			map->path, why);
	else if (why == NULL && map->gone)
		mr_log(MR_LOG_INFO, "map=lmdb:%s: is back", map->path);
	map->gone = why != NULL;
}

/* Opens the file that has the name now; if that fails, the old one stays.
 * Under `replacing`. */
static void replace(struct lmdb *map, int64_t deadline_ms)
{
	struct mr_error error;
	struct mr_lmdb_file *file =
		mr_lmdb_file_open(map->path, deadline_ms, &error);
	struct shared *fresh, *old;

	note_gone(map, file == NULL ? error.text : NULL);
	if (file == NULL)
		return;
	fresh = share(file);
	pthread_mutex_lock(&map->lock);
	old = map->current;
	map->current = fresh;
	pthread_mutex_unlock(&map->lock);
	release(map, old);
}

static void look_at_file(struct lmdb *map)
{
	struct stat st;

	if (stat(map->path, &st) < 0)
		note_gone(map, strerror(errno));
	else if (!mr_lmdb_file_is(map->current->file, &st))
		replace(map, mr_clock_ms());
	else
		note_gone(map, NULL);
}

static void look_if_due(struct lmdb *map, int64_t now_ms)
{
	bool due;

	pthread_mutex_lock(&map->lock);
	due = now_ms >= map->next_look_ms;
	if (due)
		map->next_look_ms = now_ms + MR_MAP_LOOK_EVERY_MS;
	pthread_mutex_unlock(&map->lock);
	if (!due || pthread_mutex_trylock(&map->replacing) != 0)
		return;
	look_at_file(map);
	pthread_mutex_unlock(&map->replacing);
}

/* Those who found the same table outgrown wait for the first of them. */
static void replace_outgrown(
	struct lmdb *map, const struct shared *outgrown, int64_t deadline_ms)
{
	int64_t soon = mr_clock_ms() + OPEN_WAIT_MS;

	pthread_mutex_lock(&map->replacing);
	if (map->current == outgrown)
		replace(map, deadline_ms < soon ? deadline_ms : soon);
	pthread_mutex_unlock(&map->replacing);
}

static struct mr_lmdb_reader *borrow_reader(
	struct lmdb *map, struct shared *shared, struct mr_error *error)
{
	struct mr_lmdb_reader *reader;

	pthread_mutex_lock(&map->lock);
	reader = shared->idle;
	if (reader != NULL) {
		shared->idle = reader->next;
		shared->n_idle--;
	}
	pthread_mutex_unlock(&map->lock);
	if (reader != NULL)
		return reader;
	return mr_lmdb_reader_new(shared->file, map->path, error);
}

static void return_reader(
	struct lmdb *map, struct shared *shared, struct mr_lmdb_reader *reader)
{
	pthread_mutex_lock(&map->lock);
	if (shared->n_idle < IDLE_READERS) {
		reader->next = shared->idle;
		shared->idle = reader;
		shared->n_idle++;
		reader = NULL;
	}
	pthread_mutex_unlock(&map->lock);
	mr_lmdb_reader_free(&reader);
}

static enum mr_lookup ask(struct lmdb *map, struct shared *shared,
	struct mr_arena *arena, const char *key, int64_t deadline_ms,
	const char **value_r, bool *outgrown_r, struct mr_error *error)
{
	struct mr_lmdb_reader *reader = borrow_reader(map, shared, error);
	enum mr_lookup answer;
	bool usable;

	/* The name stands for another file: that is outgrown, too. */
	*outgrown_r = reader == NULL;
	if (reader == NULL)
		return MR_TEMPFAIL;
	answer = mr_lmdb_file_get(shared->file, reader, arena, key, deadline_ms,
		value_r, &usable, outgrown_r, error);
	if (usable)
		return_reader(map, shared, reader);
	else
		mr_lmdb_reader_free(&reader);
	return answer;
}

static enum mr_lookup lmdb_get(void *state, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	struct lmdb *map = state;
	struct shared *shared;
	enum mr_lookup answer;
	bool outgrown;

	look_if_due(map, now_ms);
	shared = hold(map);
	answer = ask(map, shared, arena, key, deadline_ms, value_r, &outgrown,
		error);
	if (outgrown) {
		replace_outgrown(map, shared, deadline_ms);
		release(map, shared);
		shared = hold(map);
		answer = ask(map, shared, arena, key, deadline_ms, value_r,
			&outgrown, error);
	}
	release(map, shared);
	return answer;
}

const struct mr_map_type mr_map_lmdb = {
	.name = "lmdb",
	.check = mr_map_check_path,
	.open = lmdb_open,
	.close = lmdb_close,
	.get = lmdb_get,
};
