/* cdb - Postfix's cdb tables.  postmap(1) writes a new file and renames it; a
 * file that is not whole never takes the place of one that was.  The only file
 * that includes <cdb.h>. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/map/cdb_table.h"
#include "common/map/type.h"
#include "common/map/watched.h"

#include <cdb.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* 256 pairs of position and number of slots; a slot or the head of a record
 * are such pairs, too. */
enum { TABLES = 256, PAIR = 8, DATA = TABLES * PAIR };

struct mr_cdb_table {
	struct cdb cdb;
	atomic_uint holders;
	size_t count;
};

struct pair {
	unsigned first, second;
};

static int pair_at(const struct cdb *cdb, unsigned position, struct pair *pair)
{
	const unsigned char *octets = cdb_get(cdb, PAIR, position);

	if (octets == NULL)
		return -1;
	pair->first = cdb_unpack(octets);
	pair->second = cdb_unpack(octets + 4);
	return 0;
}

/* Records fill the space from DATA to `end` without a gap. */
static int walk_records(const struct cdb *cdb, unsigned end, size_t *count_r)
{
	unsigned at = DATA;
	struct pair lengths;

	for (*count_r = 0; at < end; ++*count_r) {
		if (end - at < PAIR || pair_at(cdb, at, &lengths) < 0)
			return -1;
		at += PAIR;
		if (lengths.first > end - at ||
			lengths.second > end - at - lengths.first)
			return -1;
		at += lengths.first + lengths.second;
	}
	return 0;
}

static int check_slots(const struct cdb *cdb, struct pair table, unsigned end)
{
	struct pair slot;

	for (unsigned i = 0; i < table.second; i++)
		if (pair_at(cdb, table.first + i * PAIR, &slot) < 0 ||
			(slot.second != 0 && (slot.second < DATA ||
						     slot.second > end - PAIR)))
			return -1;
	return 0;
}

/* The library looks where it steps, but finds only where it steps: this finds
 * files that are cut short or half written over, before they are asked. */
static int check_whole(const struct cdb *cdb, size_t size, size_t *count_r)
{
	struct pair table, first;
	size_t at;

	if (size < DATA || pair_at(cdb, 0, &first) < 0 || first.first < DATA)
		return -1;
	at = first.first;
	for (unsigned i = 0; i < TABLES; i++) {
		if (pair_at(cdb, i * PAIR, &table) < 0 || table.first != at ||
			at > size || table.second > (size - at) / PAIR ||
			check_slots(cdb, table, first.first) < 0)
			return -1;
		at += (size_t)table.second * PAIR;
	}
	if (at != size)
		return -1;
	return walk_records(cdb, first.first, count_r);
}

/* A private copy: nobody can cut that short. */
static int copy(int fd, size_t size, struct mr_error *error)
{
	int own = memfd_create("cdb", MFD_CLOEXEC);
	ssize_t got = 1;

	for (size_t left = size; own >= 0 && left > 0 && got > 0;
		left -= (size_t)got)
		do
			got = sendfile(own, fd, NULL, left);
		while (got < 0 && errno == EINTR);
	if (own >= 0 && got > 0)
		return own;
	mr_error_set(error, "%s",
		own >= 0 && got == 0 ? "was cut short" : strerror(errno));
	if (own >= 0)
		close(own);
	return -1;
}

struct mr_cdb_table *mr_cdb_read(int fd, size_t size, struct mr_error *error)
{
	struct mr_cdb_table *table;
	int own = copy(fd, size, error);

	if (own < 0)
		return NULL;
	table = mr_calloc(1, sizeof(*table));
	if (cdb_init(&table->cdb, own) < 0) {
		mr_error_set(error, "is not a cdb file");
		free(table);
		table = NULL;
	} else if (check_whole(&table->cdb, size, &table->count) < 0) {
		mr_error_set(error, "is not a whole cdb file");
		cdb_free(&table->cdb);
		free(table);
		table = NULL;
	} else {
		atomic_init(&table->holders, 1);
	}
	close(own); /* the library has mapped it */
	return table;
}

struct mr_cdb_table *mr_cdb_hold(struct mr_cdb_table *table)
{
	atomic_fetch_add(&table->holders, 1);
	return table;
}

void mr_cdb_release(struct mr_cdb_table *table)
{
	if (atomic_fetch_sub(&table->holders, 1) > 1)
		return;
	cdb_free(&table->cdb);
	free(table);
}

size_t mr_cdb_count(const struct mr_cdb_table *table)
{
	return table->count;
}

/* postmap(1) writes no NUL behind keys and values, other tools may. */
enum mr_lookup mr_cdb_get(const struct mr_cdb_table *table,
	struct mr_arena *arena, const char *key, const char **value_r,
	struct mr_error *error)
{
	struct cdb cdb = table->cdb; /* what is found is noted in it */
	unsigned length = (unsigned)strlen(key);
	int found = cdb_find(&cdb, key, length);
	const char *value;

	if (found == 0)
		found = cdb_find(&cdb, key, length + 1);
	if (found == 0)
		return MR_NOTFOUND;
	value = found < 0 ? NULL : cdb_getdata(&cdb);
	if (value == NULL) {
		mr_error_set(error, "is damaged; run postmap again");
		return MR_TEMPFAIL;
	}
	*value_r = mr_arena_strndup(
		arena, value, strnlen(value, cdb_datalen(&cdb)));
	return MR_FOUND;
}

static void *read_table(const char *path, int fd, size_t size, bool fresh,
	struct mr_error *error)
{
	(void)path;
	(void)fresh;
	return mr_cdb_read(fd, size, error);
}

static void *hold(void *table)
{
	return mr_cdb_hold(table);
}

static void release(void *table)
{
	mr_cdb_release(table);
}

static size_t count(const void *table)
{
	return mr_cdb_count(table);
}

static enum mr_lookup get(void *table, struct mr_arena *arena, const char *key,
	const char **value_r, struct mr_error *error)
{
	return mr_cdb_get(table, arena, key, value_r, error);
}

static const struct mr_watched_kind kind = {
	.type = "cdb",
	.suffix = ".cdb",
	.appears_whole = true,
	.read = read_table,
	.hold = hold,
	.release = release,
	.count = count,
	.get = get,
};

static int cdb_open(const char *name, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	return mr_watched_open(&kind, name, now_ms, state_r, error);
}

const struct mr_map_type mr_map_cdb = {
	.name = "cdb",
	.check = mr_map_check_path,
	.open = cdb_open,
	.close = mr_watched_close,
	.get = mr_watched_get,
};
