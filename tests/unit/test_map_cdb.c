/* test_map_cdb - tables that postmap(1) replaces while we read them, and files
 * that are not whole. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/map_world.h"

#include <cdb.h>

static void test_cdb(void **state)
{
	struct world *w = *state;
	struct mr_map *map;
	char *long_key;

	need_postmap("cdb");
	postmap(w, "cdb", "table", "Key@Example.ORG value, with more\nb 2\n");
	map = open_map(w, "cdb", path_of(w, "table"));
	expect(w, map, "key@example.org", "value, with more");
	expect(w, map, "b", "2");
	expect(w, map, "c", "-"); /* made just now, but whole */
	expect(w, map, "", "-");
	long_key = mr_arena_alloc(w->arena, MR_MAP_KEY_LONGEST + 1);
	memset(long_key, 'x', MR_MAP_KEY_LONGEST);
	expect(w, map, long_key, "-");
	postmap(w, "cdb", "table", "b 3\nc 3\n");
	expect(w, map, "b", "2"); /* looked a moment ago */
	w->now += SECOND;
	expect(w, map, "b", "3");
	expect(w, map, "c", "3");
	expect(w, map, "key@example.org", "-");
	mr_map_free(&map);
}

static void test_cdb_with_nul(void **state)
{
	struct world *w = *state;
	int fd = open(path_of(w, "table.cdb"), O_RDWR | O_CREAT, 0600);
	struct cdb_make make;
	struct mr_map *map;

	assert_int_equal(cdb_make_start(&make, fd), 0);
	assert_int_equal(cdb_make_add(&make, "k", 2, "value", 6), 0);
	assert_int_equal(cdb_make_add(&make, "none", 4, "", 0), 0);
	assert_int_equal(cdb_make_finish(&make), 0);
	close(fd);
	map = open_map(w, "cdb", path_of(w, "table"));
	expect(w, map, "k", "value");
	expect(w, map, "none", "");
	expect(w, map, "kk", "-");
	mr_map_free(&map);
}

static void cut(struct world *w, off_t size)
{
	char *command = mr_arena_printf(w->arena, "head -c %ld %s >%s",
		(long)size, path_of(w, "whole.cdb"), path_of(w, "new"));

	assert_int_equal(system(command), 0);
	assert_int_equal(rename(path_of(w, "new"), path_of(w, "table.cdb")), 0);
}

static void test_cdb_broken_files(void **state)
{
	struct world *w = *state;
	char *reference =
		mr_arena_printf(w->arena, "cdb:%s", path_of(w, "table"));
	struct mr_error error;
	struct mr_map *map;
	struct stat st;

	assert_int_equal(mr_map_open(reference, &map, &error), -1);
	assert_non_null(strstr(error.text, "No such file"));
	need_postmap("cdb");
	postmap(w, "cdb", "whole", "a 1\nb 2\nc 3\nd 4\n");
	assert_int_equal(stat(path_of(w, "whole.cdb"), &st), 0);
	/* a file that is cut anywhere is none */
	for (off_t size = 0; size < st.st_size; size += 1 + size / 60) {
		cut(w, size);
		if (mr_map_open(reference, &map, &error) == 0)
			fail_msg("opened with %ld octets", (long)size);
		assert_non_null(strstr(error.text, "cdb file"));
	}
	postmap(w, "cdb", "table", "a 1\nb 2\nc 3\nd 4\n");
	map = open_map(w, "cdb", path_of(w, "table"));
	expect(w, map, "x", "-");
	cut(w, st.st_size - 1);
	w->now += SECOND;
	expect(w, map, "a", "1");
	expect(w, map, "x", "?");
	/* in place: an answer, not SIGBUS */
	postmap(w, "cdb", "table", "a 2\nb 2\nc 3\nd 4\n");
	w->now += SECOND;
	expect(w, map, "a", "2");
	assert_int_equal(truncate(path_of(w, "table.cdb"), 0), 0);
	expect(w, map, "a", "2");
	w->now += SECOND;
	expect(w, map, "a", "2");
	expect(w, map, "x", "?");
	unlink(path_of(w, "table.cdb"));
	w->now += SECOND;
	expect(w, map, "a", "2");
	postmap(w, "cdb", "table", "a 3\nb 2\nc 3\nd 4\n");
	w->now += SECOND;
	expect(w, map, "a", "3");
	expect(w, map, "x", "-");
	mr_map_free(&map);
}

static void test_cdb_shrinks(void **state)
{
	struct world *w = *state;
	struct mr_map *map;

	need_postmap("cdb");
	postmap(w, "cdb", "table", "a 1\nb 1\nc 1\nd 1\n");
	map = open_map(w, "cdb", path_of(w, "table"));
	postmap(w, "cdb", "table", "a 2\nb 2\n"); /* just half */
	w->now += SECOND;
	expect(w, map, "a", "2");
	expect(w, map, "c", "-");
	postmap(w, "cdb", "table", "");
	w->now += SECOND;
	expect(w, map, "a", "2"); /* the old table stays */
	expect(w, map, "x", "?"); /* empty, and made just now */
	w->now += 10 * SECOND;
	expect(w, map, "x", "-");
	postmap(w, "cdb", "table", "n 3\n");
	w->now += SECOND;
	expect(w, map, "n", "3"); /* just half of the old one */
	expect(w, map, "a", "-");
	mr_map_free(&map);
}

static void change_cdb(struct world *w, int round)
{
	postmap(w, "cdb", "table",
		mr_arena_printf(w->arena,
			"stable here\nround %d\nmore%d of it\n", round, round));
}

static void test_cdb_crowd(void **state)
{
	struct world *w = *state;
	struct mr_map *map;

	need_postmap("cdb");
	postmap(w, "cdb", "table", "stable here\n");
	map = open_map(w, "cdb", path_of(w, "table"));
	run_crowd(w, map, "stable", change_cdb, 20);
	w->now += SECOND;
	expect(w, map, "round", "19");
	mr_map_free(&map);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_cdb),
		TEST(test_cdb_with_nul),
		TEST(test_cdb_broken_files),
		TEST(test_cdb_shrinks),
		TEST(test_cdb_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
