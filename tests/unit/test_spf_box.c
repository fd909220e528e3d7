/* test_spf_box - libspf2 in its process: results, what strangers' records do to
 * it, and workers that are no libspf2 any more (spf_liar).
 *
 * SPF_WORKER and SPF_LIAR are the programs' paths. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "tests/unit/files.h"

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/ip.h"
#include "common/lookup/dns.h"
#include "common/lookup/spf_box.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

static const char zone_text[] =
	"$TTL 300\n"
	"plain.example. TXT \"other\"\n"
	"plain.example. TXT \"v=spf1 ip4:192.0.2.0/24 mx -all exp=e.example\"\n"
	"plain.example. MX 5 mx.example.\n"
	"mx.example. A 198.51.100.9\n"
	"mx.example. AAAA 2001:db8::9\n"
	/* libspf2 wants %_ for a blank */
	"e.example. TXT \"%{i}%_is_not_for_%{s}\"\n"
	"mail.example. TXT \"v=spf1 a -all\"\n"
	"mail.example. A 192.0.2.1\n"
	"soft.example. TXT \"v=spf1 ~all\"\n"
	"neutral.example. TXT \"v=spf1 ?all\"\n"
	"bad.example. TXT \"v=spf1 foo:bar -all\"\n"
	"slow.example. TXT \"v=spf1 a:broken.example -all\"\n"
	";!servfail broken.example.\n"
	"nul.example. TXT \"v=spf1 +all\\000 -all\"\n"
	"xn--bcher-kva.example. TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
	/* ten to the fifth questions for libspf2 */
	"many.example. TXT \"v=spf1 include:a.many.example "
	"include:b.many.example include:c.many.example include:d.many.example "
	"include:e.many.example include:f.many.example include:g.many.example "
	"include:h.many.example include:i.many.example -all\"\n"
	"*.many.example. TXT \"v=spf1 include:a.%{d} include:b.%{d} "
	"include:c.%{d} include:d.%{d} include:e.%{d} include:f.%{d} "
	"include:g.%{d} include:h.%{d} include:i.%{d} ?all\"\n"
	"crash.example. TXT \"v=spf1 exp=boom.example -all\"\n";

static char zone[sizeof(zone_text) + 2048];

/* CVE-2023-42118: 127 macros and a letter, in an explanation. */
static void add_crash(void)
{
	char *end = zone + strlen(zone);

	end += sprintf(end, "boom.example. TXT");
	for (int string = 0; string < 3; string++) {
		end += sprintf(end, " \"");
		for (int i = 0; i < (string < 2 ? 60 : 7); i++)
			end += sprintf(end, "%%{d}");
		end += sprintf(end, string < 2 ? "\"" : "A\"\n");
	}
}

struct world {
	struct mr_spf_box *box;
	struct mr_dns *dns;
	struct mr_arena *arena;
};

static void open_world(struct world *world, const char *program)
{
	struct mr_error error;
	FILE *file = fopen("zone", "w");

	snprintf(zone, sizeof(zone), "%s", zone_text);
	add_crash();
	assert_non_null(file);
	fputs(zone, file);
	fclose(file);
	world->arena = mr_arena_new(0);
	world->box = mr_spf_box_new(program);
	if (mr_dns_open_zone("zone", &world->dns, &error) < 0)
		fail_msg("%s", error.text);
}

static void close_world(struct world *world)
{
	mr_spf_box_free(&world->box);
	mr_dns_free(&world->dns);
	mr_arena_free(&world->arena);
}

static struct mr_spf_answer check(struct world *world, struct mr_arena *arena,
	const char *address, const char *sender, int64_t wait_ms)
{
	struct mr_spf_answer answer;
	struct mr_error error;
	struct mr_ip ip;
	const struct mr_spf_query query = {
		.ip = &ip,
		.helo = "mail.example",
		.sender = sender,
		.receiver = "mx.receiver.example",
		.default_explanation = "default",
		.deadline_ms = mr_clock_ms() + wait_ms,
	};

	assert_int_equal(mr_ip_parse(address, &ip, &error), 0);
	mr_spf_box_check(world->box, world->dns, &query, arena, &answer);
	assert_non_null(answer.why);
	assert_non_null(answer.domain);
	return answer;
}

static void test_results(void **state)
{
	static const struct {
		const char *ip, *sender;
		enum mr_spf want;
		const char *explanation;
	} rows[] = {
		{ "192.0.2.1", "", MR_SPF_PASS, NULL },
		{ "192.0.2.2", "", MR_SPF_FAIL, "default" },
		{ "192.0.2.7", "a@plain.example", MR_SPF_PASS, NULL },
		{ "198.51.100.9", "a@plain.example", MR_SPF_PASS, NULL },
		{ "2001:db8::9", "a@plain.example", MR_SPF_PASS, NULL },
		{ "198.51.100.1", "a@plain.example", MR_SPF_FAIL,
			"198.51.100.1 is_not_for_a@plain.example" },
		{ "192.0.2.1", "a@soft.example", MR_SPF_SOFTFAIL, NULL },
		{ "192.0.2.1", "a@neutral.example", MR_SPF_NEUTRAL, NULL },
		{ "192.0.2.1", "a@nothing.example", MR_SPF_NONE, NULL },
		{ "192.0.2.1", "a@bad.example", MR_SPF_PERMERROR, NULL },
		{ "192.0.2.1", "a@slow.example", MR_SPF_TEMPERROR, NULL },
		{ "192.0.2.1", "a@nul.example", MR_SPF_PERMERROR, NULL },
		{ "192.0.2.1",
			"a@b\xc3\xbc"
			"cher.example",
			MR_SPF_PASS, NULL },
		{ "192.0.2.1", "a@\xff.example", MR_SPF_NONE, NULL },
	};
	struct world world;

	(void)state;
	open_world(&world, getenv("SPF_WORKER"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mr_spf_answer answer = check(
			&world, world.arena, rows[i].ip, rows[i].sender, 5000);

		if (answer.result != rows[i].want ||
			(rows[i].explanation == NULL) !=
				(answer.explanation == NULL) ||
			(rows[i].explanation != NULL &&
				strcmp(answer.explanation,
					rows[i].explanation) != 0))
			fail_msg("%s %s: %s (%s), explanation %s", rows[i].ip,
				rows[i].sender, mr_spf_word(answer.result),
				answer.why, answer.explanation);
	}
	close_world(&world);
}

/* What libspf2 cannot bear costs that one check only. */
static void test_bad_records(void **state)
{
	struct world world;
	struct mr_spf_answer answer;

	(void)state;
	open_world(&world, getenv("SPF_WORKER"));
	answer =
		check(&world, world.arena, "192.0.2.1", "a@many.example", 5000);
	assert_int_equal(answer.result, MR_SPF_PERMERROR);
	assert_in_range(answer.questions, 0, MR_SPF_QUESTIONS + 1);
	answer = check(
		&world, world.arena, "192.0.2.1", "a@crash.example", 5000);
	/* a libspf2 that is mended has a fail */
	if (answer.result == MR_SPF_TEMPERROR)
		assert_string_equal(
			answer.why, "libspf2 crashed, or did what it may not");
	else
		assert_int_equal(answer.result, MR_SPF_FAIL);
	print_message("crash.example: %s (%s)\n", mr_spf_word(answer.result),
		answer.why);
	answer = check(
		&world, world.arena, "192.0.2.1", "a@plain.example", 5000);
	assert_int_equal(answer.result, MR_SPF_PASS);
	close_world(&world);
}

static void *check_often(void *context)
{
	struct world *world = context;

	for (int i = 0; i < 50; i++) {
		struct mr_arena *arena = mr_arena_new(0);
		struct mr_spf_answer answer = check(world, arena, "192.0.2.1",
			i % 2 == 0 ? "a@plain.example" : "a@crash.example",
			20000);
		bool fine = i % 2 != 0 || answer.result == MR_SPF_PASS;

		mr_arena_free(&arena);
		if (!fine)
			return context;
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct world world;
	pthread_t threads[4];
	void *wrong;

	(void)state;
	open_world(&world, getenv("SPF_WORKER"));
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, check_often, &world),
			0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	close_world(&world);
}

/* A worker that was taken over. */
static void test_liars(void **state)
{
	static const struct {
		const char *name;
		enum mr_spf want;
		const char *why;
	} rows[] = {
		{ "liar-hang", MR_SPF_TEMPERROR, "did not end in time" },
		{ "liar-sleep", MR_SPF_TEMPERROR, "did not end in time" },
		{ "liar-large", MR_SPF_TEMPERROR, "means nothing" },
		{ "liar-small", MR_SPF_TEMPERROR, "means nothing" },
		{ "liar-number", MR_SPF_TEMPERROR, "does not exist" },
		{ "liar-texts", MR_SPF_FAIL, "libspf2: www" },
		{ "liar-type", MR_SPF_TEMPERROR, "what nobody would" },
		{ "liar-name", MR_SPF_TEMPERROR, "what nobody would" },
		{ "liar-questions", MR_SPF_PERMERROR, "too many questions" },
		{ "liar-dies", MR_SPF_TEMPERROR, "crashed" },
		{ "liar-zygote", MR_SPF_TEMPERROR, "does not start workers" },
		{ "liar-nothing", MR_SPF_TEMPERROR, "does not start workers" },
		{ "liar-one", MR_SPF_TEMPERROR, "does not start workers" },
		{ "liar missing", MR_SPF_TEMPERROR, "cannot run liar missing" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world;
		int64_t begin = mr_clock_ms();

		(void)!symlink(getenv("SPF_LIAR"), rows[i].name);
		if (strchr(rows[i].name, ' ') != NULL)
			unlink(rows[i].name);
		open_world(&world, rows[i].name);
		for (int again = 0; again < 2; again++) {
			struct mr_spf_answer answer = check(&world, world.arena,
				"192.0.2.1", "a@plain.example", 300);

			if (answer.result != rows[i].want ||
				strstr(answer.why, rows[i].why) == NULL)
				fail_msg("%s: %s (%s)", rows[i].name,
					mr_spf_word(answer.result), answer.why);
		}
		assert_in_range(mr_clock_ms() - begin, 0, 3000);
		close_world(&world);
	}
}

/* No descriptor is left, whatever happened. */
static int count_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void test_descriptors(void **state)
{
	int before = count_fds();

	test_liars(state);
	test_bad_records(state);
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests(tests, files_enter, files_leave);
}
