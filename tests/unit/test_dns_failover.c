/* test_dns_failover - several servers, some of them dead, slow or refusing. */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/dns_world.h"

static int begin(void **state)
{
	return begin_with(state, 1);
}

static int begin_two(void **state)
{
	return begin_with(state, 2);
}

static struct mr_dns_server_status server_status(struct world *w, size_t i)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns_server_status server;
	struct mr_dns_status status;

	mr_dns_engine.status(w->engine, arena, &status);
	assert_int_equal(status.n_servers, w->n);
	server = status.servers[i];
	server.text = NULL;
	mr_arena_free(&arena);
	return server;
}

/* How long until a server is set aside, or back; -1: too long. */
static int64_t wait_for_health(
	struct world *w, size_t i, bool set_aside, int64_t most_ms)
{
	int64_t start = mr_clock_ms();

	while (server_status(w, i).set_aside != set_aside) {
		if (mr_clock_ms() - start > most_ms)
			return -1;
		usleep(10000);
	}
	return mr_clock_ms() - start;
}

static void test_the_next_answers(void **state)
{
	struct world *w = *state;
	struct asked got;

	atomic_store(&w->peers[0]->dead, true);
	got = ask(w, "one.example", 3000);
	assert_int_equal(got.found, MR_FOUND);
	assert_in_range(got.took_ms, 300, 1500);
	/* the dead one is suspect: the other is asked first now */
	got = ask(w, "two.example", 3000);
	assert_int_equal(got.found, MR_FOUND);
	assert_in_range(got.took_ms, 0, 250);
	assert_int_equal(atomic_exchange(&w->peers[0]->questions, 0), 1);
}

static void test_breaker(void **state)
{
	struct world *w = *state;
	int64_t took_ms;

	assert_int_equal(ask(w, "one.example", 3000).found, MR_FOUND);
	atomic_store(&w->peers[0]->dead, true);
	/* nothing is asked meanwhile */
	took_ms = wait_for_health(w, 0, true, 10000);
	print_message(
		"set aside after %d ms without questions\n", (int)took_ms);
	assert_in_range(took_ms, 4000, 9000);
	assert_false(server_status(w, 1).set_aside);
	assert_in_range(ask(w, "two.example", 3000).took_ms, 0, 250);
	assert_int_equal(atomic_load(&w->peers[0]->questions), 1);
	atomic_store(&w->peers[0]->dead, false);
	took_ms = wait_for_health(w, 0, false, 3000);
	print_message("back after %d ms\n", (int)took_ms);
	assert_in_range(took_ms, 0, 2500);
	assert_int_equal(ask(w, "three.example", 3000).found, MR_FOUND);
	assert_int_equal(atomic_load(&w->peers[0]->questions), 2);
}

static void test_refusals(void **state)
{
	struct world *w = *state;
	struct asked got;

	atomic_store(&w->peers[0]->refuses, true);
	got = ask(w, "one.example", 3000);
	assert_int_equal(got.found, MR_FOUND);
	assert_in_range(got.took_ms, 0, 250);
	atomic_store(&w->peers[1]->refuses, true);
	got = ask(w, "two.example", 3000);
	assert_int_equal(got.found, MR_TEMPFAIL);
	assert_non_null(strstr(got.why, "SERVFAIL"));
	assert_in_range(got.took_ms, 0, 250);
	/* a refusal is life */
	assert_false(server_status(w, 0).set_aside);
}

/* Each answer 3 s late: slow, not dead. */
static void test_slow_is_not_dead(void **state)
{
	struct world *w = *state;
	struct asker sum;

	atomic_store(&w->peers[0]->delay_ms, 3000);
	sum = ask_together(w, 100, 1, NULL, 8000);
	if (sum.failed > 0)
		fail_msg("%u failed: %s", sum.failed, sum.why);
	assert_in_range(sum.longest_ms, 2900, 4500);
	assert_false(server_status(w, 0).set_aside);
}

static void test_all_dead(void **state)
{
	struct world *w = *state;
	struct asker sum;

	atomic_store(&w->peers[0]->dead, true);
	atomic_store(&w->peers[1]->dead, true);
	sum = ask_together(w, 100, 1, NULL, 1000);
	assert_int_equal(sum.failed, 100);
	assert_in_range(sum.longest_ms, 900, 1500);
	assert_true(wait_for_health(w, 0, true, 9000) >= 0);
	assert_true(wait_for_health(w, 1, true, 9000) >= 0);
	sum = ask_together(w, 100, 1, "new.example", 8000);
	assert_int_equal(sum.failed, 100);
	assert_non_null(strstr(sum.why, "no DNS server answers"));
	assert_in_range(sum.longest_ms, 0, 500);
	atomic_store(&w->peers[1]->dead, false);
	assert_true(wait_for_health(w, 1, false, 3000) >= 0);
	assert_int_equal(ask(w, "new.example", 2000).found, MR_FOUND);
}

/* ICMP says so at once: the next is asked soon. */
/* What is asked shortly before the last server is set aside. */
static void test_under_way_when_all_are_dead(void **state)
{
	struct world *w = *state;
	struct asked got;

	atomic_store(&w->peers[0]->dead, true);
	assert_int_equal(ask(w, "first.example", 3500).found, MR_TEMPFAIL);
	assert_false(server_status(w, 0).set_aside);
	got = ask(w, "last.example", 8000);
	assert_int_equal(got.found, MR_TEMPFAIL);
	assert_non_null(strstr(got.why, "no DNS server answers"));
	assert_in_range(got.took_ms, 0, 3000);
	assert_true(server_status(w, 0).set_aside);
}

static void test_nobody_listens(void **state)
{
	struct world *w = *state;
	struct sockaddr_in here = { .sin_family = AF_INET };
	socklen_t size = sizeof(here);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct asked got;

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof(here)), 0);
	getsockname(fd, (struct sockaddr *)&here, &size);
	close(fd);
	mr_dns_engine.close(w->engine);
	snprintf(w->peers[0]->name, sizeof(w->peers[0]->name), "127.0.0.1:%u",
		ntohs(here.sin_port));
	open_engine(w);
	got = ask(w, "one.example", 3000);
	assert_int_equal(got.found, MR_FOUND);
	assert_in_range(got.took_ms, 0, 300);
	/* alone, it is asked again: it may be back */
	mr_dns_engine.close(w->engine);
	w->n = 1;
	open_engine(w);
	got = ask(w, "one.example", 1000);
	assert_int_equal(got.found, MR_TEMPFAIL);
	assert_in_range(got.took_ms, 900, 1500);
	w->n = 2;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(begin_two, test_the_next_answers),
		WITH(begin_two, test_breaker),
		WITH(begin_two, test_refusals),
		WITH(begin, test_slow_is_not_dead),
		WITH(begin_two, test_all_dead),
		WITH(begin, test_under_way_when_all_are_dead),
		WITH(begin_two, test_nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
