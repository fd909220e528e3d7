/* reports - see reports.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/reports.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/socket.h"
#include "policyd/owners.h"
#include "policyd/report.h"
#include "policyd/usages.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* How often the same trouble is told of. */
enum { WARN_MS = 60 * 1000 };
/* What the kernel may tell of who sent: one struct ucred.  Room for passed
 * descriptors there is none, so that it closes them (MSG_CTRUNC). */
enum { CONTROL = CMSG_SPACE(sizeof(struct ucred)) };

struct mr_reports {
	struct mr_socket socket;
	int stop; /* eventfd(2) */
	uid_t *users;
	size_t n_users;
	struct mr_usages *usages;
	struct mr_state_store *store;
	struct mr_owners *owners; /* NULL: only the users are believed */
	pthread_t thread;
	bool runs;
	atomic_ullong taken, refused, broken, dropped;
	atomic_llong warned_ms;
	/* The thread's. */
	int64_t second;
	unsigned in_second;
};

int mr_reports_open(const char *path, const uid_t *users, size_t n,
	struct mr_reports **reports_r, struct mr_error *error)
{
	struct mr_reports *reports = mr_calloc(1, sizeof(*reports));
	const int on = 1;

	reports->warned_ms = -WARN_MS;
	reports->n_users = n;
	reports->users = mr_calloc(n + 1, sizeof(*users));
	if (n > 0)
		memcpy(reports->users, users, n * sizeof(*users));
	reports->stop = eventfd(0, EFD_CLOEXEC);
	reports->socket.fd = -1;
	*reports_r = reports;
	if (reports->stop < 0)
		mr_error_set(error, "eventfd: %s", strerror(errno));
	else if (mr_socket_receive(path, &reports->socket, error) == 0 &&
		 setsockopt(reports->socket.fd, SOL_SOCKET, SO_PASSCRED, &on,
			 sizeof(on)) == 0)
		return 0;
	else if (reports->socket.fd >= 0)
		mr_error_set(error, "%s: %s", path, strerror(errno));
	mr_reports_free(reports_r);
	return -1;
}

static void warn(struct mr_reports *reports, const char *what, uid_t user)
{
	int64_t now_ms = mr_clock_ms();

	if (now_ms - reports->warned_ms < WARN_MS)
		return;
	reports->warned_ms = now_ms;
	mr_log(MR_LOG_WARNING, "usage report by uid=%lu: %s: not taken",
		(unsigned long)user, what);
}

static bool is_believed(const struct mr_reports *reports, uid_t user)
{
	for (size_t i = 0; i < reports->n_users; i++)
		if (reports->users[i] == user)
			return true;
	return user == 0;
}

static void set(
	struct mr_reports *reports, uid_t user, const struct mr_report *report)
{
	struct mr_usages_now now = mr_usages_now();

	if (mr_usages_set(reports->usages, report, &now, reports->store) < 0) {
		reports->dropped++;
		warn(reports, "too many mailboxes", user);
	} else {
		reports->taken++;
	}
}

static void decided(void *context, enum mr_lookup owns, uid_t user,
	const struct mr_report *report)
{
	struct mr_reports *reports = context;

	switch (owns) {
	case MR_FOUND:
		set(reports, user, report);
		break;
	case MR_NOTFOUND:
		reports->refused++;
		warn(reports,
			"neither one of policyd { mail_users } nor the owner",
			user);
		break;
	case MR_TEMPFAIL:
		reports->dropped++;
		warn(reports, "the userdb does not say whose it is", user);
		break;
	}
}

static bool is_too_much(struct mr_reports *reports)
{
	int64_t second = mr_clock_ms() / 1000;

	if (reports->second != second)
		reports->in_second = 0;
	reports->second = second;
	return reports->in_second++ >= MR_REPORTS_RATE;
}

static void judge(
	struct mr_reports *reports, uid_t user, char *text, size_t length)
{
	bool believed = is_believed(reports, user);
	struct mr_report report;
	struct mr_error error;

	if (!believed && (reports->owners == NULL || user == (uid_t)-1)) {
		reports->refused++;
		warn(reports, "not one of policyd { mail_users }", user);
	} else if (believed && is_too_much(reports)) {
		reports->dropped++;
		warn(reports, "too many a second", user);
	} else if (mr_report_parse(text, length, &report, &error) < 0) {
		reports->broken++;
		warn(reports, error.text, user);
	} else if (believed) {
		set(reports, user, &report);
	} else if (mr_owners_ask(reports->owners, user, &report) < 0) {
		reports->dropped++;
		warn(reports, "one more while the userdb is asked", user);
	}
}

/* Whom the kernel names; nobody (-1) if it names none. */
static uid_t sender_of(struct msghdr *message)
{
	struct ucred sender = { .uid = (uid_t)-1 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL;
		c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == SOL_SOCKET &&
			c->cmsg_type == SCM_CREDENTIALS &&
			c->cmsg_len == CMSG_LEN(sizeof(sender)))
			memcpy(&sender, CMSG_DATA(c), sizeof(sender));
	return sender.uid;
}

static void take_one(struct mr_reports *reports)
{
	char text[MR_REPORT_LONGEST + 1];
	_Alignas(struct cmsghdr) char control[CONTROL];
	struct iovec vector = { text, sizeof(text) };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t length = recvmsg(
		reports->socket.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (length >= 0)
		judge(reports, sender_of(&message), text, (size_t)length);
}

static void *run(void *argument)
{
	struct mr_reports *reports = argument;
	struct pollfd fds[] = {
		{ .fd = reports->stop, .events = POLLIN },
		{ .fd = reports->socket.fd, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents != 0)
			return NULL;
		take_one(reports);
	}
}

int mr_reports_start(struct mr_reports *reports, struct mr_usages *usages,
	struct mr_state_store *store, const struct mr_owners_source *owners,
	struct mr_error *error)
{
	struct mr_owners_listener listener = { decided, reports };
	int problem;

	reports->usages = usages;
	reports->store = store;
	if (owners != NULL &&
		mr_owners_new(owners, &listener, &reports->owners, error) < 0)
		return -1;
	problem = pthread_create(&reports->thread, NULL, run, reports);
	reports->runs = problem == 0;
	if (problem != 0)
		return mr_error_set(error, "thread: %s", strerror(problem));
	return 0;
}

void mr_reports_free(struct mr_reports **reports)
{
	struct mr_reports *r = *reports;

	if (r == NULL)
		return;
	*reports = NULL;
	if (r->runs && eventfd_write(r->stop, 1) == 0)
		pthread_join(r->thread, NULL);
	mr_owners_free(&r->owners);
	mr_socket_remove(&r->socket);
	if (r->socket.fd >= 0)
		close(r->socket.fd);
	if (r->stop >= 0)
		close(r->stop);
	free(r->users);
	free(r);
}

struct mr_reports_status mr_reports_status(struct mr_reports *reports)
{
	return (struct mr_reports_status){
		.taken = reports->taken,
		.refused = reports->refused,
		.broken = reports->broken,
		.dropped = reports->dropped,
	};
}
