/* test_large - what is too large to be a seed: long lines, deep nesting, many
 * mistakes, 100,000 domains; and what needs files: secrets */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "tests/unit/files.h"
#include "common/base/arena.h"
#include "common/config/value.h"
#include "tests/every_type.h"

#include <time.h>

enum { DOMAINS = 100000 };

static char *print(const struct mr_problems *problems)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	mr_problems_print(problems, out);
	fclose(out);
	return text;
}

/* Reads `text`; expects so many mistakes, and to hear of `want`. */
static void expect_mistakes(const char *name, const char *text, size_t length,
	size_t mistakes, const char *want)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_config *config = NULL;
	struct mr_problems problems;
	char *said;

	mr_problems_init(&problems, arena);
	mr_config_read_text(
		&every_schema, "t", text, length, &config, &problems);
	said = print(&problems);
	expect_number(name, (long long)problems.mistakes, (long long)mistakes);
	expect_part(name, said, want);
	expect_number(name, strlen(said) < 1000 * 1000, true);
	free(said);
	mr_config_free(&config);
	mr_arena_free(&arena);
}

/* `count` times `text` into one, freed by the caller. */
static char *repeat(const char *text, size_t count, size_t *length)
{
	size_t one = strlen(text);
	char *all = mr_calloc(count, one);

	for (size_t i = 0; i < count; i++)
		memcpy(all + i * one, text, one);
	*length = count * one;
	return all;
}

static void test_huge(void **state)
{
	static const struct {
		const char *name, *text;
		size_t count, mistakes;
		const char *want;
	} cases[] = {
		{ "10 MB line", "0123456789", 1024 * 1024, 1,
			"a line of 10485760 octets; the most are 65536" },
		{ "10,000 braces", "a {\n", 10000, 10,
			"t:9:1: error: more than 8 sections inside each "
			"other" },
		{ "10,000 braces in a line", "{ ", 10000, 1, "t:1:1: error" },
		{ "10,000 closing ones", "}\n", 10000, 10000,
			"10000 errors, the first 1000 shown" },
		{ "200,000 mistakes", "x = y\n", 200000, 200000,
			"200000 errors, the first 1000 shown" },
		{ "a long line without an end", "purge a", 9000, 1,
			"neither a setting" },
		{ "quotes", "\"", 60000, 1, "a name is missing here" },
		{ "NULs after text", "\n\n\n", 1000, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t length;
		char *text = repeat(cases[i].text, cases[i].count, &length);

		expect_mistakes(cases[i].name, text, length, cases[i].mistakes,
			cases[i].want);
		free(text);
	}
	expect_done();
}

/* Long lines with a mistake far behind show what is around it. */
static void test_cut_lines(void **state)
{
	size_t length;
	char *text, *items = repeat("12345, ", 5000, &length);

	(void)state;
	items = mr_realloc(items, length + 1);
	items[length] = '\0';
	text = mr_calloc(1, length + 100);
	sprintf(text, "lists {\n\tnumbers = %s x, %s\n}", items, "1, 2");
	expect_mistakes("cut", text, strlen(text), 1,
		"| ...5, 12345, 12345, 12345, 12345, 12345, 12345, 12345, "
		"12345,  x, 1, 2\n"
		"      |                                                       "
		"         ^\n");
	free(text);
	free(items);
	expect_done();
}

/* 20,000 titled sections in one scope: the time must not be the square. */
static void test_crowded_scope(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_config *config = NULL;
	struct mr_problems problems;
	struct mr_chain chain = { 0 };
	const struct every_purge *purge;
	char *text = NULL;
	size_t length = 0, count = 0;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	fputs("domain a.example {\n", out);
	for (int i = 0; i < 20000; i++)
		fprintf(out, "purge f%d {\nafter = %dd\n}\n", i, i);
	fputs("}\n", out);
	fclose(out);
	mr_problems_init(&problems, arena);
	assert_int_equal(mr_config_read_text(&every_schema, "t", text, length,
				 &config, &problems),
		0);
	chain.scope[MR_DOMAIN] =
		mr_config_scope(config, MR_DOMAIN, "a.example");
	for (const char *const *t =
			mr_config_titles(config, &chain, &every_purge, arena);
		*t != NULL; t++)
		count++;
	expect_number("titles", (long long)count, 20000);
	purge = mr_config_get(config, &chain, &every_purge, "f12345", arena)
	                ->values;
	expect_number("f12345", purge->after, 12345 * 86400);
	free(text);
	mr_config_free(&config);
	mr_arena_free(&arena);
	expect_done();
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long resident_kb(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
		pages = 0;
	if (file != NULL)
		fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static double measure_gets(const struct mr_config *config)
{
	struct mr_arena *arena = mr_arena_new(1 << 20);
	struct mr_chain chain = { 0 };
	double start;

	chain.scope[MR_DOMAIN] =
		mr_config_scope(config, MR_DOMAIN, "d77777.example");
	start = now();
	for (int i = 0; i < 1000; i++)
		mr_config_get(config, &chain, &every_helo, NULL, arena);
	start = now() - start;
	mr_arena_free(&arena);
	return start / 1000;
}

static void test_many_domains(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_config *config = NULL;
	struct mr_problems problems;
	long before;
	double start;
	FILE *out = fopen("many.conf", "w");

	(void)state;
	fputs("check helo {\naction = tag\n}\n", out);
	for (int i = 0; i < DOMAINS; i++)
		fprintf(out,
			"domain d%d.example {\n\ttls = TLSv1.2\n"
			"\tpurge Trash {\n\t\tafter = %dd\n\t}\n}\n",
			i, i % 300 + 1);
	fclose(out);
	before = resident_kb();
	start = now();
	mr_problems_init(&problems, arena);
	assert_int_equal(
		mr_config_read(&every_schema, "many.conf", &config, &problems),
		0);
	mr_arena_free(&arena);
	print_message("%d domains, 2 settings each: %.3f s, %ld KB more, "
		      "mr_config_get %.0f ns\n",
		DOMAINS, now() - start, resident_kb() - before,
		measure_gets(config) * 1e9);
	assert_non_null(mr_config_scope(config, MR_DOMAIN, "d99999.example"));
	start = now();
	out = fopen("published.conf", "w");
	assert_int_equal(mr_config_publish(config, out, NULL), 0);
	fclose(out);
	print_message("published: %.3f s\n", now() - start);
	mr_config_free(&config);
	expect_done();
}

/* The value of `secret = @FILE`; NULL if refused. */
static const char *read_secret(
	struct mr_arena *arena, const char *file, struct mr_problems *problems)
{
	char *directory = getcwd(NULL, 0);
	const char *text =
		mr_arena_printf(arena, "every {\n\tsecret = %s%s/%s\n}",
			file[0] == '!' ? "" : "@", directory, file);
	struct mr_config *config = NULL;
	const char *secret = NULL;
	const struct every *e;

	free(directory);
	mr_problems_init(problems, arena);
	if (mr_config_read_text(&every_schema, "t", text, strlen(text), &config,
		    problems) < 0)
		return NULL;
	e = mr_config_get(config, NULL, &every_scalar, NULL, arena)->values;
	secret = mr_arena_strdup(arena, e->secret);
	expect_part("written as",
		mr_option_format(arena, &every_scalar.options[14], e), file);
	mr_config_free(&config);
	return secret;
}

static void test_secrets(void **state)
{
	static const struct {
		const char *file, *text;
		mode_t mode;
		const char *want, *problem;
	} cases[] = {
		{ "good", "hunter2\nmore\n", 0640, "hunter2", NULL },
		{ "bare", "hunter2", 0600, "hunter2", NULL },
		{ "dos", "hunter2\r\n", 0600, "hunter2", NULL },
		{ "readable", "hunter2", 0644, NULL,
			"can be read by everybody" },
		{ "writable", "hunter2", 0602, NULL,
			"can be written by everybody" },
		{ "empty", "", 0600, NULL, "has no secret in its first line" },
		{ "blank", "\nhunter2", 0600, NULL,
			"has no secret in its first line" },
		{ "missing", NULL, 0, NULL, "No such file" },
		{ ".", NULL, 0, NULL, "is a directory" },
		{ "!hunter2", NULL, 0, NULL,
			"a secret stands in a file of its own" },
	};
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_problems problems;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *said;

		if (cases[i].text != NULL)
			files_write(
				cases[i].file, cases[i].text, cases[i].mode);
		expect_text(cases[i].file,
			read_secret(arena, cases[i].file, &problems),
			cases[i].want);
		said = print(&problems);
		if (cases[i].problem != NULL)
			expect_part(cases[i].file, said, cases[i].problem);
		/* no message shows what stands in the file or instead of it */
		expect_text(cases[i].file, strstr(said, "hunter2"), NULL);
		free(said);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_unreadable_secret(void **state)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_problems problems;

	(void)state;
	files_write("closed", "hunter2\n", 0600);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	else
		chmod("closed", 0);
	expect_text("closed", read_secret(arena, "closed", &problems), "");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	expect_number("warnings", (long long)problems.warnings, 1);
	expect_part("warning", problems.first->message, "Permission denied");
	mr_arena_free(&arena);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_cut_lines),
		cmocka_unit_test(test_crowded_scope),
		cmocka_unit_test_setup_teardown(
			test_many_domains, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_secrets, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_unreadable_secret, files_enter, files_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
