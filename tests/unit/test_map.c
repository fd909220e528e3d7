/* test_map - references, inline and texthash: what they answer, and what they
 * do while the file is rewritten or taken away.  Nothing waits for time. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/map_world.h"

static const struct {
	const char *reference;
	int want;
} references[] = {
	{ "texthash:/etc/postfix/virtual", 0 },
	{ "lmdb:/etc/postfix/virtual", 0 },
	{ "userdb:/run/dovecot/auth-userdb", 0 },
	{ "inline:{ a=b }", 0 },
	{ "", -1 },
	{ "/etc/postfix/virtual", -1 },
	{ "texthash", -1 },
	{ "texthash:virtual", -1 },
	{ "lmdb:", -1 },
	{ "cdb:/etc/postfix/virtual", 0 },
	{ "sqlite:/etc/postfix/virtual.cf", 0 },
	{ "sqlite:virtual", -1 },
	{ "socketmap:unix:/run/x:name", 0 },
	{ "socketmap:unix:run/x:name", -1 },
	{ "socketmap:unix:/run/x:", -1 },
	{ "socketmap:unix:/run/x", -1 },
	{ "socketmap:unix:/run/x:two words", -1 },
	{ "socketmap:unix:/a-path-that-is-longer-than-the-hundred-and-eight-"
	  "octets-that-fit-into-a-socket-address-of-this-kernel-and-of-others:x",
		-1 },
	{ "socketmap:inet:127.0.0.1:8461:name", 0 },
	{ "socketmap:inet:localhost:8461:name", 0 },
	{ "socketmap:inet:[::1]:8461:name", 0 },
	{ "socketmap:inet:map.example.org:8461:name", -1 },
	{ "socketmap:inet:127.0.0.1:name", -1 },
	{ "socketmap:inet:127.0.0.1:0:name", -1 },
	{ "socketmap:inet:127.0.0.1:65536:name", -1 },
	{ "socketmap:name", -1 },
	{ "hash:/etc/postfix/virtual", 0 },
	{ "btree:/etc/postfix/virtual", 0 },
	{ "hash:virtual", -1 },
	{ "hash:/etc/postfix/virt\nual", -1 },
	{ "regexp:virtual", -1 },
	{ "mysql:/etc/postfix/virtual.cf", 0 },
	{ "mysql:in_main_cf", 0 },
	{ "static:yes", 0 },
	{ "static:", -1 },
	{ "postmap:/etc/postfix/virtual", -1 },
	{ "proxy:mysql:/etc/postfix/virtual.cf", -1 },
	{ "LMDB:/etc/postfix/virtual", -1 },
	{ "inline:", -1 },
	{ "userdb:/a-path-that-is-longer-than-the-hundred-and-eight-octets"
	  "-that-fit-into-a-socket-address-of-this-kernel-and-of-others",
		-1 },
};

static void test_references(void **state)
{
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(references) / sizeof(references[0]);
		i++) {
		int got = mr_map_check(references[i].reference, &error);

		if (got != references[i].want)
			fail_msg("\"%s\": got %d, want %d",
				references[i].reference, got,
				references[i].want);
	}
	mr_map_check("texthsah:/x", &error);
	assert_non_null(strstr(error.text, "did you mean \"texthash\"?"));
	mr_map_check("mysqi:/x", &error);
	assert_non_null(strstr(error.text, "did you mean \"mysql\"?"));
	mr_map_check("nonsense:/x", &error);
	assert_non_null(strstr(error.text,
		"texthash, inline, lmdb, cdb, sqlite, socketmap, userdb, hash, "
		"btree"));
	assert_non_null(strstr(error.text, "static, fail"));
	mr_map_check("proxy:mysql:/x", &error);
	assert_non_null(strstr(error.text, "give the table behind it"));
}

static const struct {
	const char *table, *key, *want; /* NULL: does not parse */
} inlines[] = {
	{ "{ a=b, c = d, {k = v with blanks, and commas} }", "a", "b" },
	{ "{ a=b, c = d, {k = v with blanks, and commas} }", "c", "d" },
	{ "{ a=b, c = d, {k = v with blanks, and commas} }", "k",
		"v with blanks, and commas" },
	{ "{ a=b, c = d }", "b", "-" },
	{ "{a=b c=d}", "c", "d" },
	{ "{A@Example.ORG=X}", "a@example.org", "X" },
	{ "{a=b=c}", "a", "b=c" },
	{ "{a=b,}", "a", "b" },
	{ "{,a=b}", "a", "b" },
	{ " {a=b} ", "a", "b" },
	{ "{{a={b}}}", "a", "{b}" },
	{ "{{a b = c}}", "a b", "c" },
	{ "{}", NULL, NULL },
	{ "{ }", NULL, NULL },
	{ "a=b", NULL, NULL },
	{ "{a=b", NULL, NULL },
	{ "{a=b}x", NULL, NULL },
	{ "{a}", NULL, NULL },
	{ "{a=}", NULL, NULL },
	{ "{=b}", NULL, NULL },
	{ "{a b}", NULL, NULL },
	{ "{a=b, A=c}", NULL, NULL },
	{ "{{a=b}", NULL, NULL },
	{ "{{a}}", NULL, NULL },
	{ "}{", NULL, NULL },
};

static void test_inline(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(inlines) / sizeof(inlines[0]); i++) {
		char *reference = mr_arena_printf(
			w->arena, "inline:%s", inlines[i].table);
		struct mr_error error;
		struct mr_map *map = NULL;
		int result = mr_map_open(reference, &map, &error);

		if ((result == 0) != (inlines[i].key != NULL))
			fail_msg("%s: got %d", reference, result);
		if (result == 0)
			expect(w, map, inlines[i].key, inlines[i].want);
		mr_map_free(&map);
	}
}

static const char table_text[] = "   lost line\n"
				 "# a comment\n"
				 "\n"
				 "one  1\n"
				 "Two@Example.ORG\tSecond Value  \n"
				 "long a,\n"
				 "   # a comment inside\n"
				 "\n"
				 "# another\n"
				 "\tb,\n"
				 " c\n"
				 "alone\n"
				 "one  again\n"
				 "\"a b\"@example.org quoted\n"
				 "\"a\\\" b\"@example.org escaped\n"
				 "dos line\r\n"
				 "j\xc3\xbcrgen utf-8\n"
				 "last without newline";

static const struct {
	const char *key, *want;
} texts[] = {
	{ "one", "1" },
	{ "two@example.org", "Second Value" },
	{ "Two@Example.ORG", "-" },
	{ "long", "a,\tb, c" },
	{ "alone", "-" },
	{ "lost", "-" },
	{ "#", "-" },
	{ "\"a b\"@example.org", "quoted" },
	{ "\"a\\\" b\"@example.org", "escaped" },
	{ "dos", "line" },
	{ "j\xc3\xbcrgen", "utf-8" },
	{ "last", "without newline" },
	{ "", "-" },
};

static void test_texthash_syntax(void **state)
{
	struct world *w = *state;
	char *path = write_file(w, "table", table_text, 100);
	struct mr_map *map = open_map(w, "texthash", path);
	char *long_key = mr_arena_alloc(w->arena, MR_MAP_KEY_LONGEST + 2);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect(w, map, texts[i].key, texts[i].want);
	memset(long_key, 'x', MR_MAP_KEY_LONGEST + 1);
	expect(w, map, long_key, "-");
	mr_map_free(&map);
	assert_null(map);
}

static void test_value_too_long(void **state)
{
	struct world *w = *state;
	char *text = mr_arena_alloc(w->arena, MR_MAP_VALUE_LONGEST + 100);
	struct mr_map *map;
	char *path;

	strcpy(text, "fits ");
	memset(text + 5, 'x', MR_MAP_VALUE_LONGEST);
	path = write_file(w, "table", text, 100);
	map = open_map(w, "texthash", path);
	assert_int_equal(strlen(ask(w, map, "fits")), MR_MAP_VALUE_LONGEST);
	mr_map_free(&map);
	strcat(text, "x");
	path = write_file(w, "table", text, 100);
	map = open_map(w, "texthash", path);
	expect(w, map, "fits", "?");
	mr_map_free(&map);
}

static void test_texthash_changes(void **state)
{
	struct world *w = *state;
	char *path = write_file(w, "table", "a 1\n", 100);
	struct mr_map *map = open_map(w, "texthash", path);

	expect(w, map, "a", "1");
	write_file(w, "table", "a 2\nb 2\n", 0);
	expect(w, map, "a", "1"); /* looked a moment ago */
	expect(w, map, "b", "-");
	w->now += SECOND;
	expect(w, map, "a", "2");
	expect(w, map, "b", "2");
	expect(w, map, "c", "?"); /* changed just now: maybe half saved */
	w->now += 4 * SECOND;
	expect(w, map, "c", "?");
	w->now += SECOND;
	expect(w, map, "c", "-");
	write_file(w, "table", "a 3\n", 100);
	w->now += SECOND;
	expect(w, map, "a", "3");
	expect(w, map, "b", "-"); /* an old file, moved there as a whole */
	mr_map_free(&map);
}

static void test_texthash_opened_fresh(void **state)
{
	struct world *w = *state;
	char *path = write_file(w, "table", "a 1\n", 3);
	struct mr_map *map = open_map(w, "texthash", path);

	expect(w, map, "a", "1");
	expect(w, map, "b", "?");
	w->now += 3 * SECOND;
	expect(w, map, "b", "-");
	mr_map_free(&map);
	/* from the future: unsure for a while, not for ever */
	path = write_file(w, "table", "a 1\n", -1000);
	map = open_map(w, "texthash", path);
	expect(w, map, "b", "?");
	mr_map_free(&map);
}

/* In place, with size and time as before: only a second reading sees it. */
static void test_texthash_same_size_same_time(void **state)
{
	struct world *w = *state;
	char *path = write_file(w, "table", "a 1\n", 0);
	struct mr_map *map = open_map(w, "texthash", path);
	struct stat st;
	int fd;

	expect(w, map, "a", "1");
	assert_int_equal(stat(path, &st), 0);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "2", 1, 2), 1);
	assert_int_equal(
		futimens(fd, (struct timespec[]){ st.st_atim, st.st_mtim }), 0);
	close(fd);
	w->now += SECOND;
	expect(w, map, "a", "2");
	mr_map_free(&map);
}

static void test_texthash_ends_in_a_line(void **state)
{
	struct world *w = *state;
	char *path = write_file(w, "table", "a one@a.test\n", 100);
	struct mr_map *map = open_map(w, "texthash", path);

	write_file(w, "table", "a two@a.te", 0);
	w->now += SECOND;
	expect(w, map, "a", "one@a.test");
	expect(w, map, "b", "?");
	set_age(path, 6);
	w->now += SECOND;
	expect(w, map, "a", "two@a.te"); /* so it is meant */
	expect(w, map, "b", "-");
	mr_map_free(&map);
}

static void test_texthash_shrinks(void **state)
{
	struct world *w = *state;
	char *path = write_file(w, "table", "a 1\nb 1\nc 1\nd 1\n", 100);
	struct mr_map *map = open_map(w, "texthash", path);

	write_file(w, "table", "a 2\nn 2\n", 100); /* just half: accepted */
	w->now += SECOND;
	expect(w, map, "a", "2");
	expect(w, map, "b", "-");
	write_file(w, "table", "a 3\nb 3\nc 3\nd 3\n", 100);
	w->now += SECOND;
	expect(w, map, "d", "3");
	write_file(w, "table", "n 4\n", 100);
	w->now += SECOND;
	expect(w, map, "a", "3"); /* the old table stays */
	expect(w, map, "n", "4"); /* but a new address is not refused */
	expect(w, map, "x", "-");
	w->now += 3600 * SECOND;
	expect(w, map, "a", "3");
	write_file(w, "table", "", 100);
	w->now += SECOND;
	expect(w, map, "a", "3");
	expect(w, map, "n", "-");
	write_file(w, "table", "a 5\nb 5\nc 5\n", 100);
	w->now += SECOND;
	expect(w, map, "a", "5");
	expect(w, map, "d", "-");
	mr_map_free(&map);
	/* a restart accepts what is there */
	write_file(w, "table", "a 6\n", 100);
	map = open_map(w, "texthash", path);
	expect(w, map, "b", "-");
	mr_map_free(&map);
}

static void test_texthash_vanishes(void **state)
{
	struct world *w = *state;
	char *path = write_file(w, "table", "a 1\nb 1\n", 100);
	struct mr_map *map = open_map(w, "texthash", path);

	unlink(path);
	w->now += SECOND;
	expect(w, map, "a", "1");
	expect(w, map, "x", "?");
	w->now += 3600 * SECOND;
	expect(w, map, "a", "1");
	assert_int_equal(mkdir(path, 0700), 0);
	w->now += SECOND;
	expect(w, map, "a", "1");
	expect(w, map, "x", "?");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes to it */
	w->now += SECOND;
	expect(w, map, "a", "1");
	unlink(path);
	write_file(w, "table", "a 2\nb 2\n", 100);
	w->now += SECOND;
	expect(w, map, "a", "2");
	expect(w, map, "x", "-");
	mr_map_free(&map);
}

static void test_texthash_too_large(void **state)
{
	struct world *w = *state;
	char *path = write_file(w, "table", "a 1\n", 100);
	char *reference = mr_arena_printf(w->arena, "texthash:%s", path);
	struct mr_error error;
	struct mr_map *map;

	assert_int_equal(truncate(path, 256l * 1024 * 1024 + 1), 0);
	assert_int_equal(mr_map_open(reference, &map, &error), -1);
	assert_non_null(strstr(error.text, "256 MB"));
}

static void test_open_later(void **state)
{
	struct world *w = *state;
	char *path = path_of(w, "table");
	char *reference = mr_arena_printf(w->arena, "texthash:%s", path);
	struct mr_error error = { "" };
	struct mr_map *map;
	const char *value;

	assert_int_equal(mr_map_open(reference, &map, &error), -1);
	assert_non_null(strstr(error.text, reference));
	assert_non_null(strstr(error.text, "No such file"));
	assert_int_equal(mr_map_open_later(reference, &map, &error), 0);
	assert_string_equal(mr_map_reference(map), reference);
	assert_false(mr_map_names_users(map));
	expect(w, map, "a", "?");
	write_file(w, "table", "a 1\n", 100);
	error.text[0] = '\0';
	assert_int_equal(mr_map_get_at(map, w->arena, "a", w->now, INT64_MAX,
				 &value, &error),
		MR_TEMPFAIL); /* it has tried this second */
	assert_non_null(strstr(error.text, "No such file"));
	w->now += SECOND;
	expect(w, map, "a", "1");
	mr_map_free(&map);
	mr_map_free(&map);
	assert_int_equal(mr_map_open_later("nonsense:/x", &map, &error), -1);
}

static void change_text(struct world *w, int round)
{
	char *text = mr_arena_printf(w->arena, "stable here\nround %d\n%s",
		round, round % 3 == 0 ? "x 1\ny 1\nz 1\n" : "");

	if (round % 5 == 4)
		unlink(path_of(w, "table"));
	else
		write_file(w, "table", text, round % 2 * 100);
}

static void test_texthash_crowd(void **state)
{
	struct world *w = *state;
	char *path = write_file(w, "table", "stable here\n", 100);
	struct mr_map *map = open_map(w, "texthash", path);

	run_crowd(w, map, "stable", change_text, 50);
	mr_map_free(&map);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_references),
		TEST(test_inline),
		TEST(test_texthash_syntax),
		TEST(test_value_too_long),
		TEST(test_texthash_changes),
		TEST(test_texthash_opened_fresh),
		TEST(test_texthash_same_size_same_time),
		TEST(test_texthash_ends_in_a_line),
		TEST(test_texthash_shrinks),
		TEST(test_texthash_vanishes),
		TEST(test_texthash_too_large),
		TEST(test_open_later),
		TEST(test_texthash_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
