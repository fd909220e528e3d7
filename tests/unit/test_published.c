/* test_published - what one address needs of the published copy, against the
 * policy that it was made of */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "tests/unit/files.h"
#include "common/base/arena.h"
#include "common/config/published.h"
#include "common/config/sections.h"

#include <fcntl.h>
#include <unistd.h>

#define COPY "mailbox.conf"

static struct mr_config *read_policy(const char *text, struct mr_arena *arena)
{
	struct mr_config *config = NULL;
	struct mr_problems problems;

	mr_problems_init(&problems, arena);
	if (mr_config_read_text(mr_mailbox_schema(), "policy", text,
		    strlen(text), &config, &problems) < 0)
		mr_problems_print(&problems, stderr);
	assert_non_null(config);
	return config;
}

static void publish(const struct mr_config *config)
{
	FILE *out = fopen(COPY, "w");
	struct mr_error error;

	assert_non_null(out);
	assert_int_equal(mr_config_publish(config, out, &error), 0);
	fclose(out);
	chmod(COPY, 0644);
}

static uint64_t quota_of(const struct mr_config *config,
	const struct mr_chain *chain, struct mr_arena *arena,
	struct mr_place *at)
{
	const struct mr_settings *settings =
		mr_config_get(config, chain, &mr_section_mailbox, NULL, arena);
	const struct mr_mailbox *mailbox = settings->values;

	*at = mr_settings_place(settings, offsetof(struct mr_mailbox, quota));
	return mailbox->quota;
}

/* The same answer as from the whole policy, and the place that it names. */
static void expect_same(
	const struct mr_config *config, const char *address, const char *origin)
{
	struct mr_arena *arena = mr_arena_new(1024);
	const char *at = strrchr(address, '@');
	struct mr_chain chain = { 0 };
	struct mr_published *published;
	struct mr_place place;
	struct mr_error error;
	uint64_t want;

	chain.scope[MR_USER] = mr_config_scope(config, MR_USER, address);
	if (at != NULL)
		chain.scope[MR_DOMAIN] =
			mr_config_scope(config, MR_DOMAIN, at + 1);
	want = quota_of(config, &chain, arena, &place);
	if (mr_published_read(COPY, address, &published, &error) < 0) {
		expect_text(address, error.text, "no error");
	} else {
		expect_number(address,
			(long long)quota_of(mr_published_config(published),
				mr_published_chain(published), arena, &place),
			(long long)want);
		if (origin != NULL)
			expect_text(address,
				mr_published_origin(published, &place, arena),
				origin);
	}
	mr_published_free(&published);
	mr_arena_free(&arena);
}

static void test_addresses(void **state)
{
	static const char policy[] = "mailbox {\n"
				     "\tquota = 1M\n"
				     "}\n"
				     "domain b.example a.example {\n"
				     "\tmailbox {\n"
				     "\t\tquota = 2M\n"
				     "\t}\n"
				     "}\n"
				     "domain c.example {\n"
				     "\tpurge \"My Trash\" \"#x\" {\n"
				     "\t\tafter = 9d\n"
				     "\t}\n"
				     "}\n"
				     "group g {\n"
				     "\tmembers = inline:{ x@a.example=y }\n"
				     "}\n"
				     "user \"o'neill{x}#@a.example\" {\n"
				     "\tmailbox {\n"
				     "\t\tquota = 3M\n"
				     "\t}\n"
				     "}\n"
				     "user z@z.example {\n"
				     "\tmailbox {\n"
				     "\t\tquota = 4M\n"
				     "\t}\n"
				     "}\n";
	static const char *const addresses[][2] = {
		{ "ann@a.example", "policy:6" },
		{ "ann@b.example", "policy:6" },
		{ "ann@c.example", "policy:2" },
		{ "ann@0.example", "policy:2" },
		{ "ann@zz.example", "policy:2" },
		{ "o'neill{x}#@a.example", "policy:19" },
		{ "z@z.example", "policy:24" },
		{ "zz@z.example", "policy:2" },
		{ "ann", "policy:2" },
		{ "", "policy:2" },
		{ "@", "policy:2" },
	};
	struct mr_arena *arena = mr_arena_new(4096);
	struct mr_config *config;

	(void)state;
	config = read_policy(policy, arena);
	publish(config);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		expect_same(config, addresses[i][0], addresses[i][1]);
	mr_config_free(&config);
	mr_arena_free(&arena);
	expect_done();
}

/* Every domain and user of many, and the names between them. */
static void test_many(void **state)
{
	struct mr_arena *arena = mr_arena_new(4096);
	struct mr_config *config;
	size_t length;
	char *policy;
	FILE *out = open_memstream(&policy, &length);

	(void)state;
	for (int i = 0; i < 2000; i++)
		fprintf(out,
			"domain d%d.example {\n\tmailbox {\n\t\tquota = %dM\n"
			"\t}\n}\n",
			i * 7919 % 100003, i + 1);
	for (int i = 0; i < 500; i++)
		fprintf(out,
			"user u%d@d%d.example {\n\tmailbox {\n\t\tquota = %dM\n"
			"\t}\n}\n",
			i, i * 7919 % 100003, i + 5000);
	fclose(out);
	config = read_policy(policy, arena);
	publish(config);
	for (int i = 0; i < 2200; i++) {
		char address[64];

		snprintf(address, sizeof(address), "u%d@d%d.example", i,
			i * 7919 % 100003);
		expect_same(config, address, NULL);
	}
	free(policy);
	mr_config_free(&config);
	mr_arena_free(&arena);
	expect_done();
}

static void write_copy(const char *text, mode_t mode)
{
	char *whole;

	assert_true(asprintf(&whole, "%s" MR_PUBLISHED_END, text) >= 0);
	files_write(COPY, whole, mode);
	free(whole);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *name, *text;
		mode_t mode;
		const char *want;
	} cases[] = {
		{ "a mistake", "mailbox {\n\tquota = lots\n}\n", 0644,
			COPY ":2: " },
		{ "no end", "mailbox {\n\tquota = 1M\n", 0644, ":1: " },
		{ "written by others", "", 0666, "others cannot write" },
		{ "a mistake of the domain",
			"# 1\ndomain 0.example {\n}\ndomain a.example {\n"
			"\tsize = 1\n}\n",
			0644, COPY ":5: " },
		{ "a mistake of the user",
			"# 1\ndomain a.example {\n}\ndomain b.example {\n"
			"}\nuser x@a.example {\n\n\tsize = 1\n}\n",
			0644, COPY ":8: " },
	};
	struct mr_published *published;
	struct mr_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_copy(cases[i].text, cases[i].mode);
		expect_number(cases[i].name,
			mr_published_read(
				COPY, "x@a.example", &published, &error),
			-1);
		expect_part(cases[i].name, error.text, cases[i].want);
		assert_null(published);
	}
	files_write(COPY, "mailbox {\n\tquota = 1M\n}\n", 0644);
	expect_number("cut",
		mr_published_read(COPY, "x@a.example", &published, &error), -1);
	expect_part("cut", error.text, "cut short");
	unlink(COPY);
	expect_number("missing",
		mr_published_read(COPY, "x@a.example", &published, &error), -1);
	expect_part("missing", error.text, "No such file");
	mkdir(COPY, 0755);
	expect_number("a directory",
		mr_published_read(COPY, "x@a.example", &published, &error), -1);
	rmdir(COPY);
	mkfifo(COPY, 0644);
	expect_number("a FIFO",
		mr_published_read(COPY, "x@a.example", &published, &error), -1);
	unlink(COPY);
	/* another domain's mistake is not ours */
	write_copy("domain a.example {\n}\ndomain b.example {\n\tx = 1\n}\n",
		0644);
	expect_number("of another domain",
		mr_published_read(COPY, "x@a.example", &published, &error), 0);
	mr_published_free(&published);
	expect_done();
}

static void test_change(void **state)
{
	struct mr_published *published;
	struct mr_error error;

	(void)state;
	write_copy("mode = observe\n", 0644);
	assert_int_equal(
		mr_published_read(COPY, "a@b.example", &published, &error), 0);
	assert_false(mr_published_has_changed(published));
	files_write("new", "mode = enforce\n", 0644);
	rename("new", COPY);
	assert_true(mr_published_has_changed(published));
	unlink(COPY);
	assert_true(mr_published_has_changed(published));
	mr_published_free(&published);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_addresses, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_many, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_wrong, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_change, files_enter, files_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
