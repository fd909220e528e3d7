/* test_effective - what applies to whom, and the published copy of it */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "tests/every_type.h"

#include <stdlib.h>

static const char policy[] = "hostname = mx.example\n"
			     "every {\n"
			     "\tsize = 1M\n"
			     "\tnumber = 2\n"
			     "\tword = tag\n"
			     "}\n"
			     "lists {\n"
			     "\tnumbers = 1 2 3\n"
			     "}\n"
			     "purge Trash Spam {\n"
			     "\tafter = 92d\n"
			     "}\n"
			     "check helo {\n"
			     "\taction = tag\n"
			     "}\n"
			     "listener 587 SMTPS {\n"
			     "\ttls = TLSv1.2\n"
			     "\tevery {\n"
			     "\t\tsize = 2M\n"
			     "\t\tpercent = 1%\n"
			     "\t}\n"
			     "}\n"
			     "domain Example.NET other.example {\n"
			     "\tevery {\n"
			     "\t\tsize = 3M\n"
			     "\t}\n"
			     "\tpurge Trash \"Sent Items\" {\n"
			     "\t\tafter = 14d\n"
			     "\t}\n"
			     "}\n"
			     "domain empty.example {\n"
			     "\ttls = no\n"
			     "}\n"
			     "group zeta {\n"
			     "\tmembers = lmdb:/etc/zeta inline:{ a=b, c=d }\n"
			     "\tlists {\n"
			     "\t\tnumbers = 4\n"
			     "\t}\n"
			     "}\n"
			     "group beta {\n"
			     "\tevery {\n"
			     "\t\tsize = 4M\n"
			     "\t}\n"
			     "}\n"
			     "user CEO@example.net {\n"
			     "\tevery {\n"
			     "\t\tnumber = 9\n"
			     "\t}\n"
			     "\tpurge spam {\n"
			     "\t\tkeep_flagged = no\n"
			     "\t}\n"
			     "}\n";

struct fixture {
	struct mr_arena *arena;
	struct mr_config *config;
};

static int set_up(void **state)
{
	struct fixture *f = mr_calloc(1, sizeof(*f));
	struct mr_problems problems;
	int result;

	f->arena = mr_arena_new(0);
	mr_problems_init(&problems, f->arena);
	result = mr_config_read_text(&every_schema, "t", policy,
		sizeof(policy) - 1, &f->config, &problems);
	mr_problems_print(&problems, stderr);
	*state = f;
	return result;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	mr_config_free(&f->config);
	mr_arena_free(&f->arena);
	free(f);
	return 0;
}

/* Somebody: rungs and titles. */
static struct mr_chain chain_of(const struct fixture *f, const char *user,
	const char *group, const char *domain, const char *listener)
{
	const char *titles[] = { user, group, domain, listener };
	struct mr_chain chain = { 0 };

	for (int rung = MR_USER; rung < MR_GLOBAL; rung++)
		if (titles[rung] != NULL) {
			chain.scope[rung] = mr_config_scope(
				f->config, (enum mr_rung)rung, titles[rung]);
			assert_non_null(chain.scope[rung]);
		}
	return chain;
}

static void test_precedence(void **state)
{
	static const struct {
		const char *user, *group, *domain, *listener;
		uint64_t megabytes;
		int64_t number, percent;
		unsigned size_line;
		enum mr_rung size_from;
	} cases[] = {
		{ NULL, NULL, NULL, NULL, 1, 2, 80, 3, MR_GLOBAL },
		{ NULL, NULL, NULL, "587", 2, 2, 1, 19, MR_LISTENER },
		{ NULL, NULL, NULL, "smtps", 2, 2, 1, 19, MR_LISTENER },
		{ NULL, NULL, "example.net", "587", 3, 2, 1, 25, MR_DOMAIN },
		{ NULL, NULL, "other.example", NULL, 3, 2, 80, 25, MR_DOMAIN },
		{ NULL, NULL, "empty.example", NULL, 1, 2, 80, 3, MR_GLOBAL },
		{ NULL, "beta", "example.net", "587", 4, 2, 1, 42, MR_GROUP },
		{ NULL, "zeta", NULL, "587", 2, 2, 1, 19, MR_LISTENER },
		{ "ceo@example.net", "beta", "example.net", "587", 4, 9, 1, 42,
			MR_GROUP },
		{ "ceo@example.net", NULL, NULL, NULL, 1, 9, 80, 3, MR_GLOBAL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_chain chain = chain_of(f, cases[i].user,
			cases[i].group, cases[i].domain, cases[i].listener);
		const struct mr_settings *s = mr_config_get(
			f->config, &chain, &every_scalar, NULL, f->arena);
		const struct every *e = s->values;
		struct mr_place at =
			mr_settings_place(s, offsetof(struct every, size));

		expect_number("size", (long long)(e->size >> 20),
			(long long)cases[i].megabytes);
		expect_number("number", e->number, cases[i].number);
		expect_number("percent", e->percent, cases[i].percent);
		expect_number("word", e->word, 2);
		expect_number("line", at.line, cases[i].size_line);
		expect_number("from", s->from[3], cases[i].size_from);
		at = mr_settings_place(s, offsetof(struct every, boolean));
		expect_text("default", at.file, NULL);
		expect_text(
			"default", mr_place_format(f->arena, &at), "default");
	}
	expect_done();
}

static void test_unset(void **state)
{
	struct fixture *f = *state;
	struct mr_chain chain = chain_of(f, NULL, "zeta", NULL, NULL);
	const struct every *e =
		mr_config_get(f->config, NULL, &every_scalar, NULL, f->arena)
			->values;
	const struct every_list *l =
		mr_config_get(f->config, NULL, &every_list, NULL, f->arena)
			->values;

	expect_number("boolean", e->boolean, true);
	expect_number("duration", e->duration, 0);
	expect_number("date", e->date, 0);
	expect_number("tls", e->tls, MR_UNSET);
	expect_number("network", e->network.ip.family, 0);
	expect_text("string", e->string, NULL);
	expect_number("words", (long long)l->words.count, 0);
	expect_number("numbers", (long long)l->numbers.count, 3);
	expect_number("percents", ((const int64_t *)l->percents.items)[1], 95);
	for (const struct mr_option *o = every_scalar.options; o->name; o++)
		if (o->initial == NULL && strcmp(o->name, "word") != 0)
			expect_text(o->name, mr_option_format(f->arena, o, e),
				NULL);
	/* a list replaces, it does not add */
	l = mr_config_get(f->config, &chain, &every_list, NULL, f->arena)
	            ->values;
	expect_number("numbers", (long long)l->numbers.count, 1);
	expect_done();
}

static void test_titles(void **state)
{
	struct fixture *f = *state;
	struct mr_chain chain =
		chain_of(f, "ceo@example.net", NULL, "example.net", NULL);
	static const char *const want[] = { "spam", "Trash", "Sent Items",
		"Spam", NULL };
	static const int64_t days[] = { 0, 14, 14, 92 };
	const char *const *titles =
		mr_config_titles(f->config, &chain, &every_purge, f->arena);
	const struct every_purge *purge;

	for (size_t i = 0; want[i] != NULL && titles[i] != NULL; i++) {
		expect_text("title", titles[i], want[i]);
		purge = mr_config_get(
			f->config, &chain, &every_purge, titles[i], f->arena)
		                ->values;
		expect_number(titles[i], purge->after, days[i] * 86400);
		expect_number(titles[i], purge->keep_flagged, i != 0);
	}
	assert_null(titles[4]);
	purge = mr_config_get(
		f->config, &chain, &every_purge, "nowhere", f->arena)
	                ->values;
	expect_number("nowhere", purge->after, 0);
	titles = mr_config_titles(f->config, NULL, &every_purge, f->arena);
	expect_text("first of the top", titles[0], "Trash");
	expect_text("last of the top", titles[1], "Spam");
	expect_text("no more", titles[2], NULL);
	expect_done();
}

static void test_scopes(void **state)
{
	static const char *const domains[] = { "example.net", "other.example",
		"empty.example" };
	struct fixture *f = *state;
	struct mr_chain chain = chain_of(f, NULL, NULL, NULL, "smtps");
	const struct mr_scope *s = mr_config_scopes(f->config, MR_DOMAIN);
	const struct every_port *port;

	for (size_t i = 0; i < 3; i++, s = s->next)
		expect_text("domain", s->title, domains[i]);
	assert_null(s);
	assert_null(mr_config_scope(f->config, MR_DOMAIN, "Example.NET"));
	assert_null(mr_config_scope(f->config, MR_USER, "nobody@x"));
	assert_non_null(mr_config_scope(f->config, MR_GLOBAL, ""));
	port = mr_config_get(f->config, &chain, &every_listener, NULL, f->arena)
	               ->values;
	expect_number("listener tls", port->tls, MR_TLS_1_2);
	expect_done();
}

static void add_up(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	char *text = context;

	snprintf(text + strlen(text), 20, "%d:%u:%u ", (int)scope->rung,
		(unsigned)(*(const uint64_t *)value >> 20), at->line);
}

static void test_each(void **state)
{
	struct fixture *f = *state;
	char text[200] = "";

	mr_config_each(f->config, &every_scalar, offsetof(struct every, size),
		add_up, text);
	expect_text("sizes", text, "4:1:3 3:2:19 3:2:19 2:3:25 2:3:25 1:4:42 ");
	expect_done();
}

static void test_publish(void **state)
{
	static const char want[] =
		"hostname = mx.example # t:1\n"
		"every {\n"
		"\tnumber = 2 # t:4\n"
		"\tsize = 1M # t:3\n"
		"\tword = tag # t:5\n"
		"}\n"
		"lists {\n"
		"\tnumbers = 1 2 3 # t:8\n"
		"}\n"
		"purge Trash {\n"
		"\tafter = 92d # t:11\n"
		"}\n"
		"purge Spam {\n"
		"\tafter = 92d # t:11\n"
		"}\n"
		"group zeta {\n"
		"\tmembers = lmdb:/etc/zeta \"inline:{ a=b, c=d }\" # t:35\n"
		"\tlists {\n"
		"\t\tnumbers = 4 # t:37\n"
		"\t}\n"
		"}\n"
		"group beta {\n"
		"\tevery {\n"
		"\t\tsize = 4M # t:42\n"
		"\t}\n"
		"}\n"
		"domain example.net {\n"
		"\tevery {\n"
		"\t\tsize = 3M # t:25\n"
		"\t}\n"
		"\tpurge Trash {\n"
		"\t\tafter = 14d # t:28\n"
		"\t}\n"
		"\tpurge \"Sent Items\" {\n"
		"\t\tafter = 14d # t:28\n"
		"\t}\n"
		"}\n";
	struct fixture *f = *state;
	struct mr_error error;
	char *text = NULL;
	const char *body;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	assert_int_equal(mr_config_publish(f->config, out, &error), 0);
	fclose(out);
	body = strstr(text, "hostname");
	assert_non_null(body);
	if (strncmp(body, want, sizeof(want) - 1) != 0)
		expect_text("published", body, want);
	assert_true(strstr(text, "domain other.example {") <
		    strstr(text, "listener 587 {"));
	assert_true(strstr(text, "listener smtps {") <
		    strstr(text, "user ceo@example.net {"));
	assert_null(strstr(text, "check helo"));
	assert_null(strstr(text, "empty.example"));
	free(text);
	expect_text("read again", every_compare_published(f->config, f->arena),
		NULL);
	out = fopen("/dev/full", "w");
	assert_int_equal(mr_config_publish(f->config, out, &error), -1);
	expect_part("full", error.text, "No space left");
	fclose(out);
	expect_done();
}

/* All the same, but worked out before. */
static void test_settled(void **state)
{
	struct fixture *f = *state;
	struct mr_chain chain = chain_of(f, NULL, "beta", NULL, NULL);
	const struct mr_settings *top;

	mr_config_settle(f->config);
	test_precedence(state);
	test_unset(state);
	test_titles(state);
	test_scopes(state);
	top = mr_config_get(f->config, NULL, &every_scalar, NULL, f->arena);
	assert_ptr_equal(
		mr_config_get(f->config, NULL, &every_scalar, NULL, f->arena),
		top);
	assert_ptr_not_equal(
		mr_config_get(f->config, &chain, &every_scalar, NULL, f->arena),
		top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_unset),
		cmocka_unit_test(test_titles),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_publish),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
