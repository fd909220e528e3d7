/* test_quotas_client - what the milter makes of the policy daemon's answers,
 * and of a policy daemon that gives none. */
/* SPDX-License-Identifier: ISC */
#include "common/base/clock.h"
#include "common/base/socket.h"
#include "common/state/quotas_client.h"
#include "tests/unit/expect.h"
#include "tests/unit/files.h"

#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Far less than for ever, and enough for a machine that is busy. */
enum { SLACK_MS = 2000 };

/* Somebody at the socket who says the same to each question. */
struct peer {
	struct mr_socket socket;
	const char *says; /* NULL: nothing, and the connection stays open */
	size_t length;    /* octets of it at a time */
	unsigned answers; /* on a connection before it is closed */
	unsigned connections;
	pthread_t thread;
};

static void answer(const struct peer *peer, int fd)
{
	size_t length = peer->says == NULL ? 0 : strlen(peer->says);

	for (size_t at = 0; at < length; at += peer->length) {
		size_t n = length - at;

		if (n > peer->length)
			n = peer->length;
		if (send(fd, peer->says + at, n, MSG_NOSIGNAL) < 0)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
	}
}

static void *serve(void *context)
{
	struct peer *peer = context;
	int fd;

	while ((fd = accept(peer->socket.fd, NULL, NULL)) >= 0) {
		char question[1024];

		peer->connections++;
		for (unsigned i = 0;
			i < peer->answers &&
			recv(fd, question, sizeof(question), 0) > 0;
			i++)
			answer(peer, fd);
		close(fd);
	}
	return NULL;
}

static void begin(struct peer *peer)
{
	struct mr_error error = { "" };

	if (mr_socket_listen("query.sock", &peer->socket, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

static void end(struct peer *peer)
{
	shutdown(peer->socket.fd, SHUT_RDWR);
	pthread_join(peer->thread, NULL);
	mr_socket_remove(&peer->socket);
	close(peer->socket.fd);
}

static const char huge[] = "known=yes\nx="
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
	X100 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100 "\n\n";

static const struct {
	const char *name;
	struct peer peer;
	enum mr_lookup found;
	const char *error; /* part of it */
} cases[] = {
	{ "known", { .says = "known=yes\nbytes=5\nbooked=6\nage=7\n\n" },
		MR_FOUND, "" },
	{ "at most",
		{ .says = "known=yes\nbytes=5\nbooked=6\nage=7\n"
			  "least=4\n\n" },
		MR_FOUND, "" },
	{ "in pieces",
		{ .says = "age=7\nbooked=6\nbytes=5\nknown=yes\n\n",
			.length = 9 },
		MR_FOUND, "" },
	{ "unknown", { .says = "known=no\n\n" }, MR_NOTFOUND, "" },
	{ "refused", { .says = "error=not you\n\n" }, MR_TEMPFAIL, "not you" },
	{ "nonsense", { .says = "HTTP/1.0 200 OK\n\n" }, MR_TEMPFAIL,
		"a line without =" },
	{ "a negative number",
		{ .says = "known=yes\nbytes=-5\nbooked=6\nage=7\n\n" },
		MR_TEMPFAIL, "bytes is no number" },
	{ "silence", { .says = NULL }, MR_TEMPFAIL, "did not answer in 50 ms" },
	{ "for ever", { .says = huge, .length = 10 }, MR_TEMPFAIL,
		"did not answer in 50 ms" },
	{ "too long", { .says = huge }, MR_TEMPFAIL, "is too long" },
	{ "an end", { .answers = 0 }, MR_TEMPFAIL, "" },
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mr_quotas_client *client =
			mr_quotas_client_new("query.sock");
		struct mr_quotas quotas = mr_quotas_client_quotas(client);
		struct peer peer = cases[i].peer;
		struct mr_fill fill = { 0 };
		struct mr_error error = { "" };
		int64_t since_ms;

		if (strcmp(cases[i].name, "an end") != 0)
			peer.answers = 100;
		if (peer.length == 0)
			peer.length = sizeof(huge);
		begin(&peer);
		since_ms = mr_clock_ms();
		expect_number(cases[i].name,
			quotas.find(quotas.context, "ann@example.net", &fill,
				&error),
			cases[i].found);
		expect_number(cases[i].name,
			mr_clock_ms() - since_ms <
				MR_QUOTAS_CLIENT_MS + SLACK_MS,
			1);
		expect_part(cases[i].name, error.text, cases[i].error);
		if (cases[i].found == MR_FOUND) {
			expect_number(cases[i].name, (long)fill.bytes, 5);
			expect_number(cases[i].name, (long)fill.booked, 6);
			expect_number(cases[i].name, (long)fill.age_ms, 7);
			expect_number(cases[i].name, (long)fill.least,
				strcmp(cases[i].name, "at most") == 0 ? 4 : 5);
		}
		mr_quotas_client_free(&client);
		end(&peer);
	}
	expect_done();
}

/* Nobody is asked again at once; and whoever was started anew is. */
static void test_away(void **state)
{
	struct mr_quotas_client *client = mr_quotas_client_new("query.sock");
	struct mr_quotas quotas = mr_quotas_client_quotas(client);
	struct peer peer = {
		.says = "known=no\n\n", .length = 99, .answers = 2
	};
	struct mr_fill fill;
	struct mr_error error = { "" };
	int64_t since_ms = mr_clock_ms();

	(void)state;
	expect_number("away", quotas.find(quotas.context, "ann", &fill, &error),
		MR_TEMPFAIL);
	expect_part("why", error.text, "query.sock: No such file");
	begin(&peer);
	while (quotas.find(quotas.context, "ann", &fill, &error) ==
		MR_TEMPFAIL) {
		expect_part("meanwhile", error.text, "did not answer before");
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	expect_number("a pause",
		mr_clock_ms() - since_ms >= MR_QUOTAS_CLIENT_PAUSE_MS, 1);
	for (int i = 0; i < 5; i++)
		expect_number("again",
			quotas.find(quotas.context, "ann", &fill, &error),
			MR_NOTFOUND);
	expect_number("connections", peer.connections, 3);
	expect_number("what is no name is not asked",
		quotas.find(quotas.context, "a\nmailbox=b", &fill, &error),
		MR_NOTFOUND);
	end(&peer);
	mr_quotas_client_free(&client);
	expect_done();
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, files_enter, files_leave)
	const struct CMUnitTest tests[] = {
		T(test_answers),
		T(test_away),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
