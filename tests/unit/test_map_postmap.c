/* test_map_postmap - what only Postfix can read, through the real postmap(1).
 */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/map_world.h"

#include "common/map/postmap_run.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* Zombies and what still runs. */
static unsigned children(void)
{
	char path[64], text[4096] = "";
	unsigned n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	file = fopen(path, "r");
	if (file == NULL || fgets(text, sizeof(text), file) == NULL)
		text[0] = '\0';
	if (file != NULL)
		fclose(file);
	for (char *at = text; *at != '\0'; at++)
		n += *at == ' ';
	return n;
}

static void test_hash(void **state)
{
	struct world *w = *state;
	struct mr_map *map;

	need_postmap("hash");
	postmap(w, "hash", "table", "Key@Example.ORG value, with more\nb 2\n");
	map = open_map(w, "hash", path_of(w, "table"));
	expect(w, map, "key@example.org", "value, with more");
	expect(w, map, "b", "2");
	expect(w, map, "c", "-");
	expect(w, map, "", "-");
	expect(w, map, "-", "?");
	expect(w, map, "-q", "?");
	expect(w, map, "b\nc", "?");
	expect(w, map, "b\177", "?");
	expect(w, map, "$(touch /tmp/x); `x` 'y'", "-");
	assert_false(mr_map_wants_whole(map));
	set_age(path_of(w, "table.db"), 50);
	w->now += SECOND;
	expect(w, map, "b", "2");
	postmap(w, "hash", "table", "c 3\n");
	w->now += SECOND;
	expect(w, map, "b", "-");
	expect(w, map, "c", "3");
	unlink(path_of(w, "table.db"));
	w->now += SECOND;
	expect(w, map, "c", "?");
	expect(w, map, "d", "?");
	postmap(w, "hash", "table", "c 4\n");
	w->now += SECOND;
	expect(w, map, "c", "4");
	mr_map_free(&map);
	assert_int_equal(children(), 0);
}

static void test_other_types(void **state)
{
	struct world *w = *state;
	struct mr_error error;
	struct mr_map *map;
	char *reference;

	need_postmap("regexp");
	write_file(w, "patterns", "/^a.*@/ found\n/(/ broken\n", 100);
	map = open_map(w, "regexp", path_of(w, "patterns"));
	expect(w, map, "abc@a.test", "found");
	expect(w, map, "xyz@a.test", "-"); /* warnings are no failure */
	assert_true(mr_map_wants_whole(map));
	write_file(w, "patterns", "/^x/ found\n", 0);
	w->now += SECOND;
	expect(w, map, "xyz@a.test", "found");
	expect(w, map, "abc@a.test", "?"); /* maybe half saved */
	w->now += 5 * SECOND;
	expect(w, map, "abc@a.test", "-");
	mr_map_free(&map);
	map = open_map(w, "static", "all of them");
	expect(w, map, "anything", "all of them");
	mr_map_free(&map);
	map = open_map(w, "fail", "x");
	expect(w, map, "anything", "?");
	mr_map_free(&map);
	map = open_map(w, "mongodb", "settings_in_main_cf");
	expect(w, map, "anything", "?"); /* this Postfix has no such type */
	mr_map_free(&map);
	reference = mr_arena_printf(w->arena, "hash:%s", path_of(w, "none"));
	assert_int_equal(mr_map_open(reference, &map, &error), -1);
	assert_non_null(strstr(error.text, "none.db: No such file"));
	assert_int_equal(children(), 0);
}

/* An answer is kept, but not for long, and not beyond a change of the file. */
static void test_cache(void **state)
{
	struct world *w = *state;
	struct mr_error error;
	const char *value;
	struct mr_map *map;
	int64_t start;

	need_postmap("hash");
	postmap(w, "hash", "table", "a 1\n");
	map = open_map(w, "hash", path_of(w, "table"));
	expect(w, map, "a", "1");
	expect(w, map, "b", "-");
	unlink(path_of(w, "table.db"));
	expect(w, map, "a", "1"); /* nobody was asked */
	expect(w, map, "b", "-");
	expect(w, map, "c", "?");
	w->now += SECOND;
	expect(w, map, "a", "?"); /* the change was seen */
	mr_map_free(&map);
	map = open_map(w, "static", "1");
	expect(w, map, "a", "1");
	start = mr_clock_ms();
	assert_int_equal(mr_map_get_at(map, w->arena, "a", w->now, start - 1,
				 &value, &error),
		MR_FOUND); /* without time for a process */
	assert_int_equal(mr_map_get_at(map, w->arena, "a", w->now + 10 * SECOND,
				 start - 1, &value, &error),
		MR_TEMPFAIL); /* too old */
	mr_map_free(&map);
}

/* A server that says nothing: postmap would wait for 100 s. */
static void test_deadline(void **state)
{
	struct world *w = *state;
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int64_t start;
	struct mr_error error;
	const char *value;
	struct mr_map *map;

	need_postmap("tcp");
	assert_int_equal(
		bind(listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(listener, 50), 0);
	getsockname(listener, (struct sockaddr *)&address, &length);
	map = open_map(w, "tcp",
		mr_arena_printf(
			w->arena, "127.0.0.1:%u", ntohs(address.sin_port)));
	start = mr_clock_ms();
	assert_int_equal(
		mr_map_get(map, w->arena, "a", start + 300, &value, &error),
		MR_TEMPFAIL);
	assert_in_range(mr_clock_ms() - start, 295, 5000);
	assert_non_null(strstr(error.text, "deadline"));
	assert_int_equal(children(), 0);
	close(listener);
	/* nobody there: postmap says so ten times, with pauses, then "fatal" */
	expect(w, map, "a", "?");
	assert_int_equal(children(), 0);
	mr_map_free(&map);
}

struct many {
	struct mr_map *map;
	int key;
	enum mr_lookup answer;
};

static void *ask_one(void *argument)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct many *many = argument;
	struct mr_error error;
	const char *value;
	char key[16];

	snprintf(key, sizeof(key), "k%d", many->key);
	many->answer = mr_map_get(
		many->map, arena, key, mr_clock_ms() + 60000, &value, &error);
	mr_arena_free(&arena);
	return NULL;
}

enum { MANY = 40 };

/* More at once than may run: all have their answer, each the right one. */
static void test_many(void **state)
{
	struct world *w = *state;
	pthread_t threads[MANY];
	struct many many[MANY];
	struct mr_map *map;
	char text[MANY * 16] = "";

	need_postmap("hash");
	for (int i = 0; i < MANY; i += 2)
		sprintf(text + strlen(text), "k%d yes\n", i);
	postmap(w, "hash", "table", text);
	map = open_map(w, "hash", path_of(w, "table"));
	for (int i = 0; i < MANY; i++) {
		many[i] = (struct many){ map, i, MR_TEMPFAIL };
		assert_int_equal(
			pthread_create(&threads[i], NULL, ask_one, &many[i]),
			0);
	}
	for (int i = 0; i < MANY; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(
			many[i].answer, i % 2 == 0 ? MR_FOUND : MR_NOTFOUND);
	}
	mr_map_free(&map);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_hash),
		TEST(test_other_types),
		TEST(test_cache),
		TEST(test_deadline),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
