/* texthash - Postfix's table text, read into memory and again when it changes.
 *
 * Readers hold the table they began with; one of them at a time looks at the
 * file.  Whatever is wrong with the file, a table that was good stays: a
 * half-written list of mailboxes must not bounce mail. */
/* SPDX-License-Identifier: ISC */
#include "common/map/texthash.h"
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/map/table.h"
#include "common/map/type.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const off_t LARGEST_FILE = 256 * 1024 * 1024;

/* An editor may be in the middle of saving: "no such key" is unsure so long. */
enum { FRESH_MS = 5000 };
/* Two changes within one tick of the file system's clock look like one: what
 * was read while younger than this is read once more, as Postfix does. */
enum { HOT_MS = 2000 };
enum { REMIND_MS = 60 * 1000 };

/* What tells one state of a file from the next. */
struct mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct texthash {
	char *path;
	pthread_mutex_t lock; /* guards what follows; never held over I/O */
	struct mr_table *table;
	struct mr_table *refused; /* what the file says since it shrank */
	bool gone;                /* the file cannot be read now */
	bool looking;             /* a thread is at the file; what follows
	                             belongs to it alone */
	int64_t next_look_ms, fresh_until_ms, next_reminder_ms;
	struct mark mark;
	bool hot;
};

/* One reading of the file. */
struct reading {
	struct mr_table *table;
	struct mark mark;
	int64_t age_ms;
};

static struct mark mark_of(const struct stat *st)
{
	return (struct mark){ st->st_dev, st->st_ino, st->st_size, st->st_mtim,
		st->st_ctim };
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_mark(const struct mark *a, const struct mark *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && same_time(a->modified, b->modified) &&
	       same_time(a->changed, b->changed);
}

/* 0 for a time in the future: a wrong clock makes us careful, for a while. */
static int64_t age_ms(struct timespec modified)
{
	struct timespec now;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = now.tv_sec - modified.tv_sec;
	if (age < 0)
		return 0;
	if (age > FRESH_MS)
		return FRESH_MS;
	age = age * 1000 + (now.tv_nsec - modified.tv_nsec) / 1000000;
	return age < 0 ? 0 : age;
}

static int read_all(int fd, char *text, size_t size, size_t *length_r)
{
	size_t length = 0;
	ssize_t got;

	while (length < size) {
		got = read(fd, text + length, size - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	*length_r = length;
	return 0;
}

static int read_file(const char *path, int fd, struct reading *reading,
	struct mr_error *error)
{
	size_t length, ignored, first_line;
	struct stat st;
	char *text;

	if (fstat(fd, &st) < 0)
		return mr_error_set(error, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return mr_error_set(error, "is not a regular file");
	if (st.st_size > LARGEST_FILE)
		return mr_error_set(error,
			"is larger than 256 MB; build an lmdb table instead");
	reading->mark = mark_of(&st);
	reading->age_ms = age_ms(st.st_mtim);
	text = mr_calloc(1, (size_t)st.st_size + 1);
	if (read_all(fd, text, (size_t)st.st_size, &length) < 0) {
		mr_error_set(error, "%s", strerror(errno));
		free(text);
		return -1;
	}
	reading->table = mr_table_new(text);
	ignored = mr_texthash_parse(reading->table, text, length, &first_line);
	if (ignored > 0)
		mr_log(MR_LOG_WARNING,
			"map=texthash:%s ignored_lines=%zu first=%zu: expected "
			"\"key value\", each key once; correct these lines",
			path, ignored, first_line);
	return 0;
}

static int load(
	const char *path, struct reading *reading, struct mr_error *error)
{
	/* Not for ever on a FIFO, should someone put one there. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int result;

	if (fd < 0)
		return mr_error_set(error, "%s", strerror(errno));
	result = read_file(path, fd, reading, error);
	close(fd);
	return result;
}

static void texthash_close(void *state)
{
	struct texthash *map = state;

	mr_table_release(&map->table);
	mr_table_release(&map->refused);
	pthread_mutex_destroy(&map->lock);
	free(map->path);
	free(map);
}

static void note_reading(
	struct texthash *map, const struct reading *reading, int64_t now_ms)
{
	if (!same_mark(&map->mark, &reading->mark))
		map->fresh_until_ms = now_ms + FRESH_MS - reading->age_ms;
	map->mark = reading->mark;
	map->hot = reading->age_ms < HOT_MS;
}

static int texthash_open(const char *name, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	struct reading reading = { 0 };
	struct texthash *map;

	if (load(name, &reading, error) < 0)
		return -1;
	map = mr_calloc(1, sizeof(*map));
	map->path = mr_calloc(1, strlen(name) + 1);
	strcpy(map->path, name);
	pthread_mutex_init(&map->lock, NULL);
	map->table = reading.table;
	map->next_look_ms = now_ms + MR_MAP_LOOK_EVERY_MS;
	note_reading(map, &reading, now_ms);
	*state_r = map;
	return 0;
}

static bool shrank(size_t before, size_t after)
{
	return after < before - before / 2;
}

static void warn_of_shrinking(
	struct texthash *map, size_t after, int64_t now_ms)
{
	map->next_reminder_ms = now_ms + REMIND_MS;
	mr_log(MR_LOG_WARNING,
		"map=texthash:%s entries=%zu before=%zu: lost more than half "
		"of its entries, the old ones still count; complete the file, "
		"or reload to accept it as it is",
		map->path, after, mr_table_count(map->table));
}

/* Takes the reading's table in, one way or the other.  Only the looking thread
 * replaces tables, so it may read the pointers without the lock. */
static void take_in(
	struct texthash *map, struct reading *reading, int64_t now_ms)
{
	size_t after = mr_table_count(reading->table);
	bool refuse = shrank(mr_table_count(map->table), after);
	struct mr_table *old;

	if (refuse &&
		(map->refused == NULL || mr_table_count(map->refused) != after))
		warn_of_shrinking(map, after, now_ms);
	if (!refuse && (map->gone || map->refused != NULL))
		mr_log(MR_LOG_INFO, "map=texthash:%s entries=%zu: read again",
			map->path, after);
	pthread_mutex_lock(&map->lock);
	old = refuse ? map->refused : map->table;
	if (refuse) {
		map->refused = reading->table;
	} else {
		map->table = reading->table;
		mr_table_release(&map->refused);
	}
	map->gone = false;
	note_reading(map, reading, now_ms);
	pthread_mutex_unlock(&map->lock);
	mr_table_release(&old);
}

static void keep_old(struct texthash *map, const char *why)
{
	if (!map->gone)
		mr_log(MR_LOG_WARNING,
			"map=texthash:%s: %s; the entries read before still "
			"count, others are unsure; restore the file",
			map->path, why);
	pthread_mutex_lock(&map->lock);
	map->gone = true;
	pthread_mutex_unlock(&map->lock);
}

static void look_at_file(struct texthash *map, int64_t now_ms)
{
	struct reading reading = { 0 };
	struct mr_error error;
	struct mark mark;
	struct stat st;

	if (stat(map->path, &st) < 0) {
		keep_old(map, strerror(errno));
		return;
	}
	mark = mark_of(&st);
	if (map->gone || map->hot || !same_mark(&mark, &map->mark)) {
		if (load(map->path, &reading, &error) < 0)
			keep_old(map, error.text);
		else
			take_in(map, &reading, now_ms);
	}
	if (map->refused != NULL && now_ms >= map->next_reminder_ms)
		warn_of_shrinking(map, mr_table_count(map->refused), now_ms);
}

static void look_if_due(struct texthash *map, int64_t now_ms)
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

static enum mr_lookup texthash_get(void *state, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	struct texthash *map = state;
	struct mr_table *table, *refused;
	const char *value;
	bool gone, fresh;

	(void)deadline_ms;
	look_if_due(map, now_ms);
	pthread_mutex_lock(&map->lock);
	table = mr_table_hold(map->table);
	refused = map->refused == NULL ? NULL : mr_table_hold(map->refused);
	gone = map->gone;
	fresh = now_ms < map->fresh_until_ms;
	pthread_mutex_unlock(&map->lock);

	/* A key is gone for good only if both lack it: an address that is new
	 * in a file that shrank must not bounce either. */
	value = mr_table_get(table, key);
	if (value == NULL && refused != NULL)
		value = mr_table_get(refused, key);
	if (value != NULL)
		*value_r = mr_arena_strdup(arena, value);
	mr_table_release(&table);
	mr_table_release(&refused);
	if (value != NULL)
		return MR_FOUND;
	if (gone)
		mr_error_set(error, "cannot be read now");
	else if (fresh)
		mr_error_set(error, "changed less than 5 s ago");
	return gone || fresh ? MR_TEMPFAIL : MR_NOTFOUND;
}

const struct mr_map_type mr_map_texthash = {
	.name = "texthash",
	.check = mr_map_check_path,
	.open = texthash_open,
	.close = texthash_close,
	.get = texthash_get,
};
