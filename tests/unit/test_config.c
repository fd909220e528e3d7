/* test_config - settings and sections against a schema: every type, every
 * mistake that has words of its own */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "common/config/value.h"
#include "tests/every_type.h"

#include <stdlib.h>

static int read_text(struct mr_arena *arena, const char *text,
	struct mr_config **config, struct mr_problems *problems)
{
	mr_problems_init(problems, arena);
	return mr_config_read_text(
		&every_schema, "t", text, strlen(text), config, problems);
}

/* What mr_problems_print says. */
static const char *print(
	struct mr_arena *arena, const struct mr_problems *problems)
{
	char *buffer = NULL, *text;
	size_t length = 0;
	FILE *out = open_memstream(&buffer, &length);

	mr_problems_print(problems, out);
	fclose(out);
	text = mr_arena_strdup(arena, buffer);
	free(buffer);
	return text;
}

static const struct mr_option *find_option(
	const struct mr_section *section, const char *name, size_t length)
{
	const struct mr_option *o = section->options;

	while (strlen(o->name) != length || strncmp(o->name, name, length) != 0)
		o++;
	return o;
}

/* `NAME = VALUE` in its section; how it is written back, NULL if refused. */
static const char *write_back(
	struct mr_arena *arena, const char *setting, const char **problem)
{
	size_t length = strcspn(setting, " ");
	bool scalar = setting[length - 1] != 's' || setting[0] == 't';
	const struct mr_section *section = &every_scalar;
	struct mr_config *config = NULL;
	struct mr_problems problems;
	const struct mr_settings *settings;
	const char *text = NULL;

	if (!scalar || strncmp(setting, "tlses", 5) == 0)
		section = &every_list;
	if (read_text(arena,
		    mr_arena_printf(
			    arena, "%s {\n%s\n}", section->name, setting),
		    &config, &problems) == 0) {
		settings = mr_config_get(config, NULL, section, NULL, arena);
		text = mr_option_format(arena,
			find_option(section, setting, length),
			settings->values);
	}
	*problem = problems.first == NULL ? "" : problems.first->message;
	mr_config_free(&config);
	return text;
}

static void test_values(void **state)
{
	static const struct {
		const char *setting, *want, *problem;
	} cases[] = {
		{ "boolean = no", "no", "" },
		{ "boolean = \"no\"", "no", "" },
		{ "boolean = off", NULL, "boolean: \"off\" is not no or yes" },
		{ "number = 7", "7", "" },
		{ "number = 101", NULL,
			"number: \"101\" is not between 1 and 100" },
		{ "signed_number = -5", "-5", "" },
		{ "signed_number = -6", NULL,
			"signed_number: \"-6\" is not between -5 and 5" },
		{ "percent = 5%", "5%", "" },
		{ "percent = 5", NULL,
			"percent: \"5\" is not a percentage from 0% to 100%, "
			"such as 80%" },
		{ "size = 2048K", "2M", "" },
		{ "size = unlimited", "unlimited", "" },
		{ "size = 25X", NULL,
			"size: \"25X\" is not a size, such as 25M or 1G" },
		{ "size =", NULL, "size: the value is missing" },
		{ "duration = 2w", "14d", "" },
		{ "date = 2026-12-31", "2026-12-31", "" },
		{ "string = a b", "a b", "" },
		{ "string = \"a # b\"", "\"a # b\"", "" },
		{ "string = \" a\"", "\" a\"", "" },
		{ "string = \"\"", "\"\"", "" },
		{ "string = a\\b", "a\\b", "" },
		{ "string = \"a\" b", NULL,
			"string: text behind the closing quote" },
		{ "word = tag", "tag", "" },
		{ "word = Tag", NULL,
			"word: \"Tag\" is not off, observe, tag, defer or "
			"reject" },
		{ "network = [2001:db8::]/32", "2001:db8::/32", "" },
		{ "network = ::ffff:192.0.2.1", "192.0.2.1", "" },
		{ "network = 192.0.2.1/24", NULL,
			"network: \"192.0.2.1/24\" has bits set behind its "
			"first 24; the network is 192.0.2.0/24" },
		{ "pattern = all@*", "all@*", "" },
		{ "pattern = a b@x y", NULL,
			"pattern: \"a b@x y\" is not an address pattern, such "
			"as user@example.net, @example.net, .example.net, "
			"user@ or <>" },
		{ "port = 65535", "65535", "" },
		{ "port = 0", NULL, "port: \"0\" is not between 1 and 65535" },
		{ "tls = TLSv1.2", "TLSv1.2", "" },
		{ "tls = no", "no", "" },
		{ "tls = SSLv3", NULL,
			"tls: \"SSLv3\" is not no, yes, TLSv1, TLSv1.1, "
			"TLSv1.2 or TLSv1.3" },
		{ "rate = 200/1h", "200 / 1h", "" },
		{ "rate = 5", NULL,
			"rate: \"5\" is not a rate, such as 5 / 10m" },
		{ "map = lmdb:/etc/x", "lmdb:/etc/x", "" },
		{ "map = inline:{ a=b, c=\"d\" }",
			"\"inline:{ a=b, c=\\\"d\\\" }\"", "" },
		{ "map = LMDB:/etc/x", NULL,
			"map: \"LMDB:/etc/x\" is not a map, such as "
			"lmdb:/etc/postfix/virtual" },
		{ "map = lmdb:", NULL,
			"map: \"lmdb:\" is not a map, such as "
			"lmdb:/etc/postfix/virtual" },
		{ "booleans = yes no", "yes no", "" },
		{ "numbers = 1,2 , 3", "1 2 3", "" },
		{ "numbers =", "", "" },
		{ "numbers = 1 x 3", NULL,
			"numbers: \"x\" is not a whole number, such as 0" },
		{ "percents = 10% 20%", "10% 20%", "" },
		{ "sizes = 1K unlimited", "1K unlimited", "" },
		{ "durations = 1d 0", "1d 0", "" },
		{ "dates = 2026-01-01 2026-12-31", "2026-01-01 2026-12-31",
			"" },
		{ "strings = a \"b c\" d", "a \"b c\" d", "" },
		{ "strings = \"b c\"", "\"b c\"", "" },
		{ "strings = \"b c\" \"\"", "\"b c\" \"\"", "" },
		{ "strings = a \"b c", NULL,
			"strings: the closing quote is missing" },
		{ "strings = a \"b\"c", NULL,
			"strings: text behind the closing quote" },
		{ "strings = inline:{ a", NULL,
			"strings: the closing brace is missing" },
		{ "strings = \"inline:{\"", "\"inline:{\"", "" },
		{ "words = tag off", "tag off", "" },
		{ "networks = 127.0.0.0/8 [::1]/128", "127.0.0.0/8 ::1", "" },
		{ "patterns = a@* <>", "a@* <>", "" },
		{ "ports = 25 587", "25 587", "" },
		{ "tlses = yes TLSv1", "yes TLSv1", "" },
		{ "rates = 1/1s \"2 / 1m\"", "\"1 / 1s\" \"2 / 1m\"", "" },
		{ "maps = lmdb:/a inline:{ a=b, c=d } cdb:/b",
			"lmdb:/a \"inline:{ a=b, c=d }\" cdb:/b", "" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *problem;

		expect_text(cases[i].setting,
			write_back(arena, cases[i].setting, &problem),
			cases[i].want);
		expect_text(cases[i].setting, problem, cases[i].problem);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *want; /* a part of what is printed */
	} cases[] = {
		{ "every {\n\tsise = 25M\n}",
			"t:2:2: error: unknown setting \"sise\" in every\n"
			"    2 | \tsise = 25M\n"
			"      | \t^^^^ did you mean \"size\"?\n" },
		{ "size = 25M", "      | ^^^^ it belongs to every\n" },
		{ "purge = 25M", "^^^^^ this is a section: purge {" },
		{ "hostname {\n}", "^^^^^^^^ this is a setting: hostname = " },
		{ "prge Spam {\n}", "^^^^ did you mean \"purge\"?" },
		{ "frobnicate {\n x = y\n}",
			"t:1:1: error: unknown section \"frobnicate\"" },
		{ "check hello {\n}",
			"t:1:7: error: unknown check \"hello\"\n"
			"    1 | check hello {\n"
			"      |       ^^^^^ did you mean \"check helo\"?\n" },
		{ "check {\n}", "^^^^^ check helo or sender" },
		{ "check helo x {\n}",
			"t:1:12: error: check helo takes no title" },
		{ "helo {\n}", "did you mean \"check helo\"?" },
		{ "every x {\n}", "t:1:7: error: every takes no title" },
		{ "purge {\n}", "t:1:1: error: purge needs a FOLDER" },
		{ "exception a b {\n}",
			"t:1:13: error: exception takes one title only" },
		{ "purge a \"\" {\n}", "t:1:9: error: an empty FOLDER" },
		{ "every {\nword = tga\n}", "^^^ did you mean \"tag\"?" },
		{ "every {\nboolean = on\n}", "^^ did you mean \"yes\"?" },
		{ "lists {\nnumbers = 1 2 x 4\n}",
			"    2 | numbers = 1 2 x 4\n"
			"      |               ^\n" },
		{ "hostname = a\nmode = tag\nhostname = b",
			"t:3:1: error: hostname is there already, at t:1:1" },
		{ "every {\n}\nevery {\n}",
			"t:3:1: error: every is there already, at t:1:1" },
		{ "check helo {\n}\ncheck sender {\n}\ncheck helo {\n}",
			"t:5:1: error: check helo is there already, at t:1:1" },
		{ "purge Trash {\n}\npurge Spam Trash {\n}",
			"t:3:12: error: purge Trash is there already, at "
			"t:1:1" },
		{ "purge Spam Spam {\n}",
			"t:1:12: error: purge Spam is there already" },
		{ "domain a.example {\n}\ndomain b.example A.Example {\n}",
			"t:3:18: error: domain a.example is there already, at "
			"t:1:1" },
		{ "domain a.example {\n\tdomain b.example {\n\t}\n}",
			"t:2:2: error: domain may not stand in domain\n"
			"    2 | \tdomain b.example {\n"
			"      | \t^^^^^^ it may stand at the top level\n" },
		{ "listener 25 {\npurge Trash {\n}\n}",
			"it may stand at the top level, in domain, in group "
			"and in user" },
		{ "every {\ncheck helo {\nactoin = tag\n}\n}",
			"check helo may not stand in every" },
		{ "every {\ncheck helo {\nactoin = tag\n}\n}",
			"did you mean \"action\"?" },
		{ "domain localhost {\n}",
			"t:1:8: error: \"localhost\" is not a domain" },
		{ "domain a.example {\nprge x {\n}\n}",
			"did you mean \"purge\"?" },
		{ "range {\nleast = 10\n}", "t:2:1: error: least is more" },
		{ "range {\nleast = 5\n}\nuser a@b {\nrange {\nmost = 4\n}\n}",
			"t:2:1: error: least is more" },
		{ "domain a.example {\nevery {\nsize = 1\n",
			"t:2:1: error: section \"every\" is opened here" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_config *config = NULL;
		struct mr_problems problems;

		expect_number(cases[i].text,
			read_text(arena, cases[i].text, &config, &problems),
			-1);
		expect_part(
			cases[i].text, print(arena, &problems), cases[i].want);
		mr_config_free(&config);
	}
	mr_arena_free(&arena);
	expect_done();
}

/* Everything in one run, once, in the file's order; a missing brace does not
 * make mistakes of what follows. */
static void test_all_at_once(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "hostnam = a\n\nevery {\n\tsize = x\n\tsize = 1\n}\n}\n",
			"t:1:1: error: unknown setting \"hostnam\" in the top "
			"level\n"
			"    1 | hostnam = a\n"
			"      | ^^^^^^^ did you mean \"hostname\"?\n"
			"t:4:9: error: size: \"x\" is not a size, such as 25M "
			"or 1G\n"
			"    4 | \tsize = x\n"
			"      | \t       ^\n"
			"t:5:2: error: size is there already, at t:4:2\n"
			"    5 | \tsize = 1\n"
			"      | \t^^^^\n"
			"t:7:1: error: \"}\" closes nothing\n"
			"    7 | }\n"
			"      | ^\n"
			"4 errors\n" },
		{ "domain a.example {\n\nlistener 25 {\n}\nuser a@b {\n"
		  "word = 1\n}\n",
			"t:1:1: error: section \"domain\" is opened here and "
			"never closed\n"
			"    1 | domain a.example {\n"
			"      | ^^^^^^ its \"}\" is missing\n"
			"t:6:1: error: unknown setting \"word\" in user\n"
			"    6 | word = 1\n"
			"      | ^^^^ it belongs to every\n"
			"2 errors\n" },
		{ "purge A B {\nkeep_flagged = 1\n}\nlistener 1 2 {\nrange "
		  "{\nmost = 0\n}\n}\n",
			"t:2:16: error: keep_flagged: \"1\" is not no or yes\n"
			"    2 | keep_flagged = 1\n"
			"      |                ^ did you mean \"yes\"?\n"
			"t:5:1: error: least is more than most\n"
			"    5 | range {\n"
			"      | ^\n"
			"2 errors\n" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_config *config = NULL;
		struct mr_problems problems;

		read_text(arena, cases[i].text, &config, &problems);
		expect_text(
			"all at once", print(arena, &problems), cases[i].want);
		mr_config_free(&config);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_tls_names(void **state)
{
	static const char *const names[] = { "no", "yes", "TLSv1", "TLSv1.1",
		"TLSv1.2", "TLSv1.3" };
	enum mr_tls version;

	(void)state;
	for (int i = 0; i < 6; i++) {
		expect_number(names[i], mr_tls_parse(names[i], &version), 0);
		expect_text(names[i], mr_tls_name((enum mr_tls)i), names[i]);
		expect_number(names[i], version, i);
	}
	expect_number("SSLv3", mr_tls_parse("SSLv3", &version), -1);
	expect_number("", mr_tls_parse("", &version), -1);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_tls_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
