/* test_map_sqlite - Postfix's sqlite_table(5) files, and databases that are
 * written, locked and replaced while we read them. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/map_world.h"

#include "common/map/sqlite_cf.h"

#include <sqlite3.h>

static const char SCHEMA[] =
	"CREATE TABLE alias (address TEXT PRIMARY KEY, goto TEXT, n INTEGER);"
	"INSERT INTO alias VALUES ('ann@a.test', 'one@b.test', 1);"
	"INSERT INTO alias VALUES ('many@a.test', 'x@b.test', 2);"
	"INSERT INTO alias VALUES ('o''brien@a.test', 'obrien@b.test', 3);"
	"INSERT INTO alias VALUES ('empty@a.test', '', 4);"
	"INSERT INTO alias VALUES ('null@a.test', NULL, 5);"
	"INSERT INTO alias VALUES ('sub@x.y.test', 'sub@b.test', 6);";

static void run_sql(const char *path, const char *sql)
{
	char *wrong = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	if (sqlite3_exec(db, sql, NULL, NULL, &wrong) != SQLITE_OK)
		fail_msg("%s: %s", sql, wrong);
	sqlite3_close(db);
}

static char *write_cf(struct world *w, const char *settings)
{
	return write_file(w, "table.cf",
		mr_arena_printf(w->arena, "dbpath = %s\n%s\n",
			path_of(w, "base"), settings),
		100);
}

static const struct {
	const char *settings, *key, *want; /* NULL: does not open */
} rows[] = {
#define QUERY "query = SELECT goto FROM alias WHERE address = "
	{ QUERY "'%s'", "ann@a.test", "one@b.test" },
	{ QUERY "'%s'", "nobody@a.test", "-" },
	{ QUERY "\"%s\"", "ann@a.test", "one@b.test" },
	{ QUERY "%s", "ann@a.test", "one@b.test" },
	{ QUERY "'%u@%d'", "ann@a.test", "one@b.test" },
	{ QUERY "'%U@%D'", "ann@a.test", "one@b.test" },
	{ QUERY "'%u' || '@%2.%1'", "ann@a.test", "one@b.test" },
	{ QUERY "'%u@x.y.%1'", "sub@x.y.test", "sub@b.test" },
	{ QUERY "'%u@%3.%2.%1'", "sub@x.y.test", "sub@b.test" },
	{ QUERY "'%u@%3.%2.%1'", "ann@a.test", "-" },
	{ QUERY "'%s'", "o'brien@a.test", "obrien@b.test" },
	{ QUERY "'o''brien@%d'", "x@a.test", "obrien@b.test" },
	{ QUERY "'%s'", "x' OR '1'='1", "-" },
	{ QUERY "%s", "'ann@a.test' --", "-" },
	{ QUERY "'%s'", "x'; DROP TABLE alias; --", "-" },
	{ QUERY "'%s'", "ann@a.test", "one@b.test" }, /* still there */
	{ QUERY "'%s'", "empty@a.test", "-" },
	{ QUERY "'%s'", "null@a.test", "-" },
	{ QUERY "'ann@a.test' AND '%d' <> ''", "nodomain", "-" },
	{ QUERY "'ann@a.test' AND '%u' <> ''", "@a.test", "-" },
	{ QUERY "'ann@a.test' AND '%u' = 'alone'", "alone", "one@b.test" },
	{ QUERY "'%s'", "\xff@a.test", "-" },
	{ "query = SELECT goto FROM alias WHERE address LIKE '%%nn@%d'",
		"x@a.test", "one@b.test" },
	{ "query = SELECT goto FROM alias WHERE address LIKE 'a%%'", "x@a.test",
		"one@b.test" },
	{ "query = SELECT goto FROM alias WHERE n %% 4 = 1 AND n < 5",
		"x@a.test", "one@b.test" },
	{ "query = SELECT goto FROM alias WHERE n < 3 ORDER BY n", "x",
		"one@b.test,x@b.test" },
	{ "query = SELECT goto FROM alias WHERE n < 3 ORDER BY n\n"
	  "expansion_limit = 2",
		"x", "one@b.test,x@b.test" },
	{ "query = SELECT goto FROM alias WHERE n < 3 ORDER BY n\n"
	  "expansion_limit = 1",
		"x", "?" },
	{ QUERY "'%s'\nresult_format = %u+%U@%d", "ann@a.test",
		"one+ann@b.test" },
	{ QUERY "'%s'\nresult_format = smtp:[%D]%%", "ann@a.test",
		"smtp:[a.test]%" },
	{ QUERY "'%s'\nresult_format =", "ann@a.test", "one@b.test" },
	{ QUERY "'%s'\ndomain = b.test, A.test", "ann@a.test", "one@b.test" },
	{ QUERY "'%s'\ndomain = b.test c.test", "ann@a.test", "-" },
	{ QUERY "'%s'\ndomain = a.test", "ann", "-" },
	{ "# a comment\nquery =\n  SELECT goto\n# another\n\n\tFROM alias\n"
	  "  WHERE address = '%s';",
		"ann@a.test", "one@b.test" },
	{ "query = SELECT 1\n" QUERY "'%s'", "ann@a.test", "one@b.test" },
	{ "hosts = x\nuser = y\n" QUERY "'%s'", "ann@a.test", "one@b.test" },
	{ "table = alias\nselect_field = goto\nwhere_field = address\n"
	  "additional_conditions = AND n = 1",
		"ann@a.test", "one@b.test" },
	{ "", "x", NULL },
	{ "table = alias\nselect_field = goto", "x", NULL },
	{ "query", "x", NULL },
	{ QUERY "'%s", "x", NULL },
	{ QUERY "'%x'", "x", NULL },
	{ QUERY "'%", "x", NULL },
	{ QUERY "[%s]", "x", NULL },
	{ QUERY "`%s`", "x", NULL },
	{ QUERY "?", "x", NULL },
	{ QUERY ":a", "x", NULL },
	{ QUERY "'a' -- '%s'", "x", NULL },
	{ QUERY "'a' /* '%s' */", "x", NULL },
	{ "query = SELECT nothing FROM alias", "x", NULL },
	{ "query = SELECT col%s FROM alias", "x", NULL },
	{ "query = DELETE FROM alias WHERE address = '%s'", "x", NULL },
	{ "query = DELETE FROM alias RETURNING goto", "x", NULL },
	{ "query = ATTACH '/tmp/x' AS y", "x", NULL },
	{ "query = SELECT 1; SELECT 2", "x", NULL },
	{ QUERY "'%s'\nresult_format = %x", "x", NULL },
	{ QUERY "'%s'\nexpansion_limit = many", "x", NULL },
	{ QUERY "'%s'\nexpansion_limit = -1", "x", NULL },
	{ QUERY "'%s'\ndomain = hash:/x", "x", NULL },
	{ QUERY "'%s'\ndomain = !a.test, b.test", "x", NULL },
};

static void test_rows(void **state)
{
	struct world *w = *state;

	run_sql(path_of(w, "base"), SCHEMA);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *reference = mr_arena_printf(
			w->arena, "sqlite:%s", write_cf(w, rows[i].settings));
		struct mr_error error;
		struct mr_map *map = NULL;
		int result = mr_map_open(reference, &map, &error);

		if ((result == 0) != (rows[i].want != NULL))
			fail_msg("%s: %s", rows[i].settings,
				result == 0 ? "opened" : error.text);
		if (result == 0 &&
			strcmp(ask(w, map, rows[i].key), rows[i].want) != 0)
			fail_msg("%s: %s is %s, not %s", rows[i].settings,
				rows[i].key, ask(w, map, rows[i].key),
				rows[i].want);
		mr_map_free(&map);
	}
}

static void test_long_value(void **state)
{
	struct world *w = *state;
	struct mr_map *map;

	run_sql(path_of(w, "base"), SCHEMA);
	map = open_map(w, "sqlite",
		write_cf(w, "query = SELECT substr(hex(zeroblob(40000)), 1, "
			    "%u)"));
	assert_int_equal(strlen(ask(w, map, "65536")), MR_MAP_VALUE_LONGEST);
	expect(w, map, "65537", "?");
	mr_map_free(&map);
}

static void test_changes(void **state)
{
	struct world *w = *state;
	struct mr_map *map;
	char *cf;

	run_sql(path_of(w, "base"), SCHEMA);
	cf = write_cf(w, QUERY "'%s'");
	map = open_map(w, "sqlite", cf);
	expect(w, map, "ann@a.test", "one@b.test");
	run_sql(path_of(w, "base"),
		"UPDATE alias SET goto = 'two@b.test' WHERE n = 1");
	expect(w, map, "ann@a.test", "two@b.test"); /* at once */
	run_sql(path_of(w, "base"), "ALTER TABLE alias ADD COLUMN more");
	expect(w, map, "ann@a.test", "two@b.test");
	/* another database of the same name */
	run_sql(path_of(w, "other"), SCHEMA);
	assert_int_equal(rename(path_of(w, "other"), path_of(w, "base")), 0);
	w->now += SECOND;
	expect(w, map, "ann@a.test", "one@b.test");
	/* none, a broken one */
	unlink(path_of(w, "base"));
	w->now += SECOND;
	expect(w, map, "ann@a.test", "one@b.test");
	expect(w, map, "nobody@a.test", "?");
	write_file(w, "base", "not a database, not a database", 0);
	w->now += SECOND;
	expect(w, map, "ann@a.test", "one@b.test");
	expect(w, map, "nobody@a.test", "?");
	unlink(path_of(w, "base"));
	run_sql(path_of(w, "base"), SCHEMA);
	w->now += SECOND;
	expect(w, map, "nobody@a.test", "-");
	/* another query, a broken one */
	write_cf(w, "query = SELECT n FROM alias WHERE address = '%s'");
	w->now += SECOND;
	expect(w, map, "ann@a.test", "1");
	write_cf(w, "query = SELECT");
	w->now += SECOND;
	expect(w, map, "ann@a.test", "1");
	expect(w, map, "nobody@a.test", "?");
	mr_map_free(&map);
}

static void test_deadline(void **state)
{
	static const char endless[] =
		"query = WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT "
		"x + 1 FROM c) SELECT count(*) FROM c WHERE '%s' <> ''";
	struct world *w = *state;
	struct mr_error error;
	const char *value;
	struct mr_map *map;
	int64_t start;
	sqlite3 *db;

	run_sql(path_of(w, "base"), SCHEMA);
	map = open_map(w, "sqlite", write_cf(w, QUERY "'%s'"));
	assert_int_equal(sqlite3_open(path_of(w, "base"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL),
		SQLITE_OK);
	start = mr_clock_ms();
	assert_int_equal(mr_map_get_at(map, w->arena, "ann@a.test", w->now,
				 start + 200, &value, &error),
		MR_TEMPFAIL);
	assert_in_range(mr_clock_ms() - start, 150, 2000);
	assert_non_null(strstr(error.text, "locked"));
	assert_int_equal(
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	expect(w, map, "ann@a.test", "one@b.test");
	/* and we lock nobody out */
	assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	mr_map_free(&map);

	map = open_map(w, "sqlite", write_cf(w, endless));
	start = mr_clock_ms();
	assert_int_equal(mr_map_get_at(map, w->arena, "x", w->now, start + 100,
				 &value, &error),
		MR_TEMPFAIL);
	assert_in_range(mr_clock_ms() - start, 95, 2000);
	assert_non_null(strstr(error.text, "deadline"));
	mr_map_free(&map);
}

static void change_sqlite(struct world *w, int round)
{
	run_sql(path_of(w, "base"),
		mr_arena_printf(w->arena,
			"BEGIN; DELETE FROM alias; INSERT INTO alias VALUES "
			"('stable', 'here', 1), ('round', '%d', 2); COMMIT",
			round));
}

static void test_crowd(void **state)
{
	struct world *w = *state;
	struct mr_map *map;

	run_sql(path_of(w, "base"), SCHEMA);
	change_sqlite(w, 0);
	map = open_map(w, "sqlite", write_cf(w, QUERY "'%s'"));
	run_crowd(w, map, "stable", change_sqlite, 20);
	expect(w, map, "round", "19");
	mr_map_free(&map);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_rows),
		TEST(test_long_value),
		TEST(test_changes),
		TEST(test_deadline),
		TEST(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
