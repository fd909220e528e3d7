/* test_map_userdb - Dovecot's protocol against a server that is slow, wrong or
 * hostile; what it does is told by the user asked for.  The real Dovecot is
 * tested end to end. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/map_server.h"

#include "common/map/userdb.h"

#include <limits.h>

/* With the id for each `#`. */
static void say_line(int fd, const char *line, unsigned id)
{
	char text[256] = "", number[16];
	size_t length = 0;

	snprintf(number, sizeof(number), "%u", id);
	for (; *line != '\0'; line++)
		if (*line == '#')
			length = strlen(strcat(text, number));
		else
			text[length++] = *line;
	say(fd, text, length);
}

static const struct {
	const char *user, *line; /* each # is the id */
} lines[] = {
	{ "ann@a.test", "USER\t#\tann@a.test\tuid=1\thome=/h\n" },
	{ "bare@a.test", "USER\t#\tbare@a.test\n" },
	{ "other@a.test", "USER\t#\tcanonical@a.test\tuid=1\n" },
	{ "no@a.test", "NOTFOUND\t#\n" },
	{ "no2@a.test", "NOTFOUND\t#\tuser=no2@a.test\n" },
	{ "fail@a.test", "FAIL\t#\treason=the database\x01is down\n" },
	{ "fail2@a.test", "FAIL\t#\n" },
	{ "wrongid@a.test", "USER\t1#\twrongid@a.test\n" },
	{ "minusid@a.test", "USER\t-#\tminusid@a.test\n" },
	{ "noname@a.test", "USER\t#\n" },
	{ "noname2@a.test", "USER\t#\t\tuid=1\n" },
	{ "noid@a.test", "USER\n" },
	{ "lower@a.test", "user\t#\tlower@a.test\n" },
	{ "garbage@a.test", "\x80\xff\n" },
	{ "empty@a.test", "\n" },
	{ "two@a.test", "USER\t#\ttwo@a.test\nUSER\t#\ttwo@a.test\n" },
	{ "version@a.test", "VERSION\t2\t0\nUSER\t#\tversion@a.test\n" },
	{ "unknown@a.test", "NEWS\tx\nUSER\t#\tunknown@a.test\n" },
	{ "half@a.test", "USER\t#\thalf@a" },
	{ "silent@a.test", "" },
};

static void say_a_lot(int fd, const char *user, unsigned id)
{
	char *text = mr_calloc(1, 1024 * 1024);

	if (strcmp(user, "huge@a.test") == 0) {
		memset(text, 'x', 1024 * 1024);
		say(fd, text, 1024 * 1024);
	} else if (strcmp(user, "greetings@a.test") == 0) {
		for (int i = 0; i < 100000; i++)
			memcpy(text + 8 * i, "SPID\t12\n", 8);
		say(fd, text, 8 * 100000);
	} else if (strcmp(user, "nul@a.test") == 0) {
		say(fd, "USER\0\t1\n", 8);
	} else if (strcmp(user, "long@a.test") == 0) {
		int length = sprintf(text, "USER\t%u\tlong@a.test\tx=", id);

		memset(text + length, 'x', 60000);
		text[length + 60000] = '\n';
		/* in pieces, as it may arrive */
		for (int i = 0; i < length + 60001; i += 20000)
			say(fd, text + i,
				length + 60001 - i < 20000
					? (size_t)(length + 60001 - i)
					: 20000);
	}
	free(text);
}

/* false: hang up. */
static bool answer(struct server *s, int fd, char *line)
{
	char *rest, *user;
	unsigned id;

	/* Not when accepted: opening a map connects, too, and asks nothing. */
	if (strcmp(line, "VERSION\t1\t1") == 0) {
		atomic_fetch_add(&s->connections, 1);
		return true;
	}
	if (strncmp(line, "USER\t", 5) != 0)
		return false;
	id = (unsigned)strtoul(line + 5, &rest, 10);
	user = rest + 1;
	rest = strchr(user, '\t');
	if (rest == NULL || strcmp(rest, "\tservice=lmtp") != 0)
		return false;
	*rest = '\0';
	if (strcmp(user, "hangup@a.test") == 0)
		return false;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strcmp(lines[i].user, user) == 0)
			say_line(fd, lines[i].line, id);
	say_a_lot(fd, user, id);
	return strcmp(user, "half@a.test") != 0;
}

static void converse(struct server *s, int fd)
{
	static const char hello[] = "VERSION\t1\t2\nSPID\t4711\n";
	char buffer[2048], *lf;
	size_t length = 0;
	ssize_t got;

	say(fd, hello, sizeof(hello) - 1);
	while ((got = recv(fd, buffer + length, sizeof(buffer) - 1 - length,
			0)) > 0) {
		length += (size_t)got;
		buffer[length] = '\0';
		while ((lf = strchr(buffer, '\n')) != NULL) {
			*lf = '\0';
			if (!answer(s, fd, buffer))
				return;
			length -= (size_t)(lf + 1 - buffer);
			memmove(buffer, lf + 1, length + 1);
		}
	}
}

static int begin_server(void **state)
{
	return begin_with(state, "auth-userdb", converse);
}

static const struct {
	const char *user, *want;
	bool keeps; /* the connection */
} rows[] = {
	{ "ann@a.test", "ann@a.test\tuid=1\thome=/h", true },
	{ "bare@a.test", "bare@a.test", true },
	{ "other@a.test", "canonical@a.test\tuid=1", true },
	{ "no@a.test", "-", true },
	{ "no2@a.test", "-", true },
	{ "fail@a.test", "?", true },
	{ "fail2@a.test", "?", true },
	{ "unknown@a.test", "unknown@a.test", true },
	{ "wrongid@a.test", "?", false },
	{ "minusid@a.test", "?", false },
	{ "noname@a.test", "?", false },
	{ "noname2@a.test", "?", false },
	{ "noid@a.test", "?", false },
	{ "lower@a.test", "?", false },
	{ "garbage@a.test", "?", false },
	{ "empty@a.test", "?", false },
	{ "version@a.test", "?", false },
	{ "half@a.test", "?", false },
	{ "hangup@a.test", "?", false },
	{ "nul@a.test", "?", false },
	{ "huge@a.test", "?", false },
	{ "greetings@a.test", "?", false },
	{ "tab\tann@a.test", "-", true },
	{ "lf\n@a.test", "-", true },
	{ "escape\001t@a.test", "-", true },
	{ "", "-", true },
};

static void test_replies(void **state)
{
	struct server *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mr_map *map = open_map(s->world, "userdb", s->path);

		expect_reply(s, map, "ann@a.test\tuid=1\thome=/h", rows[i].user,
			rows[i].want, rows[i].keeps);
		mr_map_free(&map);
	}
}

static void test_two_replies(void **state)
{
	struct server *s = *state;
	struct mr_map *map = open_map(s->world, "userdb", s->path);

	/* The second may come in the same packet, or after the answer: then it
	 * is the wrong reply to the next question. */
	ask(s->world, map, "two@a.test");
	ask(s->world, map, "no@a.test");
	expect(s->world, map, "ann@a.test", "ann@a.test\tuid=1\thome=/h");
	mr_map_free(&map);
}

static void test_long_reply(void **state)
{
	struct server *s = *state;
	struct mr_map *map = open_map(s->world, "userdb", s->path);

	assert_int_equal(strlen(ask(s->world, map, "long@a.test")),
		60000 + strlen("long@a.test\tx="));
	assert_true(mr_map_names_users(map));
	mr_map_free(&map);
}

static void test_deadline(void **state)
{
	struct server *s = *state;
	struct mr_map *map = open_map(s->world, "userdb", s->path);
	int64_t start_ms = mr_clock_ms();
	struct mr_error error;
	const char *value;

	assert_int_equal(mr_map_get(map, s->world->arena, "silent@a.test",
				 start_ms + 100, &value, &error),
		MR_TEMPFAIL);
	assert_in_range(mr_clock_ms() - start_ms, 95, 1000);
	assert_non_null(strstr(error.text, "deadline"));
	assert_int_equal(mr_map_get(map, s->world->arena, "ann@a.test",
				 start_ms - 1, &value, &error),
		MR_TEMPFAIL);
	expect(s->world, map, "ann@a.test", "ann@a.test\tuid=1\thome=/h");
	mr_map_free(&map);
}

static void test_restart(void **state)
{
	struct server *s = *state;
	struct mr_map *map = open_map(s->world, "userdb", s->path);
	char *reference =
		mr_arena_printf(s->world->arena, "userdb:%s", s->path);
	struct mr_map *other;
	struct mr_error error;

	expect(s->world, map, "no@a.test", "-");
	stop(s);
	start(s);
	expect(s->world, map, "no@a.test", "-"); /* nobody noticed */
	stop(s);
	expect(s->world, map, "no@a.test", "?");
	assert_int_equal(mr_map_open(reference, &other, &error), -1);
	start(s);
	expect(s->world, map, "no@a.test", "-");
	mr_map_free(&map);
}

struct asker {
	struct world *world;
	struct mr_map *map;
	int wrong;
};

static void *ask_much(void *argument)
{
	static const char *const users[] = { "ann@a.test", "no@a.test",
		"garbage@a.test", "bare@a.test" };
	static const enum mr_lookup wants[] = { MR_FOUND, MR_NOTFOUND,
		MR_TEMPFAIL, MR_FOUND };
	struct mr_arena *arena = mr_arena_new(0);
	struct asker *asker = argument;

	for (unsigned i = 0; i < 80; i++) {
		struct mr_error error;
		const char *value;

		if (mr_map_get(asker->map, arena, users[i % 4],
			    mr_clock_ms() + 5000, &value,
			    &error) != wants[i % 4])
			asker->wrong++;
	}
	mr_arena_free(&arena);
	return NULL;
}

static void test_crowd(void **state)
{
	struct server *s = *state;
	struct asker askers[CROWD];
	pthread_t threads[CROWD];
	struct mr_map *map = open_map(s->world, "userdb", s->path);

	for (int i = 0; i < CROWD; i++) {
		askers[i] = (struct asker){ s->world, map, 0 };
		assert_int_equal(
			pthread_create(&threads[i], NULL, ask_much, &askers[i]),
			0);
	}
	for (int i = 0; i < CROWD; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(askers[i].wrong, 0);
	}
	mr_map_free(&map);
}

static void test_parser(void **state)
{
	const char *rest;

	(void)state;
	assert_int_equal(
		mr_userdb_parse("USER\t4294967295\tx", UINT_MAX, &rest),
		MR_USERDB_USER);
	assert_string_equal(rest, "x");
	assert_int_equal(
		mr_userdb_parse("USER\t12\tx", 1, &rest), MR_USERDB_GARBAGE);
	assert_int_equal(
		mr_userdb_parse("VERSION\t1\t9", 1, &rest), MR_USERDB_GREETING);
	assert_int_equal(
		mr_userdb_parse("VERSION\t11\t9", 1, &rest), MR_USERDB_GARBAGE);
	assert_int_equal(
		mr_userdb_parse("SPID\t1", 1, &rest), MR_USERDB_GREETING);
	assert_int_equal(
		mr_userdb_parse("FAIL\t1", 2, &rest), MR_USERDB_GARBAGE);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, begin_server, end_server)
	const struct CMUnitTest tests[] = {
		TEST(test_replies),
		TEST(test_two_replies),
		TEST(test_long_reply),
		TEST(test_deadline),
		TEST(test_restart),
		TEST(test_crowd),
		cmocka_unit_test(test_parser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
