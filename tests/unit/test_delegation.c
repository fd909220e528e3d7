/* test_delegation - requests of a mail and the actions they get; and what is
 * kept of mails in between. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/policy/engine.h"
#include "policyd/counters.h"
#include "policyd/delegation.h"
#include "policyd/mails.h"
#include "policyd/rates.h"
#include "policyd/rewrite.h"
#include "tests/unit/expect.h"
#include "tests/unit/files.h"

#include <stdlib.h>

static const struct {
	const char *address, *rewritten;
} recipients[] = {
	{ "bob@net.example", "bob@net.example" },
	{ "net.example!bob", "bob@net.example" },
	{ "a!b!bob", "b!bob@a" },
	{ "bob%net.example", "bob@net.example" },
	{ "a%b%net.example", "a%b@net.example" },
	{ "bob%net.example@mx.example", "bob@net.example" },
	{ "bob%net.example@LOCALHOST", "bob@net.example" },
	{ "net.example!bob@[192.0.2.1]", "bob@net.example" },
	{ "bob%net.example%mx.example@mx.example", "bob@net.example" },
	{ "bob%x@other.example", "bob%x@other.example" },
	{ "bob@mx.example", "bob@mx.example" },
	{ "bob", "bob" },
	{ "", "" },
	{ "@", "@" },
	{ "%", "@" },
};

static void test_rewrite(void **state)
{
	struct mr_arena *arena = mr_arena_new(1024);

	(void)state;
	for (size_t i = 0; i < sizeof(recipients) / sizeof(recipients[0]); i++)
		expect_text(recipients[i].address,
			mr_rewrite_recipient(
				arena, recipients[i].address, "mx.example"),
			recipients[i].rewritten);
	mr_arena_free(&arena);
	expect_done();
}

/* --- with an engine */

#define POLICY(of_message)                                                   \
	"hostname = mx.example\n"                                            \
	"maps {\n\tdomains = inline:{ net.example=x }\n"                     \
	"\tmailboxes = inline:{ ann@net.example=x, big@net.example=x }\n}\n" \
	"check mx {\n\taction = off\n}\n"                                    \
	"message {\n\tsize = 1M\n" of_message "}\n"                          \
	"user big@net.example {\n\tmessage {\n\t\tsize = 2M\n\t}\n}\n"       \
	"check recipient {\n\taction = reject\n}\n"                          \
	"check helo {\n\taction = tag\n}\n"

struct world {
	struct mr_engine *engine;
	struct mr_counters *counters;
	struct mr_rates *rates;
	struct mr_delegation *delegation;
	struct mr_arena *arena;
};

static struct world open_world(const char *policy)
{
	struct world w = { .arena = mr_arena_new(4096) };
	struct mr_problems problems;
	struct mr_policy *loaded;

	files_write("policy.conf", policy, 0644);
	mr_problems_init(&problems, w.arena);
	if (mr_policy_load("policy.conf", &loaded, &problems) < 0) {
		mr_problems_print(&problems, stderr);
		fail();
	}
	w.engine = mr_engine_new(loaded);
	w.counters = mr_counters_new(MR_COUNTERS_MOST);
	w.rates = mr_calloc(1, sizeof(*w.rates));
	*w.rates = mr_rates_of(w.counters);
	w.delegation = mr_delegation_new(w.engine, w.rates, NULL);
	return w;
}

static void close_world(struct world *w)
{
	mr_delegation_free(&w->delegation);
	mr_counters_free(&w->counters);
	free(w->rates);
	mr_engine_free(&w->engine);
	mr_arena_free(&w->arena);
	expect_done();
}

/* What matters of the action: without the text of a reply. */
static const char *ask(struct world *w, const char *state, const char *instance,
	const char *recipient, const char *size, const char *helo)
{
	struct mr_request request;
	struct mr_error error;
	char *text = mr_arena_printf(w->arena,
		"request=smtpd_access_policy\nprotocol_state=%s\ninstance=%s\n"
		"recipient=%s\nsize=%s\nhelo_name=%s\nsender=s@example.org\n"
		"client_address=192.0.2.7\nserver_port=25\n\n",
		state, instance, recipient, size, helo);
	const char *action;

	assert_int_equal(
		mr_request_parse(text, strlen(text), &request, &error), 0);
	action = mr_delegation_answer(w->delegation, &request, w->arena);
	if (*action == '4' || *action == '5')
		return mr_arena_strndup(w->arena, action, 9);
	if (strncmp(action, "PREPEND ", 8) == 0)
		return mr_arena_strndup(w->arena, action, strcspn(action, ";"));
	return action;
}

struct step {
	const char *name, *state, *instance, *recipient, *size, *helo, *action;
};

static const struct step alone[] = {
	{ "fine", "RCPT", "1", "ann@net.example", "0", "a.example", "DUNNO" },
	{ "its end", "END-OF-MESSAGE", "1", "ann@net.example", "1000",
		"a.example", "DUNNO" },
	{ "unknown", "RCPT", "2", "no@net.example", "0", "a.example",
		"550 5.1.1" },
	{ "the other spelling", "RCPT", "2", "net.example!no", "0", "a.example",
		"550 5.1.1" },
	{ "too large for anybody", "RCPT", "3", "ann@net.example", "9000000",
		"a.example", "552 5.3.4" },
	{ "and for the next", "RCPT", "3", "big@net.example", "9000000",
		"a.example", "552 5.3.4" },
	{ "the true size", "RCPT", "4", "ann@net.example", "0", "a.example",
		"DUNNO" },
	{ "is too large", "END-OF-MESSAGE", "4", "ann@net.example", "1100000",
		"a.example", "552 5.3.4" },
	{ "nothing is left of it", "DATA", "4", "", "0", "a.example", "DUNNO" },
	{ "another sender's mail is not affected", "RCPT", "5",
		"big@net.example", "0", "a.example", "DUNNO" },
	{ "two", "RCPT", "6", "ann@net.example", "0", "a.example", "DUNNO" },
	{ "limits", "RCPT", "6", "big@net.example", "0", "a.example", "DUNNO" },
	{ "not for one of them", "END-OF-MESSAGE", "6", "", "1500000",
		"a.example", "452 4.5.3" },
	{ "split:", "RCPT", "7", "ann@net.example", "0", "a.example", "DUNNO" },
	{ "the other comes later", "RCPT", "7", "big@net.example", "0",
		"a.example", "452 4.5.3" },
	{ "and the first has its answer", "END-OF-MESSAGE", "7",
		"ann@net.example", "1500000", "a.example", "552 5.3.4" },
	{ "one was refused by others", "RCPT", "8", "ann@net.example",
		"1000000", "a.example", "DUNNO" },
	{ "the other not", "RCPT", "8", "big@net.example", "1000000",
		"a.example", "DUNNO" },
	{ "so it may be large", "END-OF-MESSAGE", "8", "big@net.example",
		"1500000", "a.example", "DUNNO" },
	{ "a tag", "RCPT", "9", "ann@net.example", "1000", "x",
		"PREPEND X-Mailreeve: helo.not_qualified" },
	{ "asked again", "RCPT", "9", "ann@net.example", "1000", "x", "DUNNO" },
	{ "once per mail", "RCPT", "9", "big@net.example", "1000", "x",
		"DUNNO" },
	{ "unknown end", "END-OF-MESSAGE", "10", "ann@net.example", "1100000",
		"a.example", "552 5.3.4" },
	{ "unknown end of two", "END-OF-MESSAGE", "11", "", "1100000",
		"a.example", "DUNNO" },
	{ "without instance", "RCPT", "", "no@net.example", "0", "a.example",
		"550 5.1.1" },
	{ "twice", "RCPT", "", "no@net.example", "0", "a.example",
		"550 5.1.1" },
	{ "VRFY", "VRFY", "", "no@net.example", "0", "a.example", "DUNNO" },
	{ "ETRN", "ETRN", "", "", "0", "a.example", "DUNNO" },
	{ "CONNECT", "CONNECT", "", "", "0", "", "DUNNO" },
	{ "EHLO", "EHLO", "", "", "0", "a.example", "DUNNO" },
	{ "MAIL", "MAIL", "", "", "9000000", "a.example", "DUNNO" },
	{ "no state", "", "", "", "0", "", "DUNNO" },
	{ NULL },
};

/* The milter judges; only true sizes are ours. */
static const struct step verifying[] = {
	{ "unknown", "RCPT", "1", "no@net.example", "0", "x", "DUNNO" },
	{ "declared", "RCPT", "2", "ann@net.example", "9000000", "x", "DUNNO" },
	{ "fine", "END-OF-MESSAGE", "2", "ann@net.example", "1000", "x",
		"DUNNO" },
	{ "two", "RCPT", "3", "ann@net.example", "0", "x", "DUNNO" },
	{ "limits", "RCPT", "3", "big@net.example", "0", "x", "DUNNO" },
	{ "not for one of them", "END-OF-MESSAGE", "3", "", "1500000", "x",
		"452 4.5.3" },
	{ "split:", "RCPT", "4", "ann@net.example", "0", "x", "DUNNO" },
	{ "the other comes later", "RCPT", "4", "big@net.example", "0", "x",
		"452 4.5.3" },
	{ "and the first has its answer", "END-OF-MESSAGE", "4",
		"ann@net.example", "1500000", "x", "552 5.3.4" },
	{ NULL },
};

static const struct step nothing[] = {
	{ "unknown", "RCPT", "1", "no@net.example", "0", "x", "DUNNO" },
	{ "its end", "END-OF-MESSAGE", "1", "ann@net.example", "9000000", "x",
		"DUNNO" },
	{ NULL },
};

static void play(const char *policy, const struct step *steps, size_t kept)
{
	struct world w = open_world(policy);

	for (const struct step *s = steps; s->name != NULL; s++)
		expect_text(s->name,
			ask(&w, s->state, s->instance, s->recipient, s->size,
				s->helo),
			s->action);
	expect_number("mails under way",
		(long long)mr_delegation_mails(w.delegation), (long long)kept);
	close_world(&w);
}

static void test_alone(void **state)
{
	(void)state;
	play("judge = policyd\n" POLICY(""), alone, 4); /* 2, 3, 5, 9 */
}

static void test_verifying(void **state)
{
	(void)state;
	play(POLICY("\tverify = policyd\n"), verifying, 1);
}

static void test_milters(void **state)
{
	(void)state;
	play(POLICY(""), nothing, 0);
}

/* The milter judges; rates are ours.  What is refused, or given up, does not
 * count. */
#define RATES                                                        \
	"rate recipient {\n\tmessages = 2 / 1h\n}\n"                 \
	"rate client {\n\tbytes = 3000 / 1h\n\taction = reject\n}\n" \
	"rate sender_domain {\n\trecipients = 5 / 1h\n}\n"           \
	"group free {\n\tmembers = inline:{ big@net.example=x }\n"   \
	"\trate recipient {\n\t\taction = off\n\t}\n}\n"

static const struct step rated[] = {
	{ "one", "RCPT", "1", "ann@net.example", "0", "x", "DUNNO" },
	{ "asked again", "RCPT", "1", "ann@net.example", "0", "x", "DUNNO" },
	{ "its end", "END-OF-MESSAGE", "1", "ann@net.example", "1000", "x",
		"DUNNO" },
	{ "given up", "RCPT", "2", "ann@net.example", "0", "x", "DUNNO" },
	{ "given up, too", "RCPT", "3", "ann@net.example", "0", "x", "DUNNO" },
	{ "too large for all", "RCPT", "4", "ann@net.example", "9000", "x",
		"550 5.7.1" },
	{ "said too late", "RCPT", "5", "ann@net.example", "0", "x", "DUNNO" },
	{ "is refused", "END-OF-MESSAGE", "5", "ann@net.example", "9000", "x",
		"550 5.7.1" },
	{ "two", "RCPT", "6", "ann@net.example", "0", "x", "DUNNO" },
	{ "the other", "RCPT", "6", "big@net.example", "0", "x", "DUNNO" },
	{ "their end", "END-OF-MESSAGE", "6", "", "500", "x", "DUNNO" },
	{ "three", "RCPT", "7", "ann@net.example", "0", "x", "450 4.2.1" },
	{ "by another name", "RCPT", "7", "ann+y@net.example", "0", "x",
		"450 4.2.1" },
	{ "not the other", "RCPT", "7", "big@net.example", "0", "x", "DUNNO" },
	{ "the other's end", "END-OF-MESSAGE", "7", "big@net.example", "500",
		"x", "DUNNO" },
	{ "unknown end", "END-OF-MESSAGE", "8", "big@net.example", "500", "x",
		"DUNNO" },
	{ "five", "RCPT", "9", "big@net.example", "0", "x", "450 4.7.1" },
	{ NULL },
};

/* At the end there is one answer for all. */
#define BYTES                                                      \
	"rate recipient {\n\tbytes = 1K / 1h\n}\n"                 \
	"group free {\n\tmembers = inline:{ big@net.example=x }\n" \
	"\trate recipient {\n\t\taction = off\n\t}\n}\n"

static const struct step mixed[] = {
	{ "one", "RCPT", "1", "ann@net.example", "0", "x", "DUNNO" },
	{ "who may get more", "RCPT", "1", "big@net.example", "0", "x",
		"DUNNO" },
	{ "not for one of them", "END-OF-MESSAGE", "1", "", "1500", "x",
		"452 4.5.3" },
	{ "again", "RCPT", "2", "ann@net.example", "0", "x", "DUNNO" },
	{ "the other comes later", "RCPT", "2", "big@net.example", "0", "x",
		"452 4.5.3" },
	{ "the first's own answer", "END-OF-MESSAGE", "2", "ann@net.example",
		"1500", "x", "450 4.2.1" },
	{ "the other", "RCPT", "3", "big@net.example", "0", "x", "DUNNO" },
	{ "is free", "END-OF-MESSAGE", "3", "big@net.example", "1500", "x",
		"DUNNO" },
	{ "what was refused did not count", "RCPT", "4", "ann@net.example", "0",
		"x", "DUNNO" },
	{ "so there is room", "END-OF-MESSAGE", "4", "ann@net.example", "1024",
		"x", "DUNNO" },
	{ NULL },
};

/* Of several recipients the end names none; one that looks like none is not
 * meant by that. */
#define ONE "rate recipient {\n\tmessages = 1 / 1h\n}\n"

static const struct step nobody[] = {
	{ "one", "RCPT", "1", "ann@net.example", "0", "x", "DUNNO" },
	{ "nobody", "RCPT", "1", "<>", "0", "x", "DUNNO" },
	{ "their end", "END-OF-MESSAGE", "1", "", "500", "x", "DUNNO" },
	{ "counts", "RCPT", "2", "ann@net.example", "0", "x", "450 4.2.1" },
	{ NULL },
};

static void test_rates(void **state)
{
	(void)state;
	play(POLICY("") ONE, nobody, 1);
	play(POLICY("") BYTES, mixed, 0);
	play(POLICY("") RATES, rated, 4); /* 2, 3, 4, 9 */
}

/* --- mails */

static void keep(struct mr_mails *mails, struct world *w, const char *instance,
	bool accepted, int64_t now_ms)
{
	struct mr_policy *policy = mr_engine_policy(w->engine);
	struct mr_mail *mail = mr_mail_new(instance);

	mail->session = mr_session_new();
	mail->txn = mr_txn_new(
		w->engine, mail->session, policy, "s@a.example", 0, 1000);
	mr_txn_rcpt(mail->txn, "ann@net.example")->accepted = accepted;
	mr_policy_release(&policy);
	mr_mails_keep(mails, &mail, now_ms);
}

static bool is_there(struct mr_mails *mails, const char *instance)
{
	struct mr_mail *mail = mr_mails_take(mails, instance);
	bool there = mail != NULL;

	mr_mail_free(&mail);
	return there;
}

static void test_bound(void **state)
{
	struct world w = open_world(POLICY(""));
	struct mr_mails *mails = mr_mails_new(3, SIZE_MAX);

	(void)state;
	keep(mails, &w, "accepted", true, 0);
	keep(mails, &w, "refused", false, 1);
	keep(mails, &w, "later", true, 2);
	keep(mails, &w, "last", true, 3);
	expect_number("kept", (long long)mr_mails_count(mails), 3);
	expect_number("refused", is_there(mails, "refused"), false);
	keep(mails, &w, "more", true, 4);
	expect_number("the oldest", is_there(mails, "accepted"), false);
	expect_number("a later one", is_there(mails, "later"), true);
	keep(mails, &w, "more", true, 5);
	expect_number("replaced", (long long)mr_mails_count(mails), 2);
	mr_mails_free(&mails);
	close_world(&w);
}

/* A mail has 3 KB at least, and more with each recipient. */
static void test_octets(void **state)
{
	struct world w = open_world(POLICY(""));
	struct mr_mails *mails = mr_mails_new(100, 12 * 1024);

	(void)state;
	for (int i = 0; i < 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%d", i);
		keep(mails, &w, name, true, i);
	}
	expect_number("fewer", mr_mails_count(mails) <= 4, true);
	expect_number("the newest", is_there(mails, "m9"), true);
	expect_number("an old one", is_there(mails, "m0"), false);
	mr_mails_free(&mails);
	close_world(&w);
}

static void test_time(void **state)
{
	struct world w = open_world(POLICY(""));
	struct mr_mails *mails = mr_mails_new(100, SIZE_MAX);

	(void)state;
	keep(mails, &w, "accepted", true, 0);
	keep(mails, &w, "refused", false, 0);
	keep(mails, &w, "a", true, MR_MAILS_REFUSED_MS);
	expect_number("refused", is_there(mails, "refused"), false);
	keep(mails, &w, "b", true, MR_MAILS_ACCEPTED_MS);
	expect_number("accepted", is_there(mails, "accepted"), false);
	expect_number("one that is not old", is_there(mails, "a"), true);
	mr_mails_free(&mails);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_verifying),
		cmocka_unit_test(test_milters),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, files_enter, files_leave);
}
