/* test_map_list - all keys of a table, or none: a list that may not be whole is
 * worth nothing. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/map_world.h"

#include <sys/socket.h>
#include <sys/un.h>

struct seen {
	struct world *w;
	const char *keys[100];
	size_t n, most;
};

static bool see(void *context, const char *key)
{
	struct seen *seen = context;

	assert_true(seen->n < 100);
	seen->keys[seen->n++] = mr_arena_strdup(seen->w->arena, key);
	return seen->n < seen->most;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All keys, sorted, or "?" for a failure. */
static const char *list_some(struct world *w, struct mr_map *map, size_t most)
{
	struct seen seen = { .w = w, .most = most };
	const struct mr_map_listener listener = { see, &seen };
	struct mr_error error = { "" };
	const char *text = "";

	if (mr_map_list(map, mr_clock_ms() + 2000, &listener, &error) < 0) {
		assert_string_not_equal(error.text, "");
		return "?";
	}
	qsort(seen.keys, seen.n, sizeof(*seen.keys), compare);
	for (size_t i = 0; i < seen.n; i++)
		text = mr_arena_printf(w->arena, "%s%s%s", text,
			i == 0 ? "" : " ", seen.keys[i]);
	return text;
}

static const char *list(struct world *w, struct mr_map *map)
{
	return list_some(w, map, 100);
}

static void test_inline(void **state)
{
	struct world *w = *state;
	struct mr_map *map = open_map(w, "inline", "{ B=1, a=2, {c d = 3 4} }");

	assert_string_equal(list(w, map), "a b c d");
	assert_int_equal(strlen(list_some(w, map, 1)) < 4, 1);
	mr_map_free(&map);
}

static void test_texthash(void **state)
{
	struct world *w = *state;
	const char *path = write_file(w, "t", "a 1\nb 2\nc 3\nd 4\ne 5\n", 100);
	struct mr_map *map = open_map(w, "texthash", path);

	assert_string_equal(list(w, map), "a b c d e");
	write_file(w, "t", "a 1\nb 2\nc 3\nd 4\nx 5\n", 0);
	w->now = mr_clock_ms() + 2 * SECOND;
	expect(w, map, "x", "5");               /* it is read again */
	assert_string_equal(list(w, map), "?"); /* and may be half of itself */
	mr_map_free(&map);
	map = open_map(w, "texthash", write_file(w, "t", "a 1\n", 100));
	assert_string_equal(list(w, map), "a");
	mr_map_free(&map);
	assert_int_equal(mr_map_open_later("texthash:/nowhere", &map,
				 &(struct mr_error){ "" }),
		0);
	assert_string_equal(list(w, map), "?");
	mr_map_free(&map);
}

static void test_lmdb(void **state)
{
	struct world *w = *state;
	const char *path = write_file(w, "t", "B@a.test 1\na@a.test 2\n", 100);
	struct mr_map *map;

	if (system("postconf -m 2>/dev/null | grep -qx lmdb") != 0) {
		print_error("SKIPPED: no postmap with lmdb here; install "
			    "postfix and postfix-lmdb\n");
		skip();
	}
	assert_int_equal(system(mr_arena_printf(w->arena,
				 "postmap lmdb:%s 2>/dev/null", path)),
		0);
	map = open_map(w, "lmdb", path);
	assert_string_equal(list(w, map), "a@a.test b@a.test");
	assert_string_equal(list_some(w, map, 1), "a@a.test");
	assert_string_equal(list(w, map), "a@a.test b@a.test");
	write_file(w, "t", "c@a.test 1\n", 100);
	assert_int_equal(system(mr_arena_printf(w->arena,
				 "postmap lmdb:%s 2>/dev/null", path)),
		0);
	assert_string_equal(list(w, map), "c@a.test");
	assert_int_equal(
		truncate(mr_arena_printf(w->arena, "%s.lmdb", path), 10), 0);
	assert_string_equal(list(w, map), "?");
	mr_map_free(&map);
}

/* --- Dovecot */

struct script {
	int listener;
	const char *text;
	char asked[256];
};

/* One client opens the map, the next one asks. */
static void *play(void *argument)
{
	struct script *script = argument;
	int fd = accept(script->listener, NULL, NULL);
	size_t length = 0;
	ssize_t got;

	close(fd);
	fd = accept(script->listener, NULL, NULL);
	while (strstr(script->asked, "LIST") == NULL ||
		script->asked[length - 1] != '\n') {
		got = recv(fd, script->asked + length,
			sizeof(script->asked) - 1 - length, 0);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	for (size_t at = 0; at < strlen(script->text); at += 7)
		if (send(fd, script->text + at, strnlen(script->text + at, 7),
			    MSG_NOSIGNAL) < 0)
			break;
	close(fd);
	return NULL;
}

static const struct {
	const char *name, *text, *want;
} scripts[] = {
	{ "some",
		"VERSION\t1\t2\nSPID\t1\nLIST\t1\tann@a.test\n"
		"LIST\t1\tbob@a.test\nDONE\t1\t\n",
		"ann@a.test bob@a.test" },
	{ "nobody", "VERSION\t1\t2\nSPID\t1\nDONE\t1\t\n", "" },
	{ "no field behind DONE", "VERSION\t1\t2\nLIST\t1\ta\nDONE\t1\n", "a" },
	{ "not allowed", "VERSION\t1\t2\nSPID\t1\nDONE\t1\tfail\n", "?" },
	{ "failed in the middle",
		"VERSION\t1\t2\nSPID\t1\nLIST\t1\tann@a.test\nDONE\t1\tfail\n",
		"?" },
	{ "hung up in the middle",
		"VERSION\t1\t2\nSPID\t1\nLIST\t1\tann@a.test\n", "?" },
	{ "hung up in a line",
		"VERSION\t1\t2\nSPID\t1\nLIST\t1\tann@a.test\nDONE\t1", "?" },
	{ "another id", "VERSION\t1\t2\nLIST\t2\tann@a.test\nDONE\t1\t\n",
		"?" },
	{ "another reply", "VERSION\t1\t2\nUSER\t1\tann@a.test\nDONE\t1\t\n",
		"?" },
	{ "another protocol", "VERSION\t2\t0\nLIST\t1\ta\nDONE\t1\t\n", "?" },
	{ "garbage", "VERSION\t1\t2\n\x80\nDONE\t1\t\n", "?" },
};

static void test_userdb(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct world *w = *state;
	char *path = path_of(w, "auth-userdb");

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct script script = { .text = scripts[i].text };
		struct mr_map *map;
		pthread_t thread;
		const char *got;

		strcpy(address.sun_path, path);
		script.listener = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(
			bind(script.listener, (struct sockaddr *)&address,
				sizeof(address)),
			0);
		assert_int_equal(listen(script.listener, 5), 0);
		assert_int_equal(
			pthread_create(&thread, NULL, play, &script), 0);
		map = open_map(w, "userdb", path);
		got = list(w, map);
		pthread_join(thread, NULL);
		if (strcmp(got, scripts[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", scripts[i].name,
				got, scripts[i].want);
		assert_string_equal(script.asked,
			"VERSION\t1\t1\nLIST\t1\tservice=lmtp\tuser=*\n");
		mr_map_free(&map);
		close(script.listener);
		unlink(path);
	}
}

static void test_types(void **state)
{
	(void)state;
	assert_true(mr_map_can_list("inline:{ a=b }"));
	assert_true(mr_map_can_list("texthash:/a"));
	assert_true(mr_map_can_list("lmdb:/a"));
	assert_true(mr_map_can_list("userdb:/a"));
	assert_false(mr_map_can_list("nonsense:/a"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_inline),
		TEST(test_texthash),
		TEST(test_lmdb),
		TEST(test_userdb),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
