/* test_bookings - what is on its way to a mailbox, and how check quota judges
 * by it: reports and requests of policy delegation, in turns. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/units.h"
#include "common/policy/engine.h"
#include "policyd/bookings.h"
#include "policyd/delegation.h"
#include "policyd/quotas.h"
#include "policyd/store.h"
#include "policyd/usages.h"
#include "tests/unit/expect.h"
#include "tests/unit/files.h"

#include <stdlib.h>

enum { KB = 1024, HOLD_MS = 60000, HOUR_MS = 3600 * 1000 };

/* --- is there room? */

static const struct {
	const char *name;
	uint64_t bytes, booked;
	int64_t age_ms;
	uint64_t size, limit;
	enum mr_room room;
	int64_t came; /* since it was counted */
} rooms[] = {
	{ "empty", 0, 0, 0, 50 * KB, 100 * KB, MR_ROOM_ENOUGH },
	{ "no limit", INT64_MAX, INT64_MAX, 0, INT64_MAX, MR_UNLIMITED,
		MR_ROOM_ENOUGH },
	{ "to the octet", 10 * KB, 38 * KB, 0, 50 * KB, 100 * KB,
		MR_ROOM_ENOUGH },
	{ "an octet more", 10 * KB + 1, 38 * KB, 0, 50 * KB, 100 * KB,
		MR_ROOM_BOOKED },
	{ "its headers may not fit", 50 * KB, 0, 0, 50 * KB, 100 * KB,
		MR_ROOM_BOOKED },
	{ "it does not fit", 50 * KB + 1, 0, 0, 50 * KB, 100 * KB,
		MR_ROOM_NONE },
	{ "full, a mail of unknown size", 100 * KB, 0, 0, 0, 100 * KB,
		MR_ROOM_NONE },
	{ "one octet left", 100 * KB - 1, 0, 0, 0, 100 * KB, MR_ROOM_BOOKED },
	{ "above", 200 * KB, 0, HOUR_MS, 1, 100 * KB, MR_ROOM_NONE },
	{ "an hour ago", 200 * KB, 0, HOUR_MS + 1, 1, 100 * KB, MR_ROOM_OLD },
	{ "booked an hour ago", 10 * KB, 80 * KB, HOUR_MS + 1, 50 * KB,
		100 * KB, MR_ROOM_BOOKED },
	{ "too large for a mailbox", 0, 0, 0, UINT64_MAX, 100 * KB,
		MR_ROOM_NONE },
	{ "not counted, and it fits", 40 * KB, 0, 0, 50 * KB, 100 * KB,
		MR_ROOM_ENOUGH, 40 * KB },
	{ "not counted", 60 * KB, 0, 0, 50 * KB, 100 * KB, MR_ROOM_OLD,
		60 * KB },
	{ "not counted, and it fits alone", 40 * KB, 20 * KB, 0, 50 * KB,
		100 * KB, MR_ROOM_BOOKED, 40 * KB },
	{ "not counted, and too large for an empty one", 41 * KB, 0,
		HOUR_MS + 1, 100 * KB + 1, 100 * KB, MR_ROOM_NONE, 41 * KB },
	{ "not counted since", 60 * KB, 0, 0, 50 * KB, 100 * KB, MR_ROOM_OLD,
		10 * KB },
	{ "it did not fit then", 61 * KB, 0, 0, 50 * KB, 100 * KB, MR_ROOM_NONE,
		10 * KB },
};

static void test_rooms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct mr_fill fill = { rooms[i].bytes,
			rooms[i].bytes - (uint64_t)rooms[i].came,
			rooms[i].booked, rooms[i].age_ms };

		expect_number(rooms[i].name,
			mr_quotas_room(&fill, rooms[i].size, rooms[i].limit),
			rooms[i].room);
	}
	expect_done();
}

/* --- bookings */

static void test_bookings(void **state)
{
	struct mr_bookings bookings = { .hold_ms = 100 };
	struct mr_book ann = { 0 }, ben = { 0 };
	const uint64_t headers = MR_QUOTA_HEADERS;

	(void)state;
	mr_bookings_add(&bookings, &ann, 1, 10000, 0);
	mr_bookings_add(&bookings, &ann, 2, 12000, 10);
	mr_bookings_add(&bookings, &ben, 2, 12000, 10);
	mr_bookings_add(&bookings, &ann, 3, UINT64_MAX, 20);
	expect_number("ann's", (long long)ann.octets,
		(long long)(22000 + 2 * headers));
	expect_number("all", (long long)bookings.n, 3);
	mr_bookings_saved(&bookings, &ann, 9999);
	mr_bookings_saved(&bookings, &ann, 12000 + MR_BOOKINGS_ADDED + 1);
	expect_number("no mail of that size", (long long)bookings.n, 3);
	mr_bookings_saved(&bookings, &ann, 12500);
	expect_number("the nearer one", (long long)ann.octets,
		(long long)(10000 + headers));
	mr_bookings_cancel(&bookings, &ben, 1);
	expect_number("another mail's", (long long)bookings.n, 2);
	mr_bookings_cancel(&bookings, &ben, 2);
	expect_number("cancelled", (long long)ben.octets, 0);
	mr_bookings_expire(&bookings, 99);
	expect_number("not yet", (long long)bookings.n, 1);
	mr_bookings_expire(&bookings, 100);
	expect_number("over", (long long)ann.octets, 0);
	expect_number("nothing is left", (long long)bookings.octets, 0);
	mr_bookings_clear(&bookings);
	expect_done();
}

static void seen(void *context, const struct mr_state_store_row *row)
{
	(void)context;
	(void)row;
}

static struct mr_state_store *open_store(void)
{
	return mr_state_store_new(&mr_state_store_sqlite, "state.sqlite",
		&(struct mr_state_store_owner){ .seen = seen });
}

/* A mark that is old lets in one mail, and then counts for an hour again. */
static void test_old(void **state)
{
	struct mr_usages *usages = mr_usages_new(10, HOLD_MS);
	struct mr_state_store *store = open_store();
	struct mr_report report = { "ann", 100 * KB, 1, 0, 0, 0 };
	struct mr_usages_now now = { 1000, 1000 };
	struct mr_booking one = { "ann", 10, 100 * KB, MR_ROOM_ENOUGH };
	uint64_t number;

	(void)state;
	mr_usages_set(usages, &report, &now, store);
	mr_usages_book(usages, &one, 1, &now);
	expect_number("full", one.room, MR_ROOM_NONE);
	now.boot_ms += HOUR_MS + 1;
	number = mr_usages_book(usages, &one, 1, &now);
	expect_number("an hour later", one.room, MR_ROOM_OLD);
	mr_usages_cancel(usages, &one, 1, number);
	mr_usages_book(usages, &one, 1, &now);
	expect_number("that one was refused", one.room, MR_ROOM_OLD);
	mr_usages_book(usages, &one, 1, &now);
	expect_number("the next", one.room, MR_ROOM_NONE);
	now.boot_ms += HOUR_MS + 1;
	mr_usages_book(usages, &one, 1, &now);
	expect_number("two hours later", one.room, MR_ROOM_OLD);
	mr_state_store_free(&store);
	mr_usages_free(&usages);
	expect_done();
}

/* --- with requests */

#define POLICY                                                          \
	"hostname = mx.example\n"                                       \
	"maps {\n\tdomains = inline:{ net.example=x }\n"                \
	"\taliases = inline:{ @cat.example=ann@net.example, "           \
	"both@net.example=ann@net.example, x@net.example=ann@x.example" \
	" }\n"                                                          \
	"\tmailboxes = inline:{ ann@net.example=x, ben@net.example=x, " \
	"cat@net.example=x }\n}\n"                                      \
	"check mx {\n\taction = off\n}\n"                               \
	"check size {\n\taction = off\n}\n"                             \
	"mailbox {\n\tquota = 100K\n\tfull = reject\n}\n"               \
	"user cat@net.example {\n\tmailbox {\n\t\tquota = unlimited\n"  \
	"\t}\n}\n"                                                      \
	"check quota {\n\taction = reject\n}\n"

struct world {
	struct mr_engine *engine;
	struct mr_usages *usages;
	struct mr_state_store *store;
	struct mr_quotas quotas;
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
	w.usages = mr_usages_new(100, HOLD_MS);
	w.store = open_store();
	w.quotas = mr_quotas_of(w.usages);
	return w;
}

static void close_world(struct world *w)
{
	mr_delegation_free(&w->delegation);
	mr_engine_free(&w->engine);
	mr_state_store_free(&w->store);
	mr_usages_free(&w->usages);
	mr_arena_free(&w->arena);
	expect_done();
}

struct step {
	const char *name, *state, *mail, *recipient;
	uint64_t size;  /* of a report: bytes */
	unsigned count; /* of recipients; of a report: saved */
	const char *action;
};

#define RCPT(mail, recipient, size) "RCPT", mail, recipient, size, 0
#define END(mail, recipient, size, count) \
	"END-OF-MESSAGE", mail, recipient, size, count
#define REPORT(mailbox, bytes, saved) "REPORT", "", mailbox, bytes, saved
#define ANN "ann@net.example"
#define BEN "ben@net.example"
#define CAT "cat@net.example"
#define OK "DUNNO"
#define FULL "552 5.2.2"
#define LATER "452 4.2.2"
#define SPLIT "452 4.5.3"

static const char *play_step(struct world *w, const struct step *s)
{
	struct mr_request request;
	struct mr_error error;
	struct mr_usages_now now = mr_usages_now();
	struct mr_report report = { s->recipient, (int64_t)s->size, 1, 0,
		s->count, 0 };
	const char *action;
	char *text;

	if (strcmp(s->state, "REPORT") == 0) {
		mr_usages_set(w->usages, &report, &now, w->store);
		return NULL;
	}
	text = mr_arena_printf(w->arena,
		"request=smtpd_access_policy\nprotocol_state=%s\ninstance=%s\n"
		"recipient=%s\nsize=%llu\nsender=s@example.org\n"
		"recipient_count=%u\nclient_address=192.0.2.7\n"
		"server_port=25\n\n",
		s->state, s->mail, s->recipient, (unsigned long long)s->size,
		s->count);
	assert_int_equal(
		mr_request_parse(text, strlen(text), &request, &error), 0);
	action = mr_delegation_answer(w->delegation, &request, w->arena);
	if (*action == '4' || *action == '5')
		return mr_arena_strndup(w->arena, action, 9);
	return action;
}

static void play(const char *policy, const struct step *steps, size_t bookings)
{
	struct world w = open_world(policy);
	struct mr_usages_now now = mr_usages_now();

	w.delegation = mr_delegation_new(w.engine, NULL, &w.quotas);
	for (const struct step *s = steps; s->name != NULL; s++)
		expect_text(s->name, play_step(&w, s), s->action);
	expect_number("bookings",
		(long long)mr_usages_status(w.usages, &now).bookings,
		(long long)bookings);
	close_world(&w);
}

static const struct step at_rcpt[] = {
	{ "nothing was said", RCPT("1", ANN, 0), OK },
	{ "", REPORT(ANN, 100 * KB, 0), NULL },
	{ "full", RCPT("2", ANN, 0), FULL },
	{ "its detail", RCPT("3", "ann+x@net.example", 0), FULL },
	{ "an alias", RCPT("4", "both@net.example", 0), FULL },
	{ "others", RCPT("5", BEN, 0), OK },
	{ "elsewhere", RCPT("6", "x@net.example", 0), OK },
	{ "nobody", RCPT("7", "no@net.example", 0), OK },
	{ "", REPORT(ANN, 50 * KB, 0), NULL },
	{ "room", RCPT("8", ANN, 40 * KB), OK },
	{ "declared too large", RCPT("9", ANN, 51 * KB), FULL },
	{ "perhaps too large", RCPT("10", ANN, 49 * KB), LATER },
	{ "", REPORT(CAT, 900 * KB, 0), NULL },
	{ "no limit", RCPT("11", CAT, 900 * KB), OK },
	{ NULL },
};

static const struct step at_end[] = {
	{ "", REPORT(ANN, 50 * KB, 0), NULL },
	{ "", REPORT(BEN, 90 * KB, 0), NULL },
	{ "", REPORT(CAT, 90 * KB, 0), NULL },
	{ "of RCPT alone nothing", RCPT("1", ANN, 40 * KB), OK },
	{ "is booked", RCPT("2", ANN, 40 * KB), OK },
	{ "the end", END("2", ANN, 40 * KB, 1), OK },
	{ "the other is late", END("1", ANN, 40 * KB, 1), LATER },
	{ "and so is a third", RCPT("3", ANN, 40 * KB), LATER },
	{ "something else is saved", REPORT(ANN, 50 * KB, 900), NULL },
	{ "it is still booked", RCPT("4", ANN, 40 * KB), LATER },
	{ "it is saved", REPORT(ANN, 91 * KB, 41 * KB), NULL },
	{ "now it is full", RCPT("5", ANN, 40 * KB), FULL },
	{ "too large in truth", RCPT("6", ANN, 0), OK },
	{ "only the end knows", END("6", ANN, 40 * KB, 1), FULL },
	{ "two", RCPT("7", CAT, 0), OK },
	{ "of which one", RCPT("7", BEN, 0), OK },
	{ "has no room", END("7", "", 40 * KB, 2), SPLIT },
	{ "the next try", RCPT("8", CAT, 0), OK },
	{ "the other comes later", RCPT("8", BEN, 0), SPLIT },
	{ "the first goes in", END("8", CAT, 40 * KB, 1), OK },
	{ "the other", RCPT("9", BEN, 0), OK },
	{ "does not", END("9", BEN, 40 * KB, 1), FULL },
	{ "asked twice", RCPT("10", CAT, 0), OK },
	{ "asked twice", RCPT("10", CAT, 0), OK },
	{ "refused by others", RCPT("10", ANN, 0), OK },
	{ "so nobody knows who is left", END("10", "", 40 * KB, 2), OK },
	{ "an end that we saw no beginning of", END("11", BEN, 40 * KB, 1),
		FULL },
	{ NULL },
};

static void test_alone(void **state)
{
	(void)state;
	play("judge = policyd\n" POLICY, at_rcpt, 0);
	play("judge = policyd\n" POLICY, at_end, 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, files_enter, files_leave)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rooms),
		cmocka_unit_test(test_bookings),
		T(test_old),
		T(test_alone),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
