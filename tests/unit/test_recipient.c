/* test_recipient - aliases, catch-alls, details and loops.  The expected values
 * of rows marked P are what Postfix 3.7.11 delivered for the same tables, read
 * from its log. */
/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/arena.h"
#include "common/lookup/recipient.h"
#include "common/map/map.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char domains_text[] = "a.test x\nm.test x\nc.test x\n"
				   "xn--bcher-kva.test x\nall.test x\n";

static const char aliases_text[] =
	"a1@a.test one@sink.test\n"
	"a2@a.test one@sink.test, two@sink.test\n"
	"a3@a.test one@sink.test two@sink.test\n"
	"loopa@a.test loopb@a.test\n"
	"loopb@a.test loopa@a.test\n"
	"self@a.test self@a.test\n"
	"selfb@a.test selfb@a.test, one@sink.test\n"
	"bself@a.test one@sink.test, bself@a.test\n"
	"grow@a.test grow+x@a.test\n"
	"atdom@a.test @m.test\n"
	"atdom2@a.test one@sink.test, @m.test\n"
	"bare@a.test barename\n"
	"bare2@a.test barename2\n"
	"barename2 one@sink.test\n"
	"bad@a.test a b <c@sink.test> (comment), d@sink.test\n"
	"disp@a.test \"John, X\" <j@sink.test>\n"
	"\"q x\"@a.test qx@sink.test\n"
	"qt@a.test \"q y\"@sink.test\n"
	"@c.test x@c.test\n"
	"UP@a.test One@Sink.Test\n"
	"dot@a.test one@sink.test.\n"
	"chain@a.test chain2@x.test\n"
	"chain2@x.test m1@m.test\n"
	"dead@a.test nobody@m.test\n"
	"half@a.test nobody@m.test, m1@m.test, away@sink.test\n"
	"spec+x@a.test spec@sink.test\n"
	"spec@a.test plain@sink.test\n"
	"ext@a.test one+y@sink.test\n"
	"two1@a.test two2@a.test, two3@a.test\n"
	"two2@a.test two1@a.test\n"
	"two3@a.test two1@a.test\n"
	"mine@a.test m1@m.test\n"
	"twice@a.test m1@m.test, M1@m.test, mine@a.test\n"
	"m2@m.test m2@m.test\n"
	"jos\xc3\xa9@a.test m1@m.test\n"
	"nothing@a.test ,\n"
	"percent@a.test m1%m.test\n"
	"bang@a.test sink.test!m1%x\n"
	"J\xc3\x9cRG@a.test m1@m.test\n"
	"tolist@a.test all@a.test\n"
	"chainlist@a.test tolist@a.test\n"
	"mixed@a.test m1@m.test, chainlist@a.test, x@sink.test, all@m.test\n"
	"trash@a.test foo@\n"
	"@all.test @m.test\n";

static const char mailboxes_text[] = "m1@m.test x\nm2@m.test x\nx@c.test x\n"
				     "\"a b\"@m.test x\n"
				     "u+v@m.test x\n"
				     "j\xc3\xbcrgen@m.test x\n"
				     "me@xn--bcher-kva.test x\n";

struct row {
	const char *name, *address;
	enum mr_recipient_kind kind;
	const char *mailboxes, *remotes, *dead; /* joined by blanks */
	const char *via;
};

static const struct row rows[] = {
	{ "P percent hack", "percent+x@a.test", MR_RECIPIENT_MAILBOX,
		"m1@m.test", "", "", "alias" },
	{ "bang path", "bang@a.test", MR_RECIPIENT_REMOTE, "", "m1%x@sink.test",
		"", "alias" },
	{ "P UTF-8 in capitals", "j\xc3\xbcRG@a.test", MR_RECIPIENT_MAILBOX,
		"m1@m.test", "", "", "alias" },
	{ "P one target", "a1@a.test", MR_RECIPIENT_REMOTE, "", "one@sink.test",
		"", "alias" },
	{ "P detail goes on", "a1+d@a.test", MR_RECIPIENT_REMOTE, "",
		"one+d@sink.test", "", "alias" },
	{ "P other delimiter", "a1-d@a.test", MR_RECIPIENT_REMOTE, "",
		"one-d@sink.test", "", "alias" },
	{ "P first delimiter wins", "a1+d-e@a.test", MR_RECIPIENT_REMOTE, "",
		"one+d-e@sink.test", "", "alias" },
	{ "P empty detail", "a1+@a.test", MR_RECIPIENT_REMOTE, "",
		"one+@sink.test", "", "alias" },
	{ "P two targets", "a2+d@a.test", MR_RECIPIENT_REMOTE, "",
		"one+d@sink.test two+d@sink.test", "", "alias" },
	{ "P blanks separate", "a3@a.test", MR_RECIPIENT_REMOTE, "",
		"one@sink.test two@sink.test", "", "alias" },
	{ "P itself, no mailbox", "self@a.test", MR_RECIPIENT_UNKNOWN, "", "",
		"self@a.test", NULL },
	{ "P itself and another", "selfb@a.test", MR_RECIPIENT_REMOTE, "",
		"one@sink.test", "selfb@a.test", "alias" },
	{ "P itself with detail", "selfb+d@a.test", MR_RECIPIENT_REMOTE, "",
		"one+d@sink.test", "selfb+d@a.test", "alias" },
	{ "P another and itself", "bself@a.test", MR_RECIPIENT_REMOTE, "",
		"one@sink.test", "bself@a.test", "alias" },
	{ "P @otherdomain, unknown", "atdom@a.test", MR_RECIPIENT_UNKNOWN, "",
		"", "atdom@m.test", "alias" },
	{ "P @otherdomain, detail", "atdom+d@a.test", MR_RECIPIENT_UNKNOWN, "",
		"", "atdom+d@m.test", "alias" },
	{ "P @otherdomain only first", "atdom2@a.test", MR_RECIPIENT_REMOTE, "",
		"one@sink.test", "@m.test", "alias" },
	{ "P no domain", "bare@a.test", MR_RECIPIENT_REMOTE, "", "barename", "",
		"alias" },
	{ "P no domain, detail", "bare+d@a.test", MR_RECIPIENT_REMOTE, "",
		"barename+d", "", "alias" },
	{ "P no domain is asked", "bare2@a.test", MR_RECIPIENT_REMOTE, "",
		"one@sink.test", "", "alias" },
	{ "P phrase and comment", "bad@a.test", MR_RECIPIENT_REMOTE, "",
		"c@sink.test d@sink.test", "", "alias" },
	{ "P display name", "disp@a.test", MR_RECIPIENT_REMOTE, "",
		"j@sink.test", "", "alias" },
	{ "P quoted key", "\"q x\"@a.test", MR_RECIPIENT_REMOTE, "",
		"qx@sink.test", "", "alias" },
	{ "P quoted key, detail", "\"q x+d\"@a.test", MR_RECIPIENT_REMOTE, "",
		"qx+d@sink.test", "", "alias" },
	{ "P needless quotes", "\"a1\"@a.test", MR_RECIPIENT_REMOTE, "",
		"one@sink.test", "", "alias" },
	{ "P needless quotes, detail", "\"a1+d\"@a.test", MR_RECIPIENT_REMOTE,
		"", "one+d@sink.test", "", "alias" },
	{ "P quoted target", "qt@a.test", MR_RECIPIENT_REMOTE, "",
		"\"q y\"@sink.test", "", "alias" },
	{ "P quoted target, detail", "qt+d@a.test", MR_RECIPIENT_REMOTE, "",
		"\"q y+d\"@sink.test", "", "alias" },
	{ "P case", "uP@A.Test", MR_RECIPIENT_REMOTE, "", "one@sink.test", "",
		"alias" },
	{ "P dot at the end", "dot@a.test", MR_RECIPIENT_REMOTE, "",
		"one@sink.test", "", "alias" },
	{ "P through another domain", "chain@a.test", MR_RECIPIENT_MAILBOX,
		"m1@m.test", "", "", "alias" },
	{ "P detail through it all", "chain+d@a.test", MR_RECIPIENT_MAILBOX,
		"m1@m.test", "", "", "alias" },
	{ "P dead target", "dead@a.test", MR_RECIPIENT_UNKNOWN, "", "",
		"nobody@m.test", "alias" },
	{ "P full form first", "spec+X@a.test", MR_RECIPIENT_REMOTE, "",
		"spec@sink.test", "", "alias" },
	{ "P then the plain form", "spec+y@a.test", MR_RECIPIENT_REMOTE, "",
		"plain+y@sink.test", "", "alias" },
	{ "P detail behind detail", "ext+z@a.test", MR_RECIPIENT_REMOTE, "",
		"one+y+z@sink.test", "", "alias" },
	{ "P unknown mailbox", "nobody@m.test", MR_RECIPIENT_UNKNOWN, "", "",
		"nobody@m.test", NULL },
	{ "P mailbox", "m1@m.test", MR_RECIPIENT_MAILBOX, "m1@m.test", "", "",
		"mailbox" },
	{ "P mailbox, detail, case", "M1+X@M.test", MR_RECIPIENT_MAILBOX,
		"m1@m.test", "", "", "mailbox" },
	{ "P unknown alias", "nobody@a.test", MR_RECIPIENT_UNKNOWN, "", "",
		"nobody@a.test", NULL },
	{ "P owner- keeps its detail", "owner-a1@a.test", MR_RECIPIENT_UNKNOWN,
		"", "", "owner-a1@a.test", NULL },
	{ "P -request keeps it, too", "a1-request@a.test", MR_RECIPIENT_UNKNOWN,
		"", "", "a1-request@a.test", NULL },
	{ "P nothing before the detail", "+d@a.test", MR_RECIPIENT_UNKNOWN, "",
		"", "+d@a.test", NULL },
	{ "catch-all to a mailbox", "foo@c.test", MR_RECIPIENT_MAILBOX,
		"x@c.test", "", "", "catch-all" },
	{ "target of the catch-all", "x@c.test", MR_RECIPIENT_MAILBOX,
		"x@c.test", "", "", "mailbox" },
	{ "catch-all keeps the name", "m1+d@all.test", MR_RECIPIENT_MAILBOX,
		"m1@m.test", "", "", "catch-all" },
	{ "catch-all, nobody there", "no@all.test", MR_RECIPIENT_UNKNOWN, "",
		"", "no@m.test", "catch-all" },
	{ "three fates", "half@a.test", MR_RECIPIENT_MAILBOX, "m1@m.test",
		"away@sink.test", "nobody@m.test", "alias" },
	{ "each mailbox once", "twice@a.test", MR_RECIPIENT_MAILBOX,
		"m1@m.test", "", "", "alias" },
	{ "mailbox that is its own alias", "m2@m.test", MR_RECIPIENT_MAILBOX,
		"m2@m.test", "", "", "mailbox" },
	{ "quoted mailbox", "\"a b+c\"@m.test", MR_RECIPIENT_MAILBOX,
		"\"a b\"@m.test", "", "", "mailbox" },
	{ "mailbox with a delimiter", "u+v@m.test", MR_RECIPIENT_MAILBOX,
		"u+v@m.test", "", "", "mailbox" },
	{ "UTF-8 mailbox", "j\xc3\xbcrgen+x@m.test", MR_RECIPIENT_MAILBOX,
		"j\xc3\xbcrgen@m.test", "", "", "mailbox" },
	{ "UTF-8 alias", "jos\xc3\xa9@a.test", MR_RECIPIENT_MAILBOX,
		"m1@m.test", "", "", "alias" },
	{ "A-label domain", "me@xn--bcher-kva.test", MR_RECIPIENT_MAILBOX,
		"me@xn--bcher-kva.test", "", "", "mailbox" },
	{ "not an address in a table", "trash@a.test", MR_RECIPIENT_UNKNOWN, "",
		"", "foo@", "alias" },
	{ "angle brackets", "<m1@m.test>", MR_RECIPIENT_MAILBOX, "m1@m.test",
		"", "", "mailbox" },
	{ "source route", "<@relay.test:m1@m.test>", MR_RECIPIENT_MAILBOX,
		"m1@m.test", "", "", "mailbox" },
	{ "foreign", "who@elsewhere.test", MR_RECIPIENT_FOREIGN, "", "", "",
		NULL },
	{ "alias of a foreign domain", "chain2@x.test", MR_RECIPIENT_FOREIGN,
		"", "", "", NULL },
	{ "no domain", "postmaster", MR_RECIPIENT_FOREIGN, "", "", "", NULL },
	{ "null sender", "<>", MR_RECIPIENT_FOREIGN, "", "", "", NULL },
	{ "not an address", "a b@m.test", MR_RECIPIENT_FOREIGN, "", "", "",
		NULL },
};

static const struct {
	const char *name, *address, *why;
} hopeless[] = {
	{ "P loop", "loopa@a.test", "loopa@a.test lead back" },
	{ "P loop with branches", "two1@a.test", "two1@a.test lead back" },
	{ "P growing", "grow@a.test", "grow@a.test grow" },
	{ "no address", "nothing@a.test", "without an address" },
};

struct world {
	char directory[64];
	struct mr_arena *arena;
	struct mr_map *domains, *aliases, *mailboxes;
	struct mr_recipient_maps maps;
};

static struct mr_map *table(struct world *w, const char *name, const char *text)
{
	struct timespec long_ago[2] = { { 1, 0 }, { 1, 0 } };
	struct mr_error error;
	struct mr_map *map;
	char *path, *reference;
	FILE *file;

	path = mr_arena_printf(w->arena, "%s/%s", w->directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	/* What changed just now is not sure of what it has not. */
	assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
	reference = mr_arena_printf(w->arena, "texthash:%s", path);
	if (mr_map_open(reference, &map, &error) < 0)
		fail_msg("%s", error.text);
	unlink(path);
	return map;
}

static int begin(void **state)
{
	struct world *w = mr_calloc(1, sizeof(*w));

	strcpy(w->directory, "/tmp/test_recipient.XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	w->arena = mr_arena_new(0);
	w->domains = table(w, "domains", domains_text);
	w->aliases = table(w, "aliases", aliases_text);
	w->mailboxes = table(w, "mailboxes", mailboxes_text);
	w->maps = (struct mr_recipient_maps){ &w->domains, &w->aliases,
		&w->mailboxes, 1, 1, 1, "+-", NULL };
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
	rmdir(w->directory);
	free(w);
	return 0;
}

static const char *joined(struct mr_arena *arena, const char *const *list)
{
	const char *all = "";

	for (; *list != NULL; list++)
		all = mr_arena_printf(
			arena, "%s%s%s", all, all[0] == '\0' ? "" : " ", *list);
	return all;
}

static unsigned differs(
	const char *row, const char *what, const char *got, const char *want)
{
	if (got == want ||
		(got != NULL && want != NULL && strcmp(got, want) == 0))
		return 0;
	print_error("%s: %s: got \"%s\", want \"%s\"\n", row, what,
		got == NULL ? "(none)" : got, want == NULL ? "(none)" : want);
	return 1;
}

static const char *kind_name(enum mr_recipient_kind kind)
{
	switch (kind) {
	case MR_RECIPIENT_FOREIGN:
		return "foreign";
	case MR_RECIPIENT_MAILBOX:
		return "mailbox";
	case MR_RECIPIENT_REMOTE:
		return "remote";
	case MR_RECIPIENT_UNKNOWN:
		return "unknown";
	case MR_RECIPIENT_LIST:
		return "list";
	}
	return "?";
}

static void test_rows(void **state)
{
	struct world *w = *state;
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct mr_recipient_answer a;
		struct mr_error error;

		if (mr_recipient_find(&w->maps, row->address, INT64_MAX,
			    w->arena, &a, &error) != MR_FOUND) {
			print_error("%s: %s\n", row->name, error.text);
			wrong++;
			continue;
		}
		wrong += differs(row->name, "kind", kind_name(a.kind),
			kind_name(row->kind));
		wrong += differs(row->name, "mailboxes",
			joined(w->arena, a.mailboxes), row->mailboxes);
		wrong += differs(row->name, "remotes",
			joined(w->arena, a.remotes), row->remotes);
		wrong += differs(
			row->name, "dead", joined(w->arena, a.dead), row->dead);
		wrong += differs(row->name, "via", a.via, row->via);
	}
	assert_int_equal(wrong, 0);
}

static void test_hopeless(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(hopeless) / sizeof(hopeless[0]); i++) {
		struct mr_recipient_answer answer;
		struct mr_error error = { "" };
		enum mr_lookup found =
			mr_recipient_find(&w->maps, hopeless[i].address,
				INT64_MAX, w->arena, &answer, &error);

		if (found != MR_TEMPFAIL ||
			strstr(error.text, hopeless[i].why) == NULL)
			fail_msg("%s: got %d \"%s\", want \"%s\"",
				hopeless[i].name, found, error.text,
				hopeless[i].why);
	}
}

/* Exactly the limit is fine, one more is not; each target once in a chain. */
static void chain(struct world *w, unsigned n, enum mr_lookup want)
{
	struct mr_recipient_answer answer;
	struct mr_error error = { "" };
	char *text = mr_calloc(n + 1, 40), *out = text;
	struct mr_map *deep;
	enum mr_lookup got;

	for (unsigned i = 0; i < n; i++)
		out += sprintf(out, "c%u@a.test c%u@a.test\n", i, i + 1);
	deep = table(w, "deep", text);
	w->maps.aliases = &deep;
	got = mr_recipient_find(
		&w->maps, "c0@a.test", INT64_MAX, w->arena, &answer, &error);
	if (got != want)
		fail_msg("chain of %u: got %d, want %d", n, got, want);
	w->maps.aliases = &w->aliases;
	mr_map_free(&deep);
	free(text);
}

static void fan(struct world *w, unsigned n, enum mr_lookup want)
{
	struct mr_recipient_answer answer;
	struct mr_error error = { "" };
	char *text = mr_calloc(n + 1, 40), *out = text;
	struct mr_map *wide;
	enum mr_lookup got;

	out += sprintf(out, "f@a.test");
	for (unsigned i = 0; i < n; i++)
		out += sprintf(out, " f%u@sink.test,", i);
	wide = table(w, "wide", text);
	w->maps.aliases = &wide;
	got = mr_recipient_find(
		&w->maps, "f@a.test", INT64_MAX, w->arena, &answer, &error);
	if (got != want)
		fail_msg("%u targets: got %d, want %d", n, got, want);
	w->maps.aliases = &w->aliases;
	mr_map_free(&wide);
	free(text);
}

static void test_limits(void **state)
{
	chain(*state, MR_ALIAS_DEPTH - 1, MR_FOUND);
	chain(*state, MR_ALIAS_DEPTH, MR_TEMPFAIL);
	fan(*state, MR_ALIAS_TARGETS, MR_FOUND);
	fan(*state, MR_ALIAS_TARGETS + 1, MR_TEMPFAIL);
}

/* A table that cannot be read makes the whole answer unsure, but only where it
 * is asked. */
static void test_broken_tables(void **state)
{
	struct world *w = *state;
	struct mr_recipient_answer answer;
	struct mr_error error = { "" };
	struct mr_map *broken;
	const struct mr_recipient_maps good = w->maps;
	struct mr_recipient_maps bad;

	assert_int_equal(
		mr_map_open_later("texthash:/nowhere/at/all", &broken, &error),
		0);
	bad = good;
	bad.domains = &broken;
	assert_int_equal(mr_recipient_find(&bad, "m1@m.test", INT64_MAX,
				 w->arena, &answer, &error),
		MR_TEMPFAIL);
	assert_non_null(strstr(error.text, "texthash:/nowhere/at/all"));
	bad = good;
	bad.aliases = &broken;
	assert_int_equal(mr_recipient_find(&bad, "m1@m.test", INT64_MAX,
				 w->arena, &answer, &error),
		MR_TEMPFAIL);
	assert_int_equal(mr_recipient_find(&bad, "who@elsewhere.test",
				 INT64_MAX, w->arena, &answer, &error),
		MR_FOUND);
	bad = good;
	bad.mailboxes = &broken;
	assert_int_equal(mr_recipient_find(&bad, "half@a.test", INT64_MAX,
				 w->arena, &answer, &error),
		MR_TEMPFAIL);
	assert_int_equal(mr_recipient_find(&bad, "a1@a.test", INT64_MAX,
				 w->arena, &answer, &error),
		MR_FOUND);
	mr_map_free(&broken);
}

static void test_missing_tables(void **state)
{
	struct world *w = *state;
	struct mr_recipient_maps maps = w->maps;
	struct mr_recipient_answer answer;
	struct mr_error error;

	maps.n_mailboxes = 0;
	assert_int_equal(mr_recipient_find(&maps, "nobody@m.test", INT64_MAX,
				 w->arena, &answer, &error),
		MR_FOUND);
	assert_int_equal(answer.kind, MR_RECIPIENT_FOREIGN);
	assert_null(answer.remotes[0]);
	assert_int_equal(mr_recipient_find(&maps, "mine@a.test", INT64_MAX,
				 w->arena, &answer, &error),
		MR_FOUND);
	assert_int_equal(answer.kind, MR_RECIPIENT_REMOTE);
	assert_string_equal(answer.remotes[0], "m1@m.test");
	maps.n_aliases = 0;
	maps.n_domains = 0;
	assert_int_equal(mr_recipient_find(&maps, "m1@m.test", INT64_MAX,
				 w->arena, &answer, &error),
		MR_FOUND);
	assert_int_equal(answer.kind, MR_RECIPIENT_FOREIGN);
}

/* However an alias leads to a list, it is seen; and only ours are lists. */
static void test_lists(void **state)
{
	static const char *const lists[] = { "all@*", "staff@m.test", NULL };
	static const struct {
		const char *address, *lists, *targets;
	} given[] = {
		{ "all@a.test", "all@a.test", "" },
		{ "ALL@A.test", "all@a.test", "" },
		{ "all+x@a.test", "all@a.test", "" },
		{ "all-x@a.test", "all@a.test", "" },
		{ "\"all\"@a.test", "all@a.test", "" },
		{ "\"all+x\"@a.test", "all@a.test", "" },
		{ "<@x.test:all@a.test>", "all@a.test", "" },
		{ "all@a.test.", "all@a.test", "" },
		{ "all@c.test", "all@c.test", "" },
		{ "staff@m.test", "staff@m.test", "" },
		{ "staff@a.test", "", "staff@a.test" },
		{ "all@sink.test", "", "" },
		{ "all2@a.test", "", "all2@a.test" },
		{ "tolist@a.test", "all@a.test", "" },
		{ "tolist+y@a.test", "all@a.test", "" },
		{ "chainlist@a.test", "all@a.test", "" },
		{ "mixed@a.test", "all@a.test all@m.test",
			"m1@m.test x@sink.test" },
	};
	struct world *w = *state;
	struct mr_recipient_answer answer;
	struct mr_error error;

	w->maps.lists = lists;
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		const char *row = given[i].address;

		if (mr_recipient_find(&w->maps, row, INT64_MAX, w->arena,
			    &answer, &error) != MR_FOUND)
			fail_msg("%s: %s", row, error.text);
		if (differs(row, "lists", joined(w->arena, answer.lists),
			    given[i].lists) +
				differs(row, "targets",
					joined(w->arena, answer.targets),
					given[i].targets) +
				differs(row, "kind",
					answer.kind == MR_RECIPIENT_LIST
						? "list"
						: "other",
					*given[i].lists != '\0' ? "list"
								: "other") >
			0)
			fail();
	}
	w->maps.lists = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, begin, end),
		cmocka_unit_test_setup_teardown(test_lists, begin, end),
		cmocka_unit_test_setup_teardown(test_hopeless, begin, end),
		cmocka_unit_test_setup_teardown(test_limits, begin, end),
		cmocka_unit_test_setup_teardown(test_broken_tables, begin, end),
		cmocka_unit_test_setup_teardown(
			test_missing_tables, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
