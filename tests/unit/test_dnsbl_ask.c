/* test_dnsbl_ask - the lists of a policy, asked in a zone; many at once */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/lookup/dnsbl.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static const char zone_text[] =
	"$TTL 60\n"
	"2.0.0.127.bl.example. IN A 127.0.0.2\n"
	"1.2.0.192.bl.example. IN A 127.0.0.4\n"
	"*.wild.example. IN A 127.0.0.2\n"
	"1.2.0.192.refusing.example. IN A 127.255.255.254\n"
	";!servfail 1.2.0.192.dead.example.\n"
	";!servfail 2.2.0.192.dead.example.\n"
	";!servfail 3.2.0.192.dead.example.\n"
	"bad.example.names.example. IN A 127.0.1.2\n"
	"test.names.example. IN A 127.0.1.2\n";

static const struct mr_dnsbl_list lists[] = {
	{ .title = "bl", .zone = "bl.example", .weight = 1 },
	{ .title = "wild", .zone = "wild.example", .weight = 1 },
	{ .title = "refusing", .zone = "refusing.example", .weight = 1 },
	{ .title = "dead", .zone = "dead.example", .weight = 1 },
	{ .title = "names", .zone = "names.example", .ask = MR_LISTED_HELO },
};

enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

struct world {
	struct mr_dns *dns;
	struct mr_dnsbl *dnsbl;
};

static int begin(void **state)
{
	struct world *w = mr_calloc(1, sizeof(*w));
	char path[] = "/tmp/dnsbl-zone-XXXXXX";
	int fd = mkstemp(path);
	struct mr_error error;

	if (fd < 0 || write(fd, zone_text, strlen(zone_text)) < 0 ||
		close(fd) < 0)
		fail_msg("%s", path);
	if (mr_dns_open_zone(path, &w->dns, &error) < 0)
		fail_msg("%s", error.text);
	unlink(path);
	w->dnsbl = mr_dnsbl_new(lists, LISTS);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	mr_dnsbl_free(&w->dnsbl);
	mr_dns_free(&w->dns);
	free(w);
	return 0;
}

/* A letter for each list: L(isted), c(lear), ?, r(efused), -(not asked). */
static void ask(struct world *w, const char *ip, const char *helo, char *says)
{
	static const char letters[] = "-?cLork";
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dnsbl_items items = { .names = { [MR_LISTED_HELO] = helo } };
	const struct mr_dnsbl_found *found;
	struct mr_error error;

	if (ip != NULL && mr_ip_parse(ip, &items.client, &error) < 0)
		abort();
	mr_dnsbl_prefetch(w->dnsbl, w->dns, &items);
	found = mr_dnsbl_ask(
		w->dnsbl, w->dns, &items, mr_clock_ms() + 5000, arena);
	for (int i = 0; i < LISTS; i++)
		says[i] = letters[found[i].says];
	says[LISTS] = '\0';
	mr_arena_free(&arena);
}

static void test_ask(void **state)
{
	static const struct {
		const char *ip, *helo, *want;
	} cases[] = {
		/* a wildcard is found out before it does harm, a refusal at
		 * once; one that is silent is, for a while */
		{ "192.0.2.1", NULL, "L--?-" },
		{ "192.0.2.1", "bad.example", "L--?L" },
		{ "192.0.2.2", "good.example", "c--?c" },
		{ "192.0.2.3", NULL, "c----" },
		{ "192.0.2.4", "bad.example.", "c---L" },
		{ NULL, "bad.example", "----L" },
		{ "2001:db8::1", NULL, "c-cc-" },
	};
	char says[LISTS + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask(*state, cases[i].ip, cases[i].helo, says);
		expect_text(cases[i].ip, says, cases[i].want);
	}
	expect_done();
}

static void see(void *context, const char *list, const char *health)
{
	char *text = context;

	snprintf(text + strlen(text), 2048 - strlen(text), "%s: %.17s\n", list,
		health);
}

static void test_probe(void **state)
{
	struct world *w = *state;
	char says[LISTS + 1], text[2048] = "";

	mr_dnsbl_probe(w->dnsbl, w->dns);
	ask(w, "192.0.2.1", "bad.example", says);
	expect_text("after a probe", says, "L---L");
	mr_dnsbl_status(w->dnsbl, mr_clock_ms(), see, text);
	expect_text("status", text,
		"bl, IPv4: well; asked 1 tim\n"
		"bl, IPv6: not asked, it has\n"
		"wild, IPv4: taken out 0 s ago\n"
		"wild, IPv6: taken out 0 s ago\n"
		"refusing, IPv4: taken out 0 s ago\n"
		"refusing, IPv6: not asked, it has\n"
		"dead, IPv4: taken out 0 s ago\n"
		"dead, IPv6: not asked, it has\n"
		"names: well; asked 1 tim\n");
	expect_done();
}

static void test_alike(void **state)
{
	struct world *w = *state;
	struct mr_dnsbl_list other[LISTS];
	struct mr_dnsbl *dnsbl = mr_dnsbl_new(lists, LISTS);

	expect_number("the same", mr_dnsbl_alike(w->dnsbl, dnsbl), 1);
	mr_dnsbl_free(&dnsbl);
	memcpy(other, lists, sizeof(lists));
	other[1].weight = 2;
	dnsbl = mr_dnsbl_new(other, LISTS);
	expect_number("a weight", mr_dnsbl_alike(w->dnsbl, dnsbl), 0);
	mr_dnsbl_free(&dnsbl);
	dnsbl = mr_dnsbl_new(lists, LISTS - 1);
	expect_number("one less", mr_dnsbl_alike(w->dnsbl, dnsbl), 0);
	mr_dnsbl_free(&dnsbl);
	expect_done();
}

static void *ask_often(void *context)
{
	char says[LISTS + 1], ip[32];

	for (int i = 0; i < 200; i++) {
		snprintf(ip, sizeof(ip), "192.0.2.%d", 1 + i % 9);
		ask(context, ip, "bad.example", says);
		if (says[0] != (i % 9 == 0 ? 'L' : 'c') || says[1] != '-')
			return context;
	}
	return NULL;
}

/* Those who ask, the thread that probes, and the end of both. */
static void test_threads(void **state)
{
	struct world *w = *state;
	pthread_t threads[4];
	void *wrong;

	mr_dnsbl_watch(w->dnsbl, w->dns);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, ask_often, w), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &wrong);
		expect_number("a wrong answer", wrong != NULL, 0);
	}
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ask, begin, end),
		cmocka_unit_test_setup_teardown(test_probe, begin, end),
		cmocka_unit_test_setup_teardown(test_alike, begin, end),
		cmocka_unit_test_setup_teardown(test_threads, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
