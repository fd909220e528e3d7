/* test_view - one user's policy: precedence, groups, and what is not known */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "tests/unit/files.h"
#include "common/base/clock.h"
#include "dovecot-plugin/view.h"

#define COPY "mailbox.conf"
#define M (UINT64_C(1) << 20)

static const char policy[] = "message {\n"
			     "\tsize = 25M # p:1\n"
			     "}\n"
			     "policyd {\n"
			     "\tusage = /run/u # p:12\n"
			     "}\n"
			     "mailbox {\n"
			     "\tquota = 10M # p:2\n"
			     "}\n"
			     "purge Trash {\n"
			     "\tafter = 92d # p:3\n"
			     "}\n"
			     "group gone {\n"
			     "\tmembers = texthash:/nonexistent/table # p:4\n"
			     "\tmailbox {\n"
			     "\t\tquota = 20M # p:5\n"
			     "\t}\n"
			     "}\n"
			     "domain a.example {\n"
			     "\tmailbox {\n"
			     "\t\tquota = 30M # p:6\n"
			     "\t\ttrash = 1M # p:7\n"
			     "\t\twarn = 50% # p:8\n"
			     "\t}\n"
			     "\tpurge Trash {\n"
			     "\t\tkeep_flagged = no # p:9\n"
			     "\t}\n"
			     "\tpurge Spam {\n"
			     "\t\tafter = 14d # p:10\n"
			     "\t}\n"
			     "}\n"
			     "user ann@a.example {\n"
			     "\tmailbox {\n"
			     "\t\tquota = 5M # p:11\n"
			     "\t}\n"
			     "}\n";

static struct mr_view *load(const char *text, const char *address)
{
	struct mr_view *view;
	struct mr_error error = { "" };

	char *whole;

	assert_true(asprintf(&whole, "%s# The end.\n", text) >= 0);
	files_write(COPY, whole, 0644);
	free(whole);
	if (mr_view_load(COPY, address, &view, &error) < 0)
		print_error("%s\n", error.text);
	assert_non_null(view);
	return view;
}

/* The policy without the group whose table is missing. */
static char *without_group(void)
{
	char *text = strdup(policy), *group = strstr(text, "group");
	char *domain = strstr(text, "domain");

	memmove(group, domain, strlen(domain) + 1);
	return text;
}

static void test_precedence(void **state)
{
	char *text = without_group();
	struct mr_view *view = load(text, "ann@a.example");

	(void)state;
	expect_number("ann's quota", (long long)view->quota, 5 * M);
	expect_number("it is hers", view->quota_is_users, true);
	expect_text("from", view->quota_at, "p:11");
	expect_text("usage", view->usage, "/run/u");
	expect_number("trash", (long long)view->trash, M);
	expect_number("levels", (long long)view->n_levels, 1);
	expect_number("rules", (long long)view->n_rules, 2);
	expect_number("share", view->share, 50);
	for (size_t i = 0; i < view->n_rules; i++) {
		const struct mr_purge_rule *r = &view->rules[i];
		bool trash = strcmp(r->folder, "Trash") == 0;

		expect_number(r->folder, r->after, (trash ? 92 : 14) * 86400);
		expect_number(r->folder, r->keep_flagged, !trash);
		expect_number(r->folder, r->minimum, 3 * 86400);
		expect_text(r->folder, r->at, trash ? "p:3" : "p:10");
		/* whose `after` it is, not whose flag */
		expect_text(r->folder, r->scope,
			trash ? "global" : "domain a.example");
	}
	mr_view_free(&view);
	view = load(text, "bob@a.example");
	expect_text("bob", view->quota_at, "p:6");
	expect_number("not his own", view->quota_is_users, false);
	mr_view_free(&view);
	view = load(text, "bob@b.example");
	expect_text("another domain", view->quota_at, "p:2");
	expect_number("the size of a mail", (long long)view->trash, 25 * M);
	mr_view_free(&view);
	view = load("", "bob@b.example");
	expect_text("nothing is set", view->quota_at, "default");
	expect_number("1 GB", (long long)view->quota, 1024 * M);
	expect_number("no rule", (long long)view->n_rules, 0);
	expect_text("usage", view->usage, "/run/mailreeve/usage.sock");
	mr_view_free(&view);
	free(text);
	expect_done();
}

static void test_unsure(void **state)
{
	struct mr_view *view = load(policy, "bob@b.example");

	(void)state;
	expect_number("unsure", view->unsure, true);
	expect_part("why", view->unsure_why, "group gone");
	expect_text("the more generous", view->quota_at, "p:5");
	mr_view_free(&view);
	/* a group is above a domain, but less generous here */
	view = load(policy, "bob@a.example");
	expect_text("the domain's", view->quota_at, "p:6");
	mr_view_free(&view);
	expect_done();
}

static void test_group(void **state)
{
	static const char text[] = "mailbox {\n\tquota = 1M\n}\n"
				   "group one {\n"
				   "\tmembers = inline:{ x@a.example=y }\n"
				   "}\n"
				   "group two {\n"
				   "\tmembers = inline:{ x@a.example=y, "
				   "z@a.example=y }\n"
				   "\tmailbox {\n\t\tquota = 2M # g\n\t}\n"
				   "}\n";
	struct mr_view *view = load(text, "x@a.example");

	(void)state;
	expect_number("the first counts", (long long)view->quota, M);
	mr_view_free(&view);
	view = load(text, "z@a.example");
	expect_text("the second", view->quota_at, "g");
	mr_view_free(&view);
	expect_done();
}

/* "SCANNER FOLDER [skipped] AT", each, as they count. */
static void expect_filings(
	const char *text, const char *address, const char *wanted)
{
	struct mr_view *view = load(text, address);
	char got[256] = "";

	for (size_t i = 0; i < view->n_filings; i++) {
		const struct mr_filing *f = &view->filings[i];
		size_t length = strlen(got);

		snprintf(got + length, sizeof(got) - length, "%s%s %s%s %s",
			i == 0 ? "" : ", ", f->scanner, f->folder,
			f->skips_sieve ? " skipped" : "", f->at);
	}
	expect_text(address, got, wanted);
	mr_view_free(&view);
}

#define SCANNERS                    \
	"scanner virus {\n"         \
	"\tfolder = Virus # p:1\n"  \
	"\tsieve = skipped # p:2\n" \
	"}\n"                       \
	"scanner spam {\n"          \
	"\tfolder = Spam # p:3\n"   \
	"}\n"                       \
	"scanner news {\n"          \
	"}\n"

static void test_filings(void **state)
{
	static const char text[] =
		SCANNERS "group gone {\n"
			 "\tmembers = inline:{ z@z.example=y }\n"
			 "}\n"
			 "domain a.example {\n"
			 "\tscanner news {\n"
			 "\t\tfolder = News # p:4\n"
			 "\t}\n"
			 "\tscanner virus {\n"
			 "\t\tsieve = first # p:5\n"
			 "\t}\n"
			 "}\n"
			 "user ann@a.example {\n"
			 "\tscanner spam {\n"
			 "\t\tfolder = none # p:6\n"
			 "\t}\n"
			 "}\n";
	struct mr_view *view;

	(void)state;
	expect_filings("", "ann@a.example", "");
	expect_filings(text, "bob@b.example",
		"virus Virus skipped p:1, spam Spam p:3");
	/* in the file's order, whoever overrides */
	expect_filings(text, "bob@a.example",
		"virus Virus p:1, spam Spam p:3, news News p:4");
	expect_filings(text, "ann@a.example", "virus Virus p:1, news News p:4");
	view = load("tag_header = X-Ours # p:1\n" SCANNERS, "bob@b.example");
	expect_text("the header", view->mark, "X-Ours");
	mr_view_free(&view);
	expect_done();
}

/* Only what is the same in each group that it may be. */
static void test_filings_unsure(void **state)
{
	static const char text[] =
		SCANNERS "group one {\n"
			 "\tmembers = texthash:/nonexistent/table # p:4\n"
			 "\tscanner virus {\n"
			 "\t\tsieve = first # p:5\n"
			 "\t}\n"
			 "}\n"
			 "group two {\n"
			 "\tmembers = texthash:/nonexistent/table # p:6\n"
			 "\tscanner spam {\n"
			 "\t\tfolder = none # p:7\n"
			 "\t}\n"
			 "\tscanner news {\n"
			 "\t\tfolder = News # p:8\n"
			 "\t}\n"
			 "}\n";

	(void)state;
	expect_filings(text, "bob@b.example", "virus Virus p:1");
	expect_done();
}

static void test_stale(void **state)
{
	struct mr_view *view = load(policy, "bob@b.example");
	int64_t now = mr_clock_ms();

	(void)state;
	assert_false(mr_view_is_stale(view, now));
	assert_true(mr_view_is_stale(view, now + MR_VIEW_SECONDS * 1000 + 1));
	files_write("new", policy, 0644);
	rename("new", COPY);
	assert_true(mr_view_is_stale(view, now));
	mr_view_free(&view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_precedence, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_unsure, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_group, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_filings, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_filings_unsure, files_enter, files_leave),
		cmocka_unit_test_setup_teardown(
			test_stale, files_enter, files_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
