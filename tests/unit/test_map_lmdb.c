/* test_map_lmdb - tables that postmap(1) rewrites, replaces and locks while we
 * read them. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/map_world.h"

#include <lmdb.h>
#include <sys/wait.h>

static void test_lmdb(void **state)
{
	struct world *w = *state;
	struct mr_map *map;
	char *long_key;

	need_postmap("lmdb");
	postmap(w, "lmdb", "table", "Key@Example.ORG value, with more\nb 2\n");
	map = open_map(w, "lmdb", path_of(w, "table"));
	expect(w, map, "key@example.org", "value, with more");
	expect(w, map, "b", "2");
	expect(w, map, "c", "-");
	expect(w, map, "", "-");
	long_key = mr_arena_alloc(w->arena, MR_MAP_KEY_LONGEST + 1);
	memset(long_key, 'x', MR_MAP_KEY_LONGEST);
	expect(w, map, long_key, "-"); /* more than LMDB's 511 */
	postmap(w, "lmdb", "table", "b 3\nc 3\n");
	expect(w, map, "b", "3"); /* in place, so at once */
	expect(w, map, "c", "3");
	expect(w, map, "key@example.org", "-");
	mr_map_free(&map);
}

static void test_lmdb_replaced(void **state)
{
	struct world *w = *state;
	struct mr_map *map;
	struct mr_error error;
	const char *value;

	need_postmap("lmdb");
	postmap(w, "lmdb", "table", "a 1\n");
	map = open_map(w, "lmdb", path_of(w, "table"));
	expect(w, map, "a", "1");
	postmap(w, "lmdb", "other", "a 2\n");
	assert_int_equal(
		rename(path_of(w, "other.lmdb"), path_of(w, "table.lmdb")), 0);
	expect(w, map, "a", "1"); /* looked a moment ago */
	w->now += SECOND;
	expect(w, map, "a", "2");
	unlink(path_of(w, "table.lmdb"));
	w->now += SECOND;
	expect(w, map, "a", "2"); /* what is open stays */
	assert_int_equal(mr_map_get_at(map, w->arena, "b", w->now, w->now + 100,
				 &value, &error),
		MR_TEMPFAIL); /* it may be in the new one */
	write_file(w, "table.lmdb", "not a database", 0);
	w->now += SECOND;
	expect(w, map, "a", "2");
	unlink(path_of(w, "table.lmdb"));
	postmap(w, "lmdb", "table", "a 3\n");
	w->now += SECOND;
	expect(w, map, "a", "3");
	mr_map_free(&map);
}

/* More than Postfix's 16 MB mapping holds, which makes it double. */
static void test_lmdb_outgrows(void **state)
{
	struct world *w = *state;
	size_t size = 300 * 1000 * 70;
	char *text = mr_calloc(1, size + 100), *out = text;
	struct mr_map *map;

	need_postmap("lmdb");
	postmap(w, "lmdb", "table", "a 1\n");
	map = open_map(w, "lmdb", path_of(w, "table"));
	expect(w, map, "a", "1");
	out += sprintf(out, "a 2\n");
	for (int i = 0; i < 300 * 1000; i++)
		out += sprintf(out,
			"user%d@a-long-domain-name.example "
			"target%d@b.example\n",
			i, i);
	postmap(w, "lmdb", "table", text);
	free(text);
	expect(w, map, "a", "2");
	expect(w, map, "user299999@a-long-domain-name.example",
		"target299999@b.example");
	mr_map_free(&map);
}

static void test_lmdb_without_nul(void **state)
{
	struct world *w = *state;
	char *path = path_of(w, "plain.lmdb");
	char k[] = "k", v[] = "value";
	MDB_val key = { 1, k }, value = { 5, v };
	struct mr_map *map;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(
		mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	map = open_map(w, "lmdb", path_of(w, "plain"));
	expect(w, map, "k", "value");
	expect(w, map, "kk", "-");
	mr_map_free(&map);
}

static void test_lmdb_broken_files(void **state)
{
	struct world *w = *state;
	char *reference =
		mr_arena_printf(w->arena, "lmdb:%s", path_of(w, "table"));
	struct mr_error error;
	struct mr_map *map;

	assert_int_equal(mr_map_open(reference, &map, &error), -1);
	assert_non_null(strstr(error.text, "table.lmdb: No such file"));
	write_file(w, "table.lmdb", "", 0);
	assert_int_equal(mr_map_open(reference, &map, &error), -1);
	write_file(w, "table.lmdb", "not a database", 0);
	assert_int_equal(mr_map_open(reference, &map, &error), -1);
	unlink(path_of(w, "table.lmdb"));
	assert_int_equal(mkdir(path_of(w, "table.lmdb"), 0700), 0);
	assert_int_equal(mr_map_open(reference, &map, &error), -1);
	rmdir(path_of(w, "table.lmdb"));
	need_postmap("lmdb");
	postmap(w, "lmdb", "table", "");
	map = open_map(w, "lmdb", path_of(w, "table"));
	expect(w, map, "a", "?"); /* empty, and made just now */
	set_age(path_of(w, "table.lmdb"), 100);
	expect(w, map, "a", "-");
	postmap(w, "lmdb", "table", "a 1\nb 2\n");
	expect(w, map, "a", "1");
	/* cut short in place: an answer, not SIGBUS */
	assert_int_equal(truncate(path_of(w, "table.lmdb"), 4096), 0);
	expect(w, map, "a", "?");
	assert_int_equal(truncate(path_of(w, "table.lmdb"), 0), 0);
	expect(w, map, "a", "?");
	postmap(w, "lmdb", "table", "a 2\n");
	expect(w, map, "a", "2");
	mr_map_free(&map);
}

/* Another process with Postfix's kind of lock on the table. */
static pid_t lock_elsewhere(const char *path, int *release)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int held[2], wait[2];
	pid_t child;
	char octet;

	assert_int_equal(pipe(held), 0);
	assert_int_equal(pipe(wait), 0);
	child = fork();
	if (child == 0) {
		int fd = open(path, O_RDWR);

		close(wait[1]);
		if (fcntl(fd, F_SETLK, &lock) < 0 || write(held[1], "", 1) != 1)
			_exit(1);
		_exit(read(wait[0], &octet, 1) < 0);
	}
	close(held[1]);
	close(wait[0]);
	assert_int_equal(read(held[0], &octet, 1), 1);
	close(held[0]);
	*release = wait[1];
	return child;
}

static void test_lmdb_lock(void **state)
{
	struct world *w = *state;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct mr_error error = { "" };
	const char *value;
	struct mr_map *map;
	int64_t start;
	int release, fd;
	pid_t child;

	need_postmap("lmdb");
	postmap(w, "lmdb", "table", "a 1\n");
	map = open_map(w, "lmdb", path_of(w, "table"));
	expect(w, map, "a", "1");
	child = lock_elsewhere(path_of(w, "table.lmdb"), &release);
	start = mr_clock_ms();
	assert_int_equal(mr_map_get_at(map, w->arena, "a", w->now, start + 100,
				 &value, &error),
		MR_TEMPFAIL);
	assert_in_range(mr_clock_ms() - start, 95, 1000);
	assert_non_null(strstr(error.text, "locked"));
	close(release);
	assert_int_equal(waitpid(child, NULL, 0), child);
	expect(w, map, "a", "1");
	/* and no lock of ours is left behind */
	fd = open(path_of(w, "table.lmdb"), O_RDWR);
	assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
	close(fd);
	mr_map_free(&map);
}

/* Without asking the table again, until it is another. */
static void test_lmdb_kept(void **state)
{
	struct world *w = *state;
	struct mr_error error;
	const char *value;
	struct mr_map *map;
	int release;
	pid_t child;

	need_postmap("lmdb");
	postmap(w, "lmdb", "table", "a 1\nb 1\n");
	postmap(w, "lmdb", "other", "a 2\nc 2\n");
	sleep(6); /* younger ones may not be complete */
	map = open_map(w, "lmdb", path_of(w, "table"));
	expect(w, map, "a", "1");
	expect(w, map, "c", "-");
	child = lock_elsewhere(path_of(w, "table.lmdb"), &release);
	expect(w, map, "a", "1");
	expect(w, map, "c", "-");
	assert_int_equal(mr_map_get_at(map, w->arena, "b", w->now,
				 mr_clock_ms() + 50, &value, &error),
		MR_TEMPFAIL);
	close(release);
	assert_int_equal(waitpid(child, NULL, 0), child);
	expect(w, map, "b", "1");
	/* as nobody should, with as many octets */
	assert_int_equal(
		system(mr_arena_printf(w->arena, "cp %s %s",
			path_of(w, "other.lmdb"), path_of(w, "table.lmdb"))),
		0);
	expect(w, map, "a", "2");
	expect(w, map, "b", "-");
	expect(w, map, "c", "2");
	sleep(6);
	expect(w, map, "a", "2");
	expect(w, map, "c", "2");
	postmap(w, "lmdb", "table", "a 3\n");
	expect(w, map, "a", "3");
	expect(w, map, "c", "-");
	mr_map_free(&map);
}

static void change_lmdb(struct world *w, int round)
{
	char *text = mr_arena_printf(w->arena,
		"stable here\nround %d\nmore%d of it\n", round, round);

	if (round % 4 == 3) {
		postmap(w, "lmdb", "other", text);
		assert_int_equal(rename(path_of(w, "other.lmdb"),
					 path_of(w, "table.lmdb")),
			0);
	} else {
		postmap(w, "lmdb", "table", text);
	}
}

static void test_lmdb_crowd(void **state)
{
	struct world *w = *state;
	struct mr_map *map;

	need_postmap("lmdb");
	postmap(w, "lmdb", "table", "stable here\n");
	map = open_map(w, "lmdb", path_of(w, "table"));
	run_crowd(w, map, "stable", change_lmdb, 20);
	expect(w, map, "round", "19");
	mr_map_free(&map);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_lmdb),
		TEST(test_lmdb_replaced),
		TEST(test_lmdb_outgrows),
		TEST(test_lmdb_without_nul),
		TEST(test_lmdb_broken_files),
		TEST(test_lmdb_lock),
		TEST(test_lmdb_kept),
		TEST(test_lmdb_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
