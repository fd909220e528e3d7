/* watched - see watched.h. */
/* SPDX-License-Identifier: ISC */
#include "common/map/watched.h"
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/map/mark.h"
#include "common/map/type.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const off_t LARGEST_FILE = 256 * 1024 * 1024;

/* Two changes within one tick of the file system's clock look like one: what
 * was read while younger than this is read once more, as Postfix does. */
enum { HOT_MS = 2000 };
enum { REMIND_MS = 60 * 1000 };

struct mr_watched {
	const struct mr_watched_kind *kind;
	char *path;
	pthread_mutex_t lock; /* guards what follows; never held over I/O */
	void *table;
	void *refused; /* what the file says since it shrank */
	bool gone;     /* the file cannot be read now */
	bool looking;  /* a thread is at the file; what follows
	                  belongs to it alone */
	int64_t next_look_ms, fresh_until_ms, next_reminder_ms;
	struct mr_mark mark;
	bool hot;
};

/* One reading of the file. */
struct reading {
	void *table;
	struct mr_mark mark;
	int64_t age_ms;
};

static int read_file(const struct mr_watched_kind *kind, const char *path,
	int fd, struct reading *reading, struct mr_error *error)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return mr_error_set(error, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return mr_error_set(error, "is not a regular file");
	if (st.st_size > LARGEST_FILE)
		return mr_error_set(error,
			"is larger than 256 MB; build an lmdb table instead");
	reading->mark = mr_mark_of(&st);
	reading->age_ms = mr_mark_age_ms(&reading->mark);
	reading->table = kind->read(path, fd, (size_t)st.st_size,
		reading->age_ms < MR_MARK_FRESH_MS, error);
	return reading->table == NULL ? -1 : 0;
}

static int load(const struct mr_watched_kind *kind, const char *path,
	struct reading *reading, struct mr_error *error)
{
	/* Not for ever on a FIFO, should someone put one there. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int result;

	if (fd < 0)
		return mr_error_set(error, "%s", strerror(errno));
	result = read_file(kind, path, fd, reading, error);
	close(fd);
	return result;
}

static void release(const struct mr_watched *map, void *table)
{
	if (table != NULL)
		map->kind->release(table);
}

void mr_watched_close(void *watched)
{
	struct mr_watched *map = watched;

	release(map, map->table);
	release(map, map->refused);
	pthread_mutex_destroy(&map->lock);
	free(map->path);
	free(map);
}

static bool may_be_half(
	const struct mr_watched *map, const struct reading *reading)
{
	return !map->kind->appears_whole ||
	       map->kind->count(reading->table) == 0;
}

static void note_reading(
	struct mr_watched *map, const struct reading *reading, int64_t now_ms)
{
	if (!mr_mark_same(&map->mark, &reading->mark))
		map->fresh_until_ms =
			may_be_half(map, reading)
				? now_ms + MR_MARK_FRESH_MS - reading->age_ms
				: now_ms;
	map->mark = reading->mark;
	map->hot = reading->age_ms < HOT_MS;
}

int mr_watched_open(const struct mr_watched_kind *kind, const char *name,
	int64_t now_ms, void **watched_r, struct mr_error *error)
{
	size_t size = strlen(name) + strlen(kind->suffix) + 1;
	char *path = mr_calloc(1, size);
	struct reading reading = { 0 };
	struct mr_watched *map;

	snprintf(path, size, "%s%s", name, kind->suffix);
	if (load(kind, path, &reading, error) < 0) {
		free(path);
		return -1;
	}
	map = mr_calloc(1, sizeof(*map));
	map->kind = kind;
	map->path = path;
	pthread_mutex_init(&map->lock, NULL);
	map->table = reading.table;
	map->next_look_ms = now_ms + MR_MAP_LOOK_EVERY_MS;
	note_reading(map, &reading, now_ms);
	*watched_r = map;
	return 0;
}

static bool shrank(size_t before, size_t after)
{
	return after < before - before / 2;
}

static void warn_of_shrinking(
	struct mr_watched *map, size_t after, int64_t now_ms)
{
	map->next_reminder_ms = now_ms + REMIND_MS;
	mr_log(MR_LOG_WARNING,
		"map=%s:%s entries=%zu before=%zu: lost more than half "
		"of its entries, the old ones still count; complete the file, "
		"or reload to accept it as it is",
		map->kind->type, map->path, after,
		map->kind->count(map->table));
}

/* Takes the reading's table in, one way or the other.  Only the looking thread
 * replaces tables, so it may read the pointers without the lock. */
static void take_in(
	struct mr_watched *map, struct reading *reading, int64_t now_ms)
{
	size_t after = map->kind->count(reading->table);
	bool refuse = shrank(map->kind->count(map->table), after);
	void *old, *outdated = NULL;

	if (refuse && (map->refused == NULL ||
			      map->kind->count(map->refused) != after))
		warn_of_shrinking(map, after, now_ms);
	if (!refuse && (map->gone || map->refused != NULL))
		mr_log(MR_LOG_INFO, "map=%s:%s entries=%zu: read again",
			map->kind->type, map->path, after);
	pthread_mutex_lock(&map->lock);
	old = refuse ? map->refused : map->table;
	if (refuse) {
		map->refused = reading->table;
	} else {
		map->table = reading->table;
		outdated = map->refused;
		map->refused = NULL;
	}
	map->gone = false;
	note_reading(map, reading, now_ms);
	pthread_mutex_unlock(&map->lock);
	release(map, old);
	release(map, outdated);
}

static void keep_old(struct mr_watched *map, const char *why)
{
	if (!map->gone)
		mr_log(MR_LOG_WARNING,
			"map=%s:%s: %s; the entries read before still "
			"count, others are unsure; restore the file",
			map->kind->type, map->path, why);
	pthread_mutex_lock(&map->lock);
	map->gone = true;
	pthread_mutex_unlock(&map->lock);
}

static void look_at_file(struct mr_watched *map, int64_t now_ms)
{
	struct reading reading = { 0 };
	struct mr_error error;
	struct mr_mark mark;
	struct stat st;

	if (stat(map->path, &st) < 0) {
		keep_old(map, strerror(errno));
		return;
	}
	mark = mr_mark_of(&st);
	if (map->gone || map->hot || !mr_mark_same(&mark, &map->mark)) {
		if (load(map->kind, map->path, &reading, &error) < 0)
			keep_old(map, error.text);
		else
			take_in(map, &reading, now_ms);
	}
	if (map->refused != NULL && now_ms >= map->next_reminder_ms)
		warn_of_shrinking(map, map->kind->count(map->refused), now_ms);
}

static void look_if_due(struct mr_watched *map, int64_t now_ms)
{
	bool mine;

	pthread_mutex_lock(&map->lock);
	mine = !map->looking && now_ms >= map->next_look_ms;
	if (mine) {
		map->looking = true;
		map->next_look_ms = now_ms + MR_MAP_LOOK_EVERY_MS;
	}
	pthread_mutex_unlock(&map->lock);
	if (!mine)
		return;
	look_at_file(map, now_ms);
	pthread_mutex_lock(&map->lock);
	map->looking = false;
	pthread_mutex_unlock(&map->lock);
}

/* A key is gone for good only if both lack it: an address that is new in a
 * file that shrank must not bounce either. */
static enum mr_lookup ask(const struct mr_watched *map, void *table,
	void *refused, struct mr_arena *arena, const char *key,
	const char **value_r, struct mr_error *error)
{
	enum mr_lookup answer =
		map->kind->get(table, arena, key, value_r, error);

	if (answer == MR_NOTFOUND && refused != NULL)
		answer = map->kind->get(refused, arena, key, value_r, error);
	return answer;
}

/* What counts at a moment; to be released. */
struct held {
	void *table, *refused; /* refused: NULL, mostly */
	const char *unsure;    /* why a key that is not there may be, or NULL */
};

static struct held hold_tables(struct mr_watched *map, int64_t now_ms)
{
	struct held held = { 0 };

	look_if_due(map, now_ms);
	pthread_mutex_lock(&map->lock);
	held.table = map->kind->hold(map->table);
	if (map->refused != NULL)
		held.refused = map->kind->hold(map->refused);
	if (map->gone)
		held.unsure = "cannot be read now";
	else if (now_ms < map->fresh_until_ms)
		held.unsure = "changed less than 5 s ago";
	pthread_mutex_unlock(&map->lock);
	return held;
}

enum mr_lookup mr_watched_get(void *watched, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	struct mr_watched *map = watched;
	struct held held = hold_tables(map, now_ms);
	enum mr_lookup answer =
		ask(map, held.table, held.refused, arena, key, value_r, error);

	(void)deadline_ms;
	release(map, held.table);
	release(map, held.refused);
	if (answer != MR_NOTFOUND || held.unsure == NULL)
		return answer;
	mr_error_set(error, "%s", held.unsure);
	return MR_TEMPFAIL;
}

int mr_watched_list(void *watched, int64_t now_ms, int64_t deadline_ms,
	const struct mr_map_listener *listener, struct mr_error *error)
{
	struct mr_watched *map = watched;
	struct held held = hold_tables(map, now_ms);

	(void)deadline_ms;
	if (held.unsure != NULL)
		mr_error_set(error, "%s", held.unsure);
	else if (map->kind->list(held.table, listener) && held.refused != NULL)
		map->kind->list(held.refused, listener);
	release(map, held.table);
	release(map, held.refused);
	return held.unsure == NULL ? 0 : -1;
}
