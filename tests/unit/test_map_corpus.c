/* test_map_corpus - the same table, the same keys: our answers and those of
 * postmap -q.  Keys are in lower case, as those who ask us bring them. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/map_world.h"

#include <sqlite3.h>

static const char table[] = "# a comment\n"
			    "a.test x\n"
			    "ann@a.test ann@b.test\n"
			    "Upper@A.Test Mixed@B.Test\n"
			    "two@a.test one@b.test, two@b.test,\n"
			    "  three@b.test\n"
			    "# inside\n"
			    "\tfour@b.test\n"
			    "@catch.test all@b.test\n"
			    "alone nobody@b.test\n"
			    "ann+detail@a.test detail@b.test\n"
			    "owner-list@a.test owner@b.test\n"
			    "\"a b\"@a.test blank@b.test\n"
			    "\"a\\\"b\"@a.test quote@b.test\n"
			    "\"@\"@a.test at@b.test\n"
			    "o'brien@a.test irish@b.test\n"
			    "per%cent@a.test percent@b.test\n"
			    "under_score@a.test underscore@b.test\n"
			    "semi;colon@a.test semicolon@b.test\n"
			    "back\\\\slash@a.test backslash@b.test\n"
			    "j\xc3\xbcrgen@a.test utf8@b.test\n"
			    "d\xc3\xb6main@xn--dmain-jua.test puny@b.test\n"
			    "a@b@a.test twice@b.test\n"
			    "trailing@a.test value with blanks   \n"
			    "tab@a.test\t\ttabs\tinside\n"
			    "novalue@a.test\n"
			    "same@a.test first@b.test\n"
			    "same@a.test second@b.test\n"
			    "-dash@a.test dash@b.test\n"
			    "* star@b.test\n"
			    "colon:key colon@b.test\n"
			    "dot. dot@b.test\n"
			    ".sub.test sub@b.test\n"
			    "last@a.test last@b.test";

static const char *const keys[] = { "a.test", "ann@a.test", "upper@a.test",
	"two@a.test", "@catch.test", "x@catch.test", "catch.test", "alone",
	"ann+detail@a.test", "ann+other@a.test", "owner-list@a.test",
	"\"a b\"@a.test", "a b@a.test", "\"a\\\"b\"@a.test", "\"@\"@a.test",
	"o'brien@a.test", "' or '1'='1", "'; drop table t; --",
	"per%cent@a.test", "per%@a.test", "%", "under_score@a.test",
	"underxscore@a.test", "semi;colon@a.test", "back\\slash@a.test",
	"back\\\\slash@a.test", "j\xc3\xbcrgen@a.test", "j\xfcrgen@a.test",
	"\xff", "d\xc3\xb6main@xn--dmain-jua.test", "a@b@a.test", "a@b",
	"trailing@a.test", "tab@a.test", "novalue@a.test", "same@a.test",
	"-dash@a.test", "-", "--", "*", "colon:key", "colon", "dot.", "dot",
	".sub.test", "x.sub.test", "last@a.test", "#", "# a comment", " ",
	" ann@a.test", "ann@a.test ", "@", "@@", "ann@", "@a.test", "nobody",
	"inside", "four@b.test", "key with blanks", "$(id)", "`id`", "\\", "\"",
	"x\\", NULL };

static const char patterns[] = "/^ann@/ pattern@b.test\n"
			       "/^(.*)\\+(.*)@a\\.test$/ $1@b.test\n"
			       "!/@/ none@b.test\n"
			       "if /^o'/\n"
			       "/brien/ irish@b.test\n"
			       "endif\n";

/* What postmap -q says for all keys at once: `KEY TAB VALUE` for each that it
 * finds. */
static char *ask_postfix(struct world *w, const char *type, const char *name)
{
	char *text = mr_arena_alloc(w->arena, 64 * 1024);
	char *command =
		mr_arena_printf(w->arena, "postmap -q - %s:%s <%s 2>/dev/null",
			type, path_of(w, name), path_of(w, "keys"));
	FILE *file = fopen(path_of(w, "keys"), "w");

	for (const char *const *key = keys; *key != NULL; key++)
		fprintf(file, "%s\n", *key);
	fclose(file);
	file = popen(command, "r");
	text[0] = '\n';
	assert_true(fread(text + 1, 1, 64 * 1024 - 2, file) > 0);
	pclose(file);
	return text;
}

/* The value of a key, "-" for none. */
static const char *found_in(struct world *w, const char *text, const char *key)
{
	char *line = mr_arena_printf(w->arena, "\n%s\t", key);
	const char *at = strstr(text, line);

	if (at == NULL)
		return "-";
	at += strlen(line);
	return mr_arena_strndup(w->arena, at, strcspn(at, "\n"));
}

static void compare(struct world *w, const char *type, const char *name)
{
	char *text = ask_postfix(w, type, name);
	struct mr_map *map = open_map(w, type, path_of(w, name));
	unsigned found = 0, wrong = 0;

	for (const char *const *key = keys; *key != NULL; key++) {
		const char *want = found_in(w, text, *key);
		const char *got = ask(w, map, *key);

		/* An argument cannot be all that standard input can. */
		if (strcmp(got, "?") == 0 && (*key)[0] == '-' &&
			(strcmp(type, "hash") == 0 ||
				strcmp(type, "regexp") == 0))
			continue;
		found += strcmp(want, "-") != 0;
		if (strcmp(got, want) == 0)
			continue;
		wrong++;
		print_error("%s: \"%s\": we say \"%s\", Postfix \"%s\"\n", type,
			*key, got, want);
	}
	mr_map_free(&map);
	print_message("%s: %u found, %u differ\n", type, found, wrong);
	assert_int_equal(wrong, 0);
	assert_true(found >= 5);
}

static void test_tables(void **state)
{
	static const char *const types[] = { "lmdb", "cdb", "hash" };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		need_postmap(types[i]);
		postmap(w, types[i], types[i], table);
		compare(w, types[i], types[i]);
	}
}

static void test_texthash(void **state)
{
	need_postmap("texthash");
	write_file(*state, "table", table, 100);
	compare(*state, "texthash", "table");
}

static void test_regexp(void **state)
{
	need_postmap("regexp");
	write_file(*state, "patterns", patterns, 100);
	compare(*state, "regexp", "patterns");
}

/* The pairs that postmap -s reads out of a table, as a database. */
static void make_base(struct world *w)
{
	char *command = mr_arena_printf(
		w->arena, "postmap -s lmdb:%s", path_of(w, "table"));
	char line[1024], *tab;
	sqlite3_stmt *insert;
	FILE *pairs;
	sqlite3 *db;

	postmap(w, "lmdb", "table", table);
	pairs = popen(command, "r");
	assert_int_equal(sqlite3_open(path_of(w, "base"), &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE t (key, value)", NULL, NULL, NULL);
	sqlite3_prepare_v2(
		db, "INSERT INTO t VALUES (?1, ?2)", -1, &insert, NULL);
	while (fgets(line, sizeof(line), pairs) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		tab = strchr(line, '\t');
		*tab = '\0';
		sqlite3_bind_text(insert, 1, line, -1, SQLITE_STATIC);
		sqlite3_bind_text(insert, 2, tab + 1, -1, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
		sqlite3_reset(insert);
	}
	pclose(pairs);
	sqlite3_finalize(insert);
	sqlite3_close(db);
}

static const char *const queries[] = {
	"query = SELECT value FROM t WHERE key = '%s'",
	"query = SELECT value FROM t WHERE key = '%u@%d'",
	"query = SELECT value FROM t WHERE key LIKE '%u%%'",
	"query = SELECT value FROM t WHERE key LIKE '%%@%d'\n"
	"result_format = <%u> at %d for %U",
	"query = SELECT value FROM t WHERE key = '%u@%2.%1'\n"
	"domain = a.test, catch.test",
	"table = t\nselect_field = value\nwhere_field = key",
};

static void test_sqlite(void **state)
{
	struct world *w = *state;

	need_postmap("sqlite");
	need_postmap("lmdb");
	make_base(w);
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		write_file(w, "table.cf",
			mr_arena_printf(w->arena, "dbpath = %s\n%s\n",
				path_of(w, "base"), queries[i]),
			100);
		compare(w, "sqlite", "table.cf");
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_tables),
		TEST(test_texthash),
		TEST(test_regexp),
		TEST(test_sqlite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
