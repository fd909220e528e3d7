/* test_tree - the language: lines to nodes, includes, what is refused */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "tests/unit/files.h"
#include "common/base/arena.h"
#include "common/config/tree.h"

/* name[title|title]{ ... } and name=value; in one line. */
static const char *dump(struct mr_arena *arena, const struct mr_node *node)
{
	const char *text = "";

	for (; node != NULL; node = node->next) {
		if (!node->is_section) {
			text = mr_arena_printf(arena, "%s%s=%s%s%s;", text,
				node->name, node->quoted ? "'" : "",
				node->value, node->quoted ? "'" : "");
			continue;
		}
		text = mr_arena_printf(arena, "%s%s[", text, node->name);
		for (size_t i = 0; node->titles[i] != NULL; i++)
			text = mr_arena_printf(arena, "%s%s%s", text,
				i > 0 ? "|" : "", node->titles[i]);
		text = mr_arena_printf(
			arena, "%s]{%s}", text, dump(arena, node->children));
	}
	return text;
}

/* FILE:LINE:COLUMN message, one per line. */
static const char *tell(struct mr_arena *arena, const struct mr_problems *all)
{
	const char *text = "";

	for (struct mr_problem *p = all->first; p != NULL; p = p->next)
		text = mr_arena_printf(arena, "%s%s%s:%u:%u %s", text,
			text[0] == '\0' ? "" : "\n", p->at.file, p->at.line,
			p->at.column, p->message);
	return text;
}

static void test_language(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "# comment", "" },
		{ "  # comment\n", "" },
		{ "a = b", "a=b;" },
		{ "a=b", "a=b;" },
		{ "\ta\t=\tb c \t\n", "a=b c;" },
		{ "a = b # comment", "a=b;" },
		{ "a = b#c", "a=b#c;" },
		{ "a =#c", "a=#c;" },
		{ "a = #c", "a=;" },
		{ "a =", "a=;" },
		{ "a = \"\"", "a='';" },
		{ "a = \" b # c \" # d", "a=' b # c ';" },
		{ "a = \"x\\\"y\\\\z\\Trash\"", "a='x\"y\\z\\Trash';" },
		{ "a = b \"c # d\" e # f", "a=b \"c # d\" e;" },
		{ "a = \"b c\" \"d\"", "a=\"b c\" \"d\";" },
		{ "a = \"b\",\"c # d\"", "a=\"b\",\"c # d\";" },
		{ "a = 5\" disk", "a=5\" disk;" },
		{ "a = inline:{ x=y, # z }", "a=inline:{ x=y, # z };" },
		{ "a = inline:{ {x = {y}} } z", "a=inline:{ {x = {y}} } z;" },
		{ "a = b = c", "a=b = c;" },
		{ "a = {key}.zone", "a={key}.zone;" },
		{ "s {\n}", "s[]{}" },
		{ "s{\n}", "s[]{}" },
		{ "s t {\n a = b\n}\nc = d", "s[t]{a=b;}c=d;" },
		{ "s t{ # c\n } # c\n", "s[t]{}" },
		{ "s t u \"v w\" {\n}", "s[t|u|v w]{}" },
		{ "s \"{\" \"#\" {\n}", "s[{|#]{}" },
		{ "s all@* [SPAM] {\n}", "s[all@*|[SPAM]]{}" },
		{ "a {\nb {\nc {\nd = e\n}\n}\n}", "a[]{b[]{c[]{d=e;}}}" },
		{ "\xef\xbb\xbf"
		  "a = b",
			"a=b;" },
		{ "a = m\xc3\xbcller", "a=m\xc3\xbcller;" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_problems problems;
		struct mr_node *nodes;

		mr_problems_init(&problems, arena);
		nodes = mr_tree_read_text(arena, "t", cases[i].text,
			strlen(cases[i].text), &problems);
		expect_text(cases[i].text, dump(arena, nodes), cases[i].want);
		expect_text(cases[i].text, tell(arena, &problems), "");
	}
	mr_arena_free(&arena);
	expect_done();
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *problems, *left;
	} cases[] = {
		{ "a",
			"t:1:1 neither a setting (name = value) nor a section "
			"(name {)",
			"" },
		{ "a b c\nd = e",
			"t:1:1 neither a setting (name = value) nor "
			"a section (name {)",
			"d=e;" },
		{ "}", "t:1:1 \"}\" closes nothing", "" },
		{ "s {\n}\n}\na = b", "t:3:1 \"}\" closes nothing",
			"s[]{}a=b;" },
		{ "s {\na = b\n} }", "t:3:1 \"}\" must stand alone on its line",
			"s[]{a=b;}" },
		{ "s {", "t:1:1 section \"s\" is opened here and never closed",
			"s[]{}" },
		{ "a = b\n s t {\n u {\n }\n",
			"t:2:2 section \"s\" is opened here and never closed",
			"a=b;s[t]{u[]{}}" },
		{ "s {\nu {",
			"t:2:1 section \"u\" is opened here and never "
			"closed\nt:1:1 section \"s\" is opened here and "
			"never closed",
			"s[]{u[]{}}" },
		{ "s { a = b }\nc = d", "t:1:5 text behind \"{\"", "c=d;" },
		{ "s { a = b\n}\nc = d", "t:1:5 text behind \"{\"", "c=d;" },
		{ "= b", "t:1:1 a name is missing here", "" },
		{ "{\na = b\n}\nc = d", "t:1:1 a name is missing here",
			"c=d;" },
		{ "a = \"b", "t:1:5 the closing quote is missing", "" },
		{ "s \"b {\na = b\n}\nc = d",
			"t:1:3 the closing quote is missing", "c=d;" },
		{ "a = b\x01", "t:1:6 control octet 0x01", "" },
		{ "a = b\x7f\nc = d", "t:1:6 control octet 0x7f", "c=d;" },
		{ "a = b\r\nc = d\r\n", "t:1:6 the line ends in CR LF",
			"a=b;c=d;" },
		{ "!include x", "t:1:10 nothing can be included here", "" },
		{ "!inklude x", "t:1:1 unknown directive \"!inklude\"", "" },
		{ "!include",
			"t:1:9 !include takes one name; quotes keep "
			"blanks in it",
			"" },
		{ "!include a b",
			"t:1:10 !include takes one name; quotes keep "
			"blanks in it",
			"" },
	};
	struct mr_arena *arena = mr_arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_problems problems;
		struct mr_node *nodes;

		mr_problems_init(&problems, arena);
		nodes = mr_tree_read_text(arena, "t", cases[i].text,
			strlen(cases[i].text), &problems);
		expect_text(cases[i].text, tell(arena, &problems),
			cases[i].problems);
		expect_text(cases[i].text, dump(arena, nodes), cases[i].left);
	}
	mr_arena_free(&arena);
	expect_done();
}

static void expect_file(
	const char *path, const char *problems, const char *tree)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_problems all;
	struct mr_node *nodes;

	mr_problems_init(&all, arena);
	nodes = mr_tree_read_file(arena, path, &all);
	expect_text(path, tell(arena, &all), problems);
	expect_text(path, dump(arena, nodes), tree);
	mr_arena_free(&arena);
}

static void test_includes(void **state)
{
	(void)state;
	mkdir("d", 0755);
	mkdir("d/dir.conf", 0755);
	files_write("d/2.conf", "two = 2\n!include deep\n", 0644);
	files_write("d/1.conf", "one = 1", 0644);
	files_write("d/deep", "s {\nx = y\n}", 0640);
	files_write("main", "a = b\n!include d/[0-9].conf\nc = d", 0644);
	expect_file("main", "", "a=b;one=1;two=2;s[]{x=y;}c=d;");

	files_write("dir", "!include \"d/dir.conf\"", 0644);
	expect_file("dir", "dir:1:10 d/dir.conf is a directory", "");
	files_write("try", "!include_try none\n!include_try no*\na = b", 0644);
	expect_file("try", "", "a=b;");
	files_write("none", "!include missing\n!include no*body\na = b", 0644);
	expect_file("none",
		"none:1:10 cannot read missing: No such file or directory\n"
		"none:2:10 no file matches no*body",
		"a=b;");
	files_write("inner", "a = b\n}\nt {", 0644);
	files_write("outer", "s {\n!include inner\n}", 0644);
	expect_file("outer",
		"inner:2:1 \"}\" closes nothing\ninner:3:1 section \"t\" is "
		"opened here and never closed",
		"s[]{a=b;t[]{}}");
	expect_done();
}

static void test_include_loops(void **state)
{
	(void)state;
	files_write("self", "a = b\n!include self\nc = d", 0644);
	expect_file(
		"self", "self:2:10 an include loop: self -> self", "a=b;c=d;");
	files_write("l1", "!include l2", 0644);
	files_write("l2", "!include ./l3", 0644);
	files_write("l3", "!include l*1", 0644);
	expect_file("l1", "./l3:1:10 an include loop: l1 -> l2 -> ./l3 -> ./l1",
		"");
	/* the same file twice is none */
	files_write("twice", "!include one\n!include one", 0644);
	files_write("one", "a = b", 0644);
	expect_file("twice", "", "a=b;a=b;");
	for (int i = 0; i < 20; i++) {
		char name[16], text[32];

		snprintf(name, sizeof(name), "c%d", i);
		snprintf(text, sizeof(text), "!include c%d", i + 1);
		files_write(name, text, 0644);
	}
	expect_file("c0", "c16:1:10 more than 16 files that include each other",
		"");
	expect_done();
}

static void test_refused_files(void **state)
{
	(void)state;
	expect_file("missing",
		"missing:0:0 cannot read missing: No such file or directory",
		"");
	expect_file(".", ".:0:0 . is a directory", "");
	mkfifo("fifo", 0600);
	expect_file("fifo", "fifo:0:0 fifo is not a regular file", "");
	expect_file("/dev/null",
		"/dev/null:0:0 /dev/null is not a regular file", "");
	files_write("open", "a = b", 0646);
	expect_file("open",
		"open:0:0 open can be written by everybody: chmod o-w", "");
	files_write("group", "a = b", 0660);
	expect_file("group", "", "a=b;");
	files_write("large", "a = b", 0644);
	assert_int_equal(truncate("large", 65 * 1024 * 1024), 0);
	expect_file("large",
		"large:0:0 large is larger than the 67108864 octets that are "
		"read",
		"");
	files_write("binary", "a = b\nc", 0644);
	assert_int_equal(truncate("binary", 100), 0);
	expect_file("binary", "binary:2:2 a NUL octet", "");
	files_write("closed", "a = b", 0600);
	/* root reads everything */
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	else
		chmod("closed", 0);
	expect_file("closed",
		"closed:0:0 cannot read closed: Permission denied", "");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_language),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test_setup_teardown(
			test_includes, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_include_loops, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_refused_files, files_enter, files_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
