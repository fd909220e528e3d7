/* supervisor - see supervisor.h. */
/* SPDX-License-Identifier: ISC */
#include "common/daemon/supervisor.h"
#include "common/base/clock.h"
#include "common/base/arena.h"
#include "common/base/control.h"
#include "common/base/log.h"
#include "common/policy/engine.h"
#include "common/daemon/notify.h"

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

/* While stopping: how often to look. */
enum { LOOK_MS = 20 };

int mr_supervisor_open(struct mr_supervisor *s, struct mr_error *error)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	s->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->ended < 0 || s->signals < 0 ||
		pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return mr_error_set(error, "signals: %s", strerror(errno));
	return 0;
}

/* Signals are for the main thread. */
static int start_front(struct mr_supervisor *s, struct mr_error *error)
{
	sigset_t all, ours;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &ours);
	result = s->front->start(s->state, s->ended, error);
	pthread_sigmask(SIG_SETMASK, &ours, NULL);
	return result;
}

int mr_supervisor_start(struct mr_supervisor *s, struct mr_error *error)
{
	struct mr_policy *policy = mr_engine_policy(s->engine);
	int result = start_front(s, error);

	mr_policy_watch_lists(policy);
	mr_policy_release(&policy);
	return result;
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

static bool is_same(const char *old, const char *new)
{
	return old == NULL || new == NULL ? old == new : strcmp(old, new) == 0;
}

/* The names of those that changed, or NULL; all are read at the start only. */
static const char *find_changed(struct mr_arena *arena,
	const struct mr_section *section, const struct mr_service *old,
	const struct mr_service *new)
{
	const char *names = NULL;

	for (const struct mr_option *o = section->options; o->name != NULL; o++)
		if (!is_same(mr_option_format(arena, o, old),
			    mr_option_format(arena, o, new)))
			names = mr_arena_printf(arena, "%s%s%s",
				names == NULL ? "" : names,
				names == NULL ? "" : ", ", o->name);
	return names;
}

static void warn_of_fixed(const struct mr_supervisor *s,
	const struct mr_policy *old, const struct mr_policy *new)
{
	struct mr_arena *arena = mr_arena_new(512);
	const struct mr_service *before = s->front->settings(old);
	const char *names = find_changed(
		arena, s->front->section, before, s->front->settings(new));

	if (names != NULL)
		mr_log(MR_LOG_WARNING,
			"%s { %s } changed: restart %s to use it",
			s->front->section->name, names, s->front->program);
	/* the milter's, too */
	if (before != old->policyd &&
		!is_same(old->policyd->query, new->policyd->query))
		mr_log(MR_LOG_WARNING,
			"policyd { query } changed: restart %s to use it",
			s->front->program);
	mr_arena_free(&arena);
}

static void publish(struct mr_supervisor *s, struct mr_policy *policy)
{
	struct mr_policy *old = mr_engine_policy(s->engine);

	warn_of_fixed(s, old, policy);
	mr_policy_keep_dns(policy, old);
	mr_policy_keep_lists(policy, old);
	mr_policy_watch_lists(policy);
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

/* Whoever passed a socket lets callers wait for the next one who serves it. */
static void close_listens(struct mr_supervisor *s)
{
	for (size_t i = 0; i < s->listens.n; i++) {
		struct mr_listen *listen = &s->listens.socket[i];

		if (listen->passed ||
			fcntl(listen->fd, F_SETFL, O_NONBLOCK) < 0) {
			close(listen->fd);
			listen->fd = -1;
		}
	}
	s->closing = true;
}

static void begin_to_stop(struct mr_supervisor *s)
{
	struct mr_error error;

	if (s->stopping)
		return;
	s->stopping = true;
	s->drain_until_ms = mr_clock_ms() + MR_SUPERVISOR_DRAIN_MS;
	mr_notify_stopping("finishing the mails under way");
	mr_log(MR_LOG_INFO, "stopping: %u mails under way",
		s->front->work(s->state).mails);
	mr_listens_remove(&s->listens);
	if (s->front->quiesce(s->state, &s->listens, &error) < 0)
		mr_log(MR_LOG_WARNING, "cannot stop taking connections: %s",
			error.text);
	else
		close_listens(s);
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
	struct mr_front_work work = s->front->work(s->state);
	int64_t now = mr_clock_ms();

	return now >= s->drain_until_ms ||
	       (work.mails == 0 && now >= work.quiet_ms);
}

/* The front end's threads still run, so nothing that they use is freed, and
 * libmilter's atexit(3) handler, which destroys a mutex of theirs, is not
 * called. */
static _Noreturn void end(struct mr_supervisor *s, int status)
{
	unsigned open = s->front->work(s->state).mails;

	if (open > 0)
		mr_log(MR_LOG_WARNING,
			"%u mails were still under way: their senders will try "
			"again",
			open);
	mr_listens_remove(&s->listens);
	mr_control_close(&s->control);
	if (s->front->end != NULL)
		s->front->end(s->state);
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

enum { SIGNALS, ENDED, LISTENS, CONTROL = LISTENS + MR_SOCKETS_MOST };

static void serve(struct mr_supervisor *s, const struct pollfd polls[CONTROL])
{
	if (polls[SIGNALS].revents != 0)
		take_signals(s);
	if (polls[ENDED].revents != 0) {
		mr_log(MR_LOG_ERROR, "cannot go on, see the lines before");
		end(s, 1);
	}
	for (size_t i = 0; i < MR_SOCKETS_MOST; i++)
		if (polls[LISTENS + i].revents != 0)
			turn_away(polls[LISTENS + i].fd);
}

void mr_supervisor_run(struct mr_supervisor *s)
{
	struct pollfd polls[CONTROL + MR_CONTROL_POLLS];

	for (;;) {
		int wait_ms = s->stopping ? LOOK_MS : -1;
		size_t n;

		polls[SIGNALS] = (struct pollfd){ s->signals, POLLIN, 0 };
		polls[ENDED] = (struct pollfd){ s->ended, POLLIN, 0 };
		for (size_t i = 0; i < MR_SOCKETS_MOST; i++)
			polls[LISTENS + i] = (struct pollfd){
				s->closing && i < s->listens.n
					? s->listens.socket[i].fd
					: -1,
				POLLIN, 0
			};
		n = mr_control_watch(
			s->control, polls + CONTROL, mr_clock_ms(), &wait_ms);
		if (poll(polls, CONTROL + n, wait_ms) < 0 && errno != EINTR) {
			mr_log(MR_LOG_ERROR, "poll: %s", strerror(errno));
			end(s, 1);
		}
		serve(s, polls);
		mr_control_serve(s->control, polls + CONTROL, mr_clock_ms());
		if (s->stopping && is_done(s))
			end(s, 0);
	}
}
