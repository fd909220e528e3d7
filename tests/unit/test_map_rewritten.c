/* test_map_rewritten - a reader under constant rewriting sees old or new, never
 * half.  Each version of the table has the same keys, all with the version's
 * number for value; the real postmap(1) makes one after the other while threads
 * ask, with no pause and no cache in between. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/map_world.h"

#include <sqlite3.h>

enum { KEYS = 500, READERS = 4, VERSIONS = 12, FIRST = 1000 };
/* For what must be read in true time. */
enum { IN_PLACE_MS = 4000 };

struct reader {
	struct reading *reading;
	pthread_t thread;
	unsigned seed;
	long last; /* version that was seen */
	atomic_uint answers;
	unsigned unsure, wrong;
};

struct reading {
	struct mr_map *map;
	atomic_llong now; /* 0: true time */
	atomic_long made; /* the newest version */
	atomic_bool stop;
	struct reader readers[READERS];
};

static void judge(struct reader *reader, const char *key, const char *value)
{
	char *end;
	long version = strtol(value, &end, 10);

	if (*end == '\0' && version >= reader->last &&
		version <= atomic_load(&reader->reading->made))
		reader->last = version;
	else if (reader->wrong++ == 0)
		print_error("%s: \"%s\" after %ld\n", key, value, reader->last);
}

/* Each question is 11 s later than the one before: nothing is kept so long. */
static int64_t next_now(struct reading *reading)
{
	return atomic_load(&reading->now) == 0
	               ? mr_clock_ms()
	               : atomic_fetch_add(&reading->now, 11 * SECOND);
}

static void *read_on(void *argument)
{
	struct reader *reader = argument;
	struct reading *reading = reader->reading;

	while (!atomic_load(&reading->stop)) {
		struct mr_arena *arena = mr_arena_new(0);
		int64_t now = next_now(reading);
		struct mr_error error;
		const char *value;
		char key[16];

		snprintf(key, sizeof(key), "key%d",
			rand_r(&reader->seed) % KEYS);
		switch (mr_map_get_at(reading->map, arena, key, now,
			mr_clock_ms() + 30000, &value, &error)) {
		case MR_FOUND:
			judge(reader, key, value);
			break;
		case MR_NOTFOUND:
			judge(reader, key, "not found");
			break;
		case MR_TEMPFAIL:
			if (reader->unsure++ == 0)
				print_error("%s: %s\n", key, error.text);
			break;
		}
		atomic_fetch_add(&reader->answers, 1);
		mr_arena_free(&arena);
	}
	return NULL;
}

static char *table_text(struct world *w, int version)
{
	char *text = mr_arena_alloc(w->arena, KEYS * 32), *out = text;

	for (int i = 0; i < KEYS; i++)
		out += sprintf(out, "key%d %d\n", i, FIRST + version);
	return text;
}

static void make_with(struct world *w, const char *type, int version)
{
	postmap(w, type, "table", table_text(w, version));
}

static void make_lmdb(struct world *w, int version)
{
	make_with(w, "lmdb", version);
}

static void make_cdb(struct world *w, int version)
{
	make_with(w, "cdb", version);
}

static void make_hash(struct world *w, int version)
{
	make_with(w, "hash", version);
}

static void make_btree(struct world *w, int version)
{
	make_with(w, "btree", version);
}

static void make_text(struct world *w, int version)
{
	write_file(w, "table", table_text(w, version), 0);
}

/* As a careless editor does, in pieces that end in the middle of lines. */
static void make_text_in_place(struct world *w, int version)
{
	const struct timespec pause = { 0, 200 * 1000 };
	char *text = table_text(w, version);
	FILE *file = fopen(path_of(w, "table"), "w");

	for (size_t i = 1; *text != '\0'; text++, i++) {
		fputc(*text, file);
		if (i % 101 == 0) {
			fflush(file);
			nanosleep(&pause, NULL);
		}
	}
	fclose(file);
}

static void make_sqlite(struct world *w, int version)
{
	static const char cf[] = "dbpath = %s\nquery = SELECT value FROM t "
				 "WHERE key = '%%s'\n";
	char *sql = mr_arena_printf(w->arena,
		"BEGIN; CREATE TABLE IF NOT EXISTS t (key PRIMARY KEY, value); "
		"DELETE FROM t; WITH RECURSIVE c(x) AS (VALUES(0) UNION ALL "
		"SELECT x + 1 FROM c WHERE x < %d) INSERT INTO t SELECT 'key' "
		"|| x, %d FROM c; COMMIT",
		KEYS - 1, FIRST + version);
	sqlite3 *db;

	if (version == 0)
		write_file(w, "table",
			mr_arena_printf(w->arena, cf, path_of(w, "base")), 100);
	assert_int_equal(sqlite3_open(path_of(w, "base"), &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 60000);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static unsigned answers_of(const struct reading *reading)
{
	unsigned answers = 0;

	for (int i = 0; i < READERS; i++)
		answers += atomic_load(&reading->readers[i].answers);
	return answers;
}

static void start(struct world *w, struct reading *reading, const char *type)
{
	reading->map = open_map(w, type, path_of(w, "table"));
	for (int i = 0; i < READERS; i++) {
		reading->readers[i].reading = reading;
		reading->readers[i].seed = (unsigned)i;
		assert_int_equal(pthread_create(&reading->readers[i].thread,
					 NULL, read_on, &reading->readers[i]),
			0);
	}
}

/* Returns how many answers were "unsure"; none may be wrong, and in the end
 * the newest version is what is there. */
static unsigned finish(
	struct world *w, struct reading *reading, const char *type)
{
	unsigned wrong = 0, unsure = 0;

	atomic_store(&reading->stop, true);
	for (int i = 0; i < READERS; i++) {
		pthread_join(reading->readers[i].thread, NULL);
		wrong += reading->readers[i].wrong;
		unsure += reading->readers[i].unsure;
	}
	print_message("%s: %u answers, %u unsure, %u wrong\n", type,
		answers_of(reading), unsure, wrong);
	assert_int_equal(wrong, 0);
	w->now = next_now(reading) + 11 * SECOND;
	expect(w, reading->map, "key7",
		mr_arena_printf(w->arena, "%ld", atomic_load(&reading->made)));
	mr_map_free(&reading->map);
	return unsure;
}

static void make_next(struct world *w, struct reading *reading,
	void (*make)(struct world *w, int version), int version)
{
	atomic_store(&reading->made, FIRST + version);
	make(w, version);
}

/* `least`: answers between two versions, so that each has been read. */
static void run(struct world *w, const char *type,
	void (*make)(struct world *w, int version), unsigned least)
{
	struct reading reading = { 0 };

	make_next(w, &reading, make, 0);
	atomic_store(&reading.now, w->now);
	start(w, &reading, type);
	for (int version = 1; version < VERSIONS; version++) {
		unsigned before = answers_of(&reading);

		make_next(w, &reading, make, version);
		while (answers_of(&reading) < before + least)
			usleep(1000);
	}
	assert_int_equal(finish(w, &reading, type), 0);
}

static void test_lmdb(void **state)
{
	need_postmap("lmdb");
	run(*state, "lmdb", make_lmdb, 1000);
}

static void test_cdb(void **state)
{
	need_postmap("cdb");
	run(*state, "cdb", make_cdb, 1000);
}

static void test_hash(void **state)
{
	need_postmap("hash");
	run(*state, "hash", make_hash, 8);
}

static void test_btree(void **state)
{
	need_postmap("btree");
	run(*state, "btree", make_btree, 8);
}

static void test_sqlite(void **state)
{
	run(*state, "sqlite", make_sqlite, 200);
}

static void test_texthash(void **state)
{
	run(*state, "texthash", make_text, 1000);
}

/* Half of a file may be read then, and what is not in it is unsure, never
 * "no"; in true time, as this is about the file's age. */
static void test_texthash_in_place(void **state)
{
	int64_t end_ms = mr_clock_ms() + IN_PLACE_MS;
	struct reading reading = { 0 };
	struct world *w = *state;

	make_next(w, &reading, make_text_in_place, 0);
	start(w, &reading, "texthash");
	for (int version = 1; mr_clock_ms() < end_ms; version++)
		make_next(w, &reading, make_text_in_place, version);
	finish(w, &reading, "texthash");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_lmdb),
		TEST(test_cdb),
		TEST(test_hash),
		TEST(test_btree),
		TEST(test_sqlite),
		TEST(test_texthash),
		TEST(test_texthash_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
