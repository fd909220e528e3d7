/* test_reports - whose datagrams are believed, over a real socket. */
/* SPDX-License-Identifier: ISC */
#include "common/base/socket.h"
#include "policyd/owners.h"
#include "policyd/reports.h"
#include "policyd/store.h"
#include "policyd/usages.h"
#include "tests/unit/expect.h"
#include "tests/unit/files.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { MAIL_USER = 5000, OTHER_USER = 5001 };

struct world {
	struct mr_usages *usages;
	struct mr_state_store *store;
	struct mr_reports *reports;
};

static void seen(void *context, const struct mr_state_store_row *row)
{
	(void)context;
	(void)row;
}

/* As the userdb: OTHER_USER's own mailbox, and one of which it cannot tell. */
static enum mr_lookup find_owner(
	void *context, const char *mailbox, uid_t *owner_r)
{
	(void)context;
	if (strcmp(mailbox, "unsure@example.net") == 0)
		return MR_TEMPFAIL;
	if (strcmp(mailbox, "other@example.net") != 0)
		return MR_NOTFOUND;
	*owner_r = OTHER_USER;
	return MR_FOUND;
}

static void open_world(struct world *world)
{
	const struct mr_owners_source owners = { find_owner, NULL };
	const uid_t users[] = { MAIL_USER };
	struct mr_error error = { "" };

	world->usages = mr_usages_new(100, 60000);
	world->store = mr_state_store_new(&mr_state_store_sqlite,
		"state.sqlite", &(struct mr_state_store_owner){ .seen = seen });
	if (mr_reports_open("usage.sock", users, 1, &world->reports, &error) <
			0 ||
		mr_reports_start(world->reports, world->usages, world->store,
			&owners, &error) < 0)
		fail_msg("%s", error.text);
}

static void close_world(struct world *world)
{
	mr_reports_free(&world->reports);
	mr_state_store_free(&world->store);
	mr_usages_free(&world->usages);
	expect_number("its path is gone", access("usage.sock", F_OK), -1);
}

/* As `user`; what came of it as an exit status. */
static void send_as(uid_t user, const char *text, size_t length)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct sockaddr_un address;
		struct mr_error error;
		int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

		if (mr_socket_address("usage.sock", &address, &error) < 0 ||
			setuid(user) < 0)
			_exit(2);
		_exit(sendto(fd, text, length, 0, (struct sockaddr *)&address,
			      sizeof(address)) == (ssize_t)length
				? 0
				: 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void report_as(uid_t user, const char *mailbox, unsigned bytes)
{
	char text[256];
	int length = snprintf(text, sizeof(text),
		"request=mailreeve_usage\nmailbox=%s\nbytes=%u\nmessages=1\n"
		"limit=100\n\n",
		mailbox, bytes);

	send_as(user, text, (size_t)length);
}

static struct mr_reports_status wait_for(struct world *world, uint64_t n)
{
	struct mr_reports_status status = { 0 };

	for (int i = 0; i < 3000; i++) {
		status = mr_reports_status(world->reports);
		if (status.taken + status.refused + status.broken +
				status.dropped >=
			n)
			return status;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	fail_msg("not all were read");
	return status;
}

static void expect_bytes(
	struct world *world, const char *mailbox, int64_t bytes)
{
	struct mr_usages_now now = mr_usages_now();
	struct mr_fill known = { .bytes = -1 };

	mr_usages_find(world->usages, mailbox, &now, &known);
	expect_number(mailbox, known.bytes, bytes);
}

static void test_who(void **state)
{
	struct mr_reports_status status;
	struct world world;

	(void)state;
	if (geteuid() != 0)
		skip();
	open_world(&world);
	report_as(MAIL_USER, "ann@example.net", 50);
	report_as(0, "ben@example.net", 60);
	report_as(OTHER_USER, "ann@example.net", 100);
	wait_for(&world, 3); /* one at a time */
	report_as(OTHER_USER, "victim@example.net", 100);
	status = wait_for(&world, 4);
	expect_number("taken", (long)status.taken, 2);
	expect_number("refused", (long)status.refused, 2);
	expect_bytes(&world, "ann@example.net", 50);
	expect_bytes(&world, "ben@example.net", 60);
	expect_bytes(&world, "victim@example.net", -1);
	close_world(&world);
	expect_done();
}

static void test_broken(void **state)
{
	struct mr_reports_status status;
	struct world world;
	char large[8192];

	(void)state;
	if (geteuid() != 0)
		skip();
	memset(large, 'x', sizeof(large));
	open_world(&world);
	send_as(MAIL_USER, "", 0);
	send_as(MAIL_USER, large, sizeof(large));
	send_as(MAIL_USER, "request=mailreeve_usage\nmailbox=a\n\n", 35);
	report_as(MAIL_USER, "ann@example.net", 50);
	status = wait_for(&world, 4);
	expect_number("broken", (long)status.broken, 3);
	expect_bytes(&world, "ann@example.net", 50);
	close_world(&world);
	expect_done();
}

/* Others are believed about what the userdb says is theirs. */
static void test_owner(void **state)
{
	struct mr_reports_status status;
	struct world world;

	(void)state;
	if (geteuid() != 0)
		skip();
	open_world(&world);
	report_as(OTHER_USER, "other@example.net", 70);
	wait_for(&world, 1);
	report_as(OTHER_USER, "victim@example.net", 100);
	wait_for(&world, 2);
	report_as(OTHER_USER, "unsure@example.net", 100);
	wait_for(&world, 3);
	report_as(OTHER_USER + 1, "other@example.net", 100);
	status = wait_for(&world, 4);
	expect_number("taken", (long)status.taken, 1);
	expect_number("refused", (long)status.refused, 2);
	expect_number("dropped", (long)status.dropped, 1);
	expect_bytes(&world, "other@example.net", 70);
	expect_bytes(&world, "victim@example.net", -1);
	expect_bytes(&world, "unsure@example.net", -1);
	close_world(&world);
	expect_done();
}

static void test_userdb_value(void **state)
{
	static const struct {
		const char *value;
		long owner;
	} rows[] = {
		{ "ann\tuid=1000\tgid=8", 1000 },
		{ "ann\thome=/uid=5\tuid=1000", 1000 },
		{ "ann\tgid=8\tuid=4294967294", 4294967294 },
		{ "ann\tgid=8\tuid=4294967295", -1 },
		{ "ann\tuid=", -1 },
		{ "ann\tuid=vmail", -1 },
		{ "ann\tuid=10000000000", -1 },
		{ "ann\tuid=1 000", -1 },
		{ "ann\tmail_uid=1000", -1 },
		{ "ann", -1 },
		{ "anna\tuid=1000", -1 },
		{ "an\tuid=1000", -1 },
		{ "\tuid=1000", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uid_t owner = 0;
		int found = mr_owners_parse(rows[i].value, "ann", &owner);

		expect_number(rows[i].value, found < 0 ? -1 : (long)owner,
			rows[i].owner);
	}
	expect_done();
}

/* A crash leaves the path; a live one stays. */
static void test_path(void **state)
{
	struct mr_error error = { "" };
	struct mr_reports *first, *second;

	(void)state;
	if (fork() == 0)
		_exit(mr_reports_open("usage.sock", NULL, 0, &first, &error) <
			0);
	wait(NULL);
	expect_number("left behind", access("usage.sock", F_OK), 0);
	expect_number("taken over",
		mr_reports_open("usage.sock", NULL, 0, &first, &error), 0);
	expect_number("in use",
		mr_reports_open("usage.sock", NULL, 0, &second, &error), -1);
	expect_part("why", error.text, "is served by another process");
	mr_reports_free(&first);
	expect_done();
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, files_enter, files_leave)
	const struct CMUnitTest tests[] = {
		T(test_who),
		T(test_broken),
		T(test_owner),
		T(test_userdb_value),
		T(test_path),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
