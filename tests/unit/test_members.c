/* test_members - who a list reaches: the live mailboxes of its domain, all of
 * them or nobody. */
/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/arena.h"
#include "common/lookup/members.h"
#include "common/map/map.h"

#include <stdlib.h>
#include <string.h>

static const char domains[] = "inline:{ a.test=x, b.test=x, none.test=x }";
static const char aliases[] =
	"inline:{ bob@a.test=x@elsewhere.test, ann@a.test=all@a.test }";
static const char mailboxes[] =
	"inline:{ ann@a.test=x, Bob@A.test=x, list+x@a.test=x, {\"q r\"@a.test = x},"
	" cat@b.test=x, @none.test=x, all@a.test=x, dan=x, nonsense@=x }";

struct world {
	struct mr_arena *arena;
	struct mr_map *domains, *aliases, *mailboxes;
	struct mr_recipient_maps maps;
};

static struct mr_map *open_map(const char *reference)
{
	struct mr_error error;
	struct mr_map *map;

	if (mr_map_open_later(reference, &map, &error) < 0)
		fail_msg("%s", error.text);
	return map;
}

static int begin(void **state)
{
	static const char *const lists[] = { "all@*", NULL };
	struct world *w = mr_calloc(1, sizeof(*w));

	w->arena = mr_arena_new(0);
	w->domains = open_map(domains);
	w->aliases = open_map(aliases);
	w->mailboxes = open_map(mailboxes);
	w->maps = (struct mr_recipient_maps){ &w->domains, &w->aliases,
		&w->mailboxes, 1, 1, 1, "+", lists };
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	mr_map_free(&w->domains);
	mr_map_free(&w->aliases);
	mr_map_free(&w->mailboxes);
	mr_arena_free(&w->arena);
	free(w);
	return 0;
}

/* "address address...; dead", or "?: why". */
static const char *find(
	struct world *w, const char *list, struct mr_map *from, size_t most)
{
	struct mr_members_query query = { .maps = &w->maps,
		.from = &from,
		.n_from = from == NULL ? 0 : 1,
		.list = list,
		.most = most,
		.deadline_ms = INT64_MAX };
	struct mr_members members;
	struct mr_error error;
	const char *text = "";

	if (mr_members_find(&query, w->arena, &members, &error) < 0)
		return mr_arena_printf(w->arena, "?: %s", error.text);
	for (size_t i = 0; i < members.n; i++) {
		assert_string_equal(
			members.of[i].address, members.of[i].mailbox);
		text = mr_arena_printf(
			w->arena, "%s%s ", text, members.of[i].address);
	}
	return mr_arena_printf(w->arena, "%s; %zu", text, members.dead);
}

/* Not the list itself, no catch-all, nobody of another domain; also who
 * forwards his mail. */
static void test_mailboxes(void **state)
{
	struct world *w = *state;

	assert_string_equal(find(w, "all@a.test", NULL, 100),
		"\"q r\"@a.test ann@a.test bob@a.test list+x@a.test ; 1");
	assert_string_equal(find(w, "all@b.test", NULL, 100), "cat@b.test ; 1");
	assert_string_equal(find(w, "all@none.test", NULL, 100), "; 1");
}

static void test_table(void **state)
{
	struct world *w = *state;
	struct mr_map *from = open_map("inline:{ ANN@a.test=x, ann=x, bob=x,"
				       " gone@a.test=x, cat@b.test=x,"
				       " all@a.test=x, @a.test=x }");

	assert_string_equal(
		find(w, "some@a.test", from, 100), "ann@a.test bob@a.test ; 1");
	assert_string_equal(find(w, "some@none.test", from, 100), "; 2");
	mr_map_free(&from);
}

static void test_trouble(void **state)
{
	struct world *w = *state;
	struct mr_map *broken = open_map("texthash:/nowhere");

	assert_non_null(strstr(find(w, "all@a.test", NULL, 4),
		"?: all@a.test has more than 4 members"));
	assert_string_equal(find(w, "all@a.test", NULL, 5),
		find(w, "all@a.test", NULL, 100));
	assert_non_null(
		strstr(find(w, "all@a.test", broken, 100), "?: texthash:"));
	w->maps.domains = &broken;
	assert_non_null(
		strstr(find(w, "all@a.test", NULL, 100), "?: texthash:"));
	w->maps.domains = &w->domains;
	mr_map_free(&broken);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_mailboxes),
		TEST(test_table),
		TEST(test_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
