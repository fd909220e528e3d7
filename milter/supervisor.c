/* supervisor - see supervisor.h. */
/* SPDX-License-Identifier: ISC */
#include "milter/supervisor.h"
#include "common/base/clock.h"
#include "common/base/arena.h"
#include "common/base/control.h"
#include "common/base/log.h"
#include "common/policy/engine.h"
#include "milter/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* While stopping: how often to look, and how long after its last answer the
 * milter stays, since libmilter writes an answer after our callback gave it. */
enum { LOOK_MS = 20, WRITE_MS = 200 };

int mr_supervisor_open(struct mr_supervisor *s, struct mr_error *error)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	s->closing = -1;
	s->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->ended < 0 || s->signals < 0 ||
		pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return mr_error_set(error, "signals: %s", strerror(errno));
	return 0;
}

static void *answer_mta(void *context)
{
	const struct mr_supervisor *s = context;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	mr_mta_run();
	eventfd_write(s->ended, 1);
	return NULL;
}

int mr_supervisor_start(struct mr_supervisor *s, struct mr_error *error)
{
	pthread_t thread;
	int problem = pthread_create(&thread, NULL, answer_mta, s);

	if (problem != 0)
		return mr_error_set(error, "thread: %s", strerror(problem));
	pthread_detach(thread);
	return 0;
}

/* --- reload */

static void log_problems(const struct mr_problems *problems)
{
	for (const struct mr_problem *p = problems->first; p != NULL;
		p = p->next)
		mr_log(p->severity == MR_MISTAKE ? MR_LOG_ERROR
						 : MR_LOG_WARNING,
			"%s:%u:%u: %s", p->at.file, p->at.line, p->at.column,
			p->message);
}

static void warn_of_fixed(
	const struct mr_milter *old, const struct mr_milter *new)
{
	if (strcmp(old->socket, new->socket) != 0 ||
		strcmp(old->control, new->control) != 0 ||
		strcmp(old->user, new->user) != 0)
		mr_log(MR_LOG_WARNING,
			"milter { socket, control, user } changed: restart "
			"mailreeve-milter to use them");
}

static void publish(struct mr_supervisor *s, struct mr_policy *policy)
{
	struct mr_policy *old = mr_engine_policy(s->engine);

	warn_of_fixed(old->milter, policy->milter);
	mr_policy_release(&old);
	mr_engine_publish(s->engine, policy);
	s->loaded = time(NULL);
	mr_log(MR_LOG_INFO, "policy %s reloaded", s->path);
}

int mr_supervisor_reload(struct mr_supervisor *s)
{
	struct mr_arena *arena = mr_arena_new(1024);
	struct mr_problems problems;
	struct mr_policy *policy;
	int result;

	mr_notify_reloading();
	mr_problems_init(&problems, arena);
	result = mr_policy_load(s->path, &policy, &problems);
	log_problems(&problems);
	mr_arena_free(&s->broken);
	if (result == 0) {
		publish(s, policy);
		mr_arena_free(&arena);
		mr_notify_ready("policy reloaded");
	} else {
		s->broken = arena;
		s->problems = problems;
		mr_log(MR_LOG_ERROR,
			"policy %s has %zu mistake%s: the running policy "
			"stays, correct the file and reload again",
			s->path, problems.mistakes,
			problems.mistakes == 1 ? "" : "s");
		mr_notify_ready("the policy file has mistakes, "
				"the policy read before them stays");
	}
	return result;
}

/* --- the end */

static void begin_to_stop(struct mr_supervisor *s)
{
	struct mr_error error;
	int fd;

	if (s->stopping)
		return;
	s->stopping = true;
	s->drain_until_ms = mr_clock_ms() + MR_SUPERVISOR_DRAIN_MS;
	mr_notify_stopping("finishing the mails under way");
	mr_log(MR_LOG_INFO, "stopping: %u mails under way",
		atomic_load(&s->events.transactions));
	mr_socket_remove(&s->listen.file);
	fd = mr_mta_quiesce(&error);
	if (fd < 0)
		mr_log(MR_LOG_WARNING, "cannot stop taking connections: %s",
			error.text);
	else if (s->listen.passed)
		close(fd); /* whoever passed it lets them wait for the next */
	else if (fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		s->closing = fd;
}

/* Who calls now is told at once that nobody is there. */
static void turn_away(int listening)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		close(fd);
}

static bool is_done(const struct mr_supervisor *s)
{
	int64_t now = mr_clock_ms();

	if (now >= s->drain_until_ms)
		return true;
	return atomic_load(&s->events.transactions) == 0 &&
	       now >= atomic_load(&s->events.spoke_ms) + WRITE_MS;
}

/* libmilter's threads still run, so nothing that they use is freed, and its
 * atexit(3) handler, which destroys a mutex of theirs, is not called. */
static _Noreturn void end(struct mr_supervisor *s, int status)
{
	unsigned open = atomic_load(&s->events.transactions);

	if (open > 0)
		mr_log(MR_LOG_WARNING,
			"%u mails were still under way: their senders will try "
			"again",
			open);
	mr_socket_remove(&s->listen.file);
	mr_control_close(&s->control);
	mr_log(MR_LOG_INFO, "stopped");
	_exit(status);
}

/* --- the loop */

static void take_signals(struct mr_supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			begin_to_stop(s);
		else
			mr_supervisor_reload(s);
	}
}

void mr_supervisor_run(struct mr_supervisor *s)
{
	enum { SIGNALS, ENDED, CLOSING, CONTROL };
	struct pollfd polls[CONTROL + MR_CONTROL_POLLS];

	for (;;) {
		int wait_ms = s->stopping ? LOOK_MS : -1;
		size_t n;

		polls[SIGNALS] = (struct pollfd){ s->signals, POLLIN, 0 };
		polls[ENDED] = (struct pollfd){ s->ended, POLLIN, 0 };
		polls[CLOSING] = (struct pollfd){ s->closing, POLLIN, 0 };
		n = mr_control_watch(
			s->control, polls + CONTROL, mr_clock_ms(), &wait_ms);
		if (poll(polls, CONTROL + n, wait_ms) < 0 && errno != EINTR) {
			mr_log(MR_LOG_ERROR, "poll: %s", strerror(errno));
			end(s, 1);
		}
		if (polls[SIGNALS].revents != 0)
			take_signals(s);
		if (polls[ENDED].revents != 0) {
			mr_log(MR_LOG_ERROR,
				"libmilter gave up, see the lines before");
			end(s, 1);
		}
		if (polls[CLOSING].revents != 0)
			turn_away(s->closing);
		mr_control_serve(s->control, polls + CONTROL, mr_clock_ms());
		if (s->stopping && is_done(s))
			end(s, 0);
	}
}
