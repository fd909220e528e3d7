/* test_map_socketmap - netstrings with a server that is slow, wrong or hostile;
 * what it does is told by the key asked for. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/map_server.h"

#include "common/map/socketmap.h"

#include <netinet/in.h>

static const struct {
	const char *key, *raw, *want;
	bool keeps; /* the connection */
} rows[] = {
	{ "ann@a.test", "8:OK value,", "value", true },
	{ "blanks@a.test", "10:OK  a, b ,,", " a, b ,", true },
	{ "empty@a.test", "3:OK ,", "", true },
	{ "no@a.test", "9:NOTFOUND ,", "-", true },
	{ "no2@a.test", "8:NOTFOUND,", "-", true },
	{ "no3@a.test", "17:NOTFOUND at\033 all.,", "-", true },
	{ "temp@a.test", "13:TEMP its\ndown,", "?", true },
	{ "time@a.test", "8:TIMEOUT ,", "?", true },
	{ "perm@a.test", "9:PERM what,", "?", true },
	{ "word@a.test", "7:MAYBE x,", "?", true },
	{ "lower@a.test", "8:ok value,", "?", true },
	{ "bare@a.test", "2:OK,", "?", true },
	{ "near@a.test", "11:NOTFOUNDING,", "?", true },
	{ "nothing@a.test", "0:,", "?", true },
	{ "more@a.test", "4:OK x,4:OK y,", "?", false },
	{ "short@a.test", "5:OK value,", "?", false },
	{ "nocomma@a.test", "8:OK value;", "?", false },
	{ "nolength@a.test", ":OK value,", "?", false },
	{ "minus@a.test", "-8:OK value,", "?", false },
	{ "zero@a.test", "08:OK value,", "?", false },
	{ "blank@a.test", " 8:OK value,", "?", false },
	{ "plain@a.test", "OK value\n", "?", false },
	{ "long@a.test", "100001:OK x", "?", false },
	{ "wraps@a.test", "18446744073709551619:OK ,", "?", false },
	{ "half@a.test", "8:OK va", "?", false },
	{ "hangup@a.test", "", "?", false },
};

static void say_largest(int fd, size_t value)
{
	char *text = mr_calloc(1, value + 32);
	int length = sprintf(text, "%zu:OK ", value + 3);

	memset(text + length, 'x', value);
	text[(size_t)length + value] = ',';
	say(fd, text, (size_t)length + value + 1);
	free(text);
}

static void say_digits(int fd)
{
	char digits[1000];

	memset(digits, '1', sizeof(digits));
	for (int i = 0; i < 1000; i++)
		say(fd, digits, sizeof(digits));
}

/* An octet each 20 ms: never silent, never done. */
static void say_slowly(int fd)
{
	const struct timespec pause = { 0, 20 * 1000 * 1000 };

	say(fd, "90000:OK ", 9);
	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		nanosleep(&pause, NULL);
}

/* false: hang up. */
static bool answer(int fd, const char *key)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].key, key) == 0) {
			say(fd, rows[i].raw, strlen(rows[i].raw));
			return strcmp(key, "half@a.test") != 0 &&
			       strcmp(key, "hangup@a.test") != 0;
		}
	if (strcmp(key, "largest@a.test") == 0)
		say_largest(fd, MR_MAP_VALUE_LONGEST);
	else if (strcmp(key, "larger@a.test") == 0)
		say_largest(fd, MR_SOCKETMAP_LONGEST - 3);
	else if (strcmp(key, "nul@a.test") == 0)
		say(fd, "5:OK \0x,", 8);
	else if (strcmp(key, "digits@a.test") == 0)
		say_digits(fd);
	else if (strcmp(key, "slow@a.test") == 0)
		say_slowly(fd);
	return true; /* any other: says nothing */
}

static void converse(struct server *s, int fd)
{
	char buffer[2048], *request, *rest;
	bool first = true;
	ssize_t got;

	while ((got = recv(fd, buffer, sizeof(buffer) - 1, 0)) > 0) {
		buffer[got] = '\0';
		request = strchr(buffer, ':');
		rest = buffer + got - 1;
		if (request == NULL || *rest != ',' ||
			atoi(buffer) != rest - request - 1 ||
			strncmp(request, ":table ", 7) != 0)
			return; /* we asked wrongly */
		if (first)
			atomic_fetch_add(&s->connections, 1);
		first = false;
		*rest = '\0';
		if (!answer(fd, request + 7))
			return;
	}
}

static int begin_server(void **state)
{
	return begin_with(state, "map", converse);
}

static struct mr_map *open_socketmap(struct server *s)
{
	return open_map(s->world, "socketmap",
		mr_arena_printf(s->world->arena, "unix:%s:table", s->path));
}

static void test_replies(void **state)
{
	struct server *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mr_map *map = open_socketmap(s);

		expect_reply(s, map, "value", rows[i].key, rows[i].want,
			rows[i].keeps);
		mr_map_free(&map);
	}
}

static void test_hostile(void **state)
{
	struct server *s = *state;
	struct world *w = s->world;
	struct mr_map *map = open_socketmap(s);
	int64_t start_ms;
	struct mr_error error;
	const char *value;

	expect(w, map, "nul@a.test", "?");
	expect(w, map, "digits@a.test", "?");
	expect(w, map, "larger@a.test",
		"?"); /* a reply, but no value of ours */
	assert_int_equal(
		strlen(ask(w, map, "largest@a.test")), MR_MAP_VALUE_LONGEST);
	start_ms = mr_clock_ms();
	assert_int_equal(mr_map_get(map, w->arena, "slow@a.test",
				 start_ms + 200, &value, &error),
		MR_TEMPFAIL);
	assert_non_null(strstr(error.text, "deadline"));
	assert_int_equal(mr_map_get(map, w->arena, "silent@a.test",
				 start_ms + 300, &value, &error),
		MR_TEMPFAIL);
	assert_in_range(mr_clock_ms() - start_ms, 295, 1500);
	assert_int_equal(mr_map_get(map, w->arena, "ann@a.test", start_ms,
				 &value, &error),
		MR_TEMPFAIL);
	expect(w, map, "ann@a.test", "value");
	assert_true(mr_map_wants_whole(map));
	mr_map_free(&map);
}

static void test_reasons(void **state)
{
	struct server *s = *state;
	struct mr_map *map = open_socketmap(s);
	struct mr_error error;
	const char *value;

	mr_map_get(map, s->world->arena, "temp@a.test", mr_clock_ms() + 5000,
		&value, &error);
	assert_non_null(strstr(error.text, "a temporary error: its?down"));
	mr_map_get(map, s->world->arena, "time@a.test", mr_clock_ms() + 5000,
		&value, &error);
	assert_non_null(strstr(error.text, "says a time-out"));
	mr_map_free(&map);
}

static void test_restart(void **state)
{
	struct server *s = *state;
	struct mr_map *map = open_socketmap(s);

	expect(s->world, map, "no@a.test", "-");
	stop(s);
	start(s);
	expect(s->world, map, "no@a.test", "-"); /* nobody noticed */
	stop(s);
	expect(s->world, map, "no@a.test", "?");
	start(s);
	expect(s->world, map, "no@a.test", "-");
	mr_map_free(&map);
}

/* Nobody accepts: the kernel connects, and then there is silence. */
static void test_inet(void **state)
{
	struct server *s = *state;
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
	char request[64];
	struct mr_error error;
	struct mr_map *map;
	const char *value;

	assert_int_equal(
		bind(listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(listener, 5), 0);
	getsockname(listener, (struct sockaddr *)&address, &length);
	map = open_map(s->world, "socketmap",
		mr_arena_printf(s->world->arena, "inet:localhost:%u:table",
			ntohs(address.sin_port)));
	close(accept(listener, NULL, NULL)); /* opening asks nothing */
	assert_int_equal(mr_map_get(map, s->world->arena, "ann@a.test",
				 mr_clock_ms() + 100, &value, &error),
		MR_TEMPFAIL);
	assert_non_null(strstr(error.text, "deadline"));
	fd = accept(listener, NULL, NULL);
	assert_int_equal(recv(fd, request, sizeof(request), 0), 20);
	assert_memory_equal(request, "16:table ann@a.test,", 20);
	close(fd);
	close(listener);
	expect(s->world, map, "ann@a.test", "?");
	mr_map_free(&map);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, begin_server, end_server)
	const struct CMUnitTest tests[] = {
		TEST(test_replies),
		TEST(test_hostile),
		TEST(test_reasons),
		TEST(test_restart),
		TEST(test_inet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
