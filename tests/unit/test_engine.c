/* test_engine - the engine's decisions: stages, merging, splitting, waivers.
 * What single checks find is tested by text cases, tests/cases. */
/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/arena.h"
#include "common/policy/engine.h"
#include "common/policy/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char policy_text[] =
	"hostname = mx.example.net\n"
	"maps {\n"
	"	domains = inline:{ a.example=x, b.example=x }\n"
	"	mailboxes = inline:{ big@a.example=x, ann@a.example=x,"
	" bob@a.example=x, free@a.example=x, later@a.example=x }\n"
	"}\n"
	"message {\n"
	"	size = 1K\n"
	"}\n"
	"check recipient {\n"
	"	action = reject\n"
	"}\n"
	"check helo {\n"
	"	action = tag\n"
	"}\n"
	"check mx {\n"
	"	action = off\n"
	"}\n"
	"exception large {\n"
	"	recipient = free@a.example\n"
	"	skip = size\n"
	"}\n"
	"user later@a.example {\n"
	"	check size {\n"
	"		action = defer\n"
	"	}\n"
	"}\n"
	"user big@a.example {\n"
	"	message {\n"
	"		size = 2K\n"
	"	}\n"
	"}\n";

struct world {
	char path[64];
	struct mr_engine *engine;
	struct mr_policy *policy;
	struct mr_session *session;
	struct mr_txn *txn;
	const char *sender;
};

static void load(struct world *w, const char *text)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_problems problems;
	int fd;

	strcpy(w->path, "/tmp/test_engine.XXXXXX");
	fd = mkstemp(w->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	mr_problems_init(&problems, arena);
	if (mr_policy_load(w->path, &w->policy, &problems) < 0) {
		mr_problems_print(&problems, stderr);
		fail_msg("the policy does not load");
	}
	unlink(w->path);
	mr_arena_free(&arena);
	w->engine = mr_engine_new(mr_policy_hold(w->policy));
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct mr_ip ip;
	struct mr_error error;

	w->sender = "<someone@example.org>";
	load(w, policy_text);
	w->session = mr_session_new();
	assert_int_equal(mr_ip_parse("192.0.2.7", &ip, &error), 0);
	mr_session_client(w->session, &ip, "out.example.org");
	mr_session_helo(w->session, "out.example.org");
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	mr_txn_free(&w->txn);
	mr_session_free(&w->session);
	mr_engine_free(&w->engine);
	mr_policy_release(&w->policy);
	free(w);
	return 0;
}

static const struct mr_verdict *begin(struct world *w, uint64_t size)
{
	mr_txn_free(&w->txn);
	w->txn = mr_txn_new(
		w->engine, w->session, w->policy, w->sender, size, 1000000);
	return mr_engine_step(w->engine, w->txn, MR_STAGE_MAIL);
}

static const struct mr_verdict *rcpt(struct world *w, const char *address)
{
	mr_txn_rcpt(w->txn, address);
	return mr_engine_step(w->engine, w->txn, MR_STAGE_RCPT);
}

static const struct mr_verdict *end(struct world *w, uint64_t size)
{
	mr_txn_content(w->txn, size);
	return mr_engine_step(w->engine, w->txn, MR_STAGE_EOM);
}

static const char *shown(const char *text)
{
	return text == NULL ? "nothing" : text;
}

static void expect(const char *name, const struct mr_verdict *got, int code,
	const char *enhanced, const char *rule)
{
	if (got->code != code ||
		(code != 0 && strcmp(got->enhanced, enhanced) != 0) ||
		(rule != NULL &&
			(got->rule == NULL || strcmp(got->rule, rule) != 0)))
		fail_msg("%s: got %d %s %s (%s), want %d %s %s", name,
			got->code, shown(got->enhanced), shown(got->rule),
			shown(got->text), code, shown(enhanced), shown(rule));
	if (code != 0) {
		assert_int_equal(got->enhanced[0] - '0', code / 100);
		assert_true(strlen(got->text) + 10 <= MR_REPLY_LONGEST);
		assert_non_null(strstr(got->text, "(id "));
	}
}

static void test_stages(void **state)
{
	struct world *w = *state;

	expect("above all limits, but some are let off", begin(w, 2049), 0,
		NULL, NULL);
	expect("largest at MAIL", begin(w, 2048), 0, NULL, NULL);
	expect("too big for ann", rcpt(w, "<ann@a.example>"), 552, "5.3.4",
		"size.too_big");
	expect("fits big", rcpt(w, "<Big@A.example>"), 0, NULL, NULL);
	expect("unknown", rcpt(w, "<nobody@a.example>"), 550, "5.1.1",
		"recipient.unknown");
	expect("foreign", rcpt(w, "<x@elsewhere.example>"), 552, "5.3.4",
		"size.too_big");
	expect("end", end(w, 2048), 0, NULL, NULL);
	expect("summary", mr_txn_summary(w->txn), 0, NULL, NULL);
}

/* Some accept the true size, some do not: 452 once, then each on its own. */
static void test_split(void **state)
{
	struct world *w = *state;

	begin(w, 0);
	expect("big", rcpt(w, "big@a.example"), 0, NULL, NULL);
	expect("ann", rcpt(w, "ann@a.example"), 0, NULL, NULL);
	expect("mixed", end(w, 1500), 452, "4.5.3", "size.split");

	begin(w, 0);
	expect("big again", rcpt(w, "big@a.example"), 0, NULL, NULL);
	expect("ann later", rcpt(w, "ann@a.example"), 452, "4.5.3",
		"size.split");
	expect("bob later", rcpt(w, "bob@a.example"), 452, "4.5.3",
		"size.split");
	expect("for big", end(w, 1500), 0, NULL, NULL);

	begin(w, 0);
	expect("ann alone", rcpt(w, "ann@a.example"), 0, NULL, NULL);
	expect("bob agrees", rcpt(w, "bob@a.example"), 0, NULL, NULL);
	expect("too big for both", end(w, 1500), 552, "5.3.4", "size.too_big");
}

/* Recipients of one limit may still disagree: by an exception, by an action. */
static void test_split_by_rule(void **state)
{
	static const char *const others[] = { "free@a.example",
		"later@a.example" };
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		w->sender = i == 0 ? "<>" : "<someone@example.org>";
		begin(w, 0);
		rcpt(w, others[i]);
		rcpt(w, "ann@a.example");
		expect("mixed", end(w, 1500), 452, "4.5.3", "size.split");

		begin(w, 0);
		expect("first", rcpt(w, others[i]), 0, NULL, NULL);
		expect("other", rcpt(w, "ann@a.example"), 452, "4.5.3",
			"size.split");
		if (i == 0)
			expect("let off", end(w, 1500), 0, NULL, NULL);
		else
			expect("later", end(w, 1500), 452, "4.3.4",
				"size.too_big");
	}
}

/* A mail that says that it is small is not held up by one that hid its size. */
static void test_split_small(void **state)
{
	struct world *w = *state;

	begin(w, 0);
	rcpt(w, "big@a.example");
	rcpt(w, "ann@a.example");
	expect("mixed", end(w, 1500), 452, "4.5.3", "size.split");
	begin(w, 100);
	expect("big", rcpt(w, "big@a.example"), 0, NULL, NULL);
	expect("ann", rcpt(w, "ann@a.example"), 0, NULL, NULL);
	expect("small", end(w, 100), 0, NULL, NULL);
}

/* sendmail(1) cannot be asked to come again in parts. */
static void test_local(void **state)
{
	struct world *w = *state;

	w->session->local = true;
	begin(w, 0);
	rcpt(w, "ann@a.example");
	rcpt(w, "nobody@a.example");
	expect("whole mail", end(w, 10), 550, "5.1.1", "recipient.unknown");
}

static void test_tag(void **state)
{
	struct world *w = *state;

	mr_session_helo(w->session, "short");
	begin(w, 0);
	rcpt(w, "nobody@a.example");
	expect("tagged", rcpt(w, "ann@a.example"), 0, NULL, NULL);
	expect("end", end(w, 10), 0, NULL, NULL);
	assert_non_null(strstr(mr_txn_tag(w->txn), "helo.not_qualified; id="));
	assert_string_equal(mr_verdict_name(mr_txn_summary(w->txn)), "tag");
}

static void test_waivers(void **state)
{
	struct world *w = *state;

	mr_session_helo(w->session, "short");
	mr_session_login(w->session, "Ann@a.example");
	begin(w, 0);
	rcpt(w, "ann@a.example");
	assert_null(mr_txn_tag(w->txn));
	mr_session_login(w->session, NULL);
	begin(w, 0);
	rcpt(w, "postmaster@a.example");
	assert_null(mr_txn_tag(w->txn));
}

/* Outside text in replies and logs is one printable line. */
static void test_hostile_text(void **state)
{
	struct world *w = *state;
	const struct mr_verdict *verdict;
	char *long_one = malloc(100001);
	const char *line;

	memset(long_one, 'x', 100000);
	memcpy(long_one + 99980, "@a.example", 11);
	begin(w, 0);
	verdict = rcpt(w, "<%s%n\xff@a.example>");
	expect("8 bit", verdict, 550, "5.1.1", "recipient.unknown");
	assert_null(strpbrk(verdict->text, "\r\n\x01\xff"));
	verdict = rcpt(w, "<a\r\n250 ok\x01@a.example>");
	expect("not an address, so not ours", verdict, 0, NULL, NULL);
	line = mr_report_line(w->txn, MR_STAGE_RCPT, w->txn->newest, verdict);
	assert_null(strpbrk(line, "\r\n\x01\xff"));
	rcpt(w, long_one);
	rcpt(w, "");
	rcpt(w, "<>");
	rcpt(w, "@");
	mr_session_helo(w->session, long_one);
	begin(w, 0);
	rcpt(w, "ann@a.example");
	free(long_one);
}

/* The merging of a mail's end relies on it. */
static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; mr_checks[i] != NULL; i++) {
		const struct mr_check *c = mr_checks[i];

		assert_string_equal(c->section->kind, c->name);
		if (c->stages & (1u << MR_STAGE_EOM))
			assert_true(c->mixed != MR_UNSET && c->agrees != NULL);
		for (int o = 0; c->outcomes[o].name != NULL; o++) {
			assert_true(o < MR_OUTCOMES);
			assert_int_equal(c->outcomes[o].reject.code / 100, 5);
			assert_int_equal(c->outcomes[o].defer.code / 100, 4);
			assert_int_equal(
				c->outcomes[o].reject.enhanced[0], '5');
			assert_int_equal(c->outcomes[o].defer.enhanced[0], '4');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_split, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_split_by_rule, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_split_small, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_local, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tag, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_waivers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_hostile_text, set_up, tear_down),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
