/* postmap_run - see postmap_run.h.
 *
 * postmap -q exits with 1 both for "not found" and for most failures.  Only
 * what it says on standard error tells them apart: a failure has a line that is
 * no warning ("postmap: fatal: ..." or one of Berkeley DB's). */
/* SPDX-License-Identifier: ISC */
#include "common/map/postmap_run.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/map/map.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_LONGEST = 300 };

/* The value, its LF and one octet that shows that it is too long. */
enum { VALUE_ROOM = MR_MAP_VALUE_LONGEST + 2 };

static const char *const programs[] = { "/usr/sbin/postmap",
	"/usr/local/sbin/postmap" };

struct run {
	pid_t pid;
	int out, err; /* -1 when they have ended */
	char *value;
	size_t length, size;
	char line[LINE_LONGEST]; /* the one that stderr is in */
	size_t line_length;
	char why[LINE_LONGEST]; /* the line that is no warning, "" if none */
};

/* How many run: guards nothing else. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static unsigned running;

const char *mr_postmap_program(void)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (access(programs[i], X_OK) == 0)
			return programs[i];
	return NULL;
}

bool mr_postmap_can_ask(const char *key)
{
	if (key[0] == '-')
		return false;
	for (; *key != '\0'; key++)
		if ((unsigned char)*key < ' ' || *key == '\177')
			return false;
	return true;
}

static bool take_turn(int64_t deadline_ms)
{
	const struct timespec until = { deadline_ms / 1000,
		deadline_ms % 1000 * 1000000 };
	bool mine;

	pthread_mutex_lock(&lock);
	while (running >= MR_POSTMAPS && pthread_cond_clockwait(&ended, &lock,
						 CLOCK_MONOTONIC, &until) == 0)
		continue;
	mine = running < MR_POSTMAPS;
	if (mine)
		running++;
	pthread_mutex_unlock(&lock);
	return mine;
}

static void end_turn(void)
{
	pthread_mutex_lock(&lock);
	running--;
	pthread_cond_signal(&ended);
	pthread_mutex_unlock(&lock);
}

/* Messages in English, and no more of our environment than Postfix's own way
 * to say where its configuration is. */
static char *const *environment(struct mr_arena *arena)
{
	const char *config = getenv("MAIL_CONFIG");
	char **list = MR_NEW_ARRAY(arena, char *, 4);

	list[0] = mr_arena_strdup(arena, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	list[1] = mr_arena_strdup(arena, "LC_ALL=C");
	if (config != NULL)
		list[2] = mr_arena_printf(arena, "MAIL_CONFIG=%s", config);
	return list;
}

static int start(struct run *run, const char *reference, const char *key,
	struct mr_arena *arena, struct mr_error *error)
{
	const char *program = mr_postmap_program();
	int out[2], err[2], wrong;
	char *argv[] = { NULL, NULL, NULL, NULL, NULL };

	if (program == NULL)
		return mr_error_set(error, "postmap is missing");
	argv[0] = mr_arena_strdup(arena, program);
	argv[1] = mr_arena_strdup(arena, "-q");
	argv[2] = mr_arena_strdup(arena, key);
	argv[3] = mr_arena_strdup(arena, reference);
	if (pipe2(out, O_CLOEXEC) < 0)
		return mr_error_set(error, "pipe: %s", strerror(errno));
	if (pipe2(err, O_CLOEXEC) < 0) {
		mr_error_set(error, "pipe: %s", strerror(errno));
		close(out[0]);
		close(out[1]);
		return -1;
	}
	wrong = mr_process_start(&run->pid, program, argv, environment(arena),
		(const int[]){ -1, out[1], err[1] });
	close(out[1]);
	close(err[1]);
	run->out = out[0];
	run->err = err[0];
	if (wrong == 0)
		return 0;
	close(run->out);
	close(run->err);
	return mr_error_set(error, "cannot run postmap: %s", strerror(wrong));
}

static void judge_line(struct run *run)
{
	static const char warning[] = "postmap: warning: ";

	run->line[run->line_length] = '\0';
	if (run->line_length > 0 && run->why[0] == '\0' &&
		strncmp(run->line, warning, sizeof(warning) - 1) != 0)
		memcpy(run->why, run->line, run->line_length + 1);
	run->line_length = 0;
}

/* What of a line has no room is not needed to judge it. */
static void take_err(struct run *run, const char *octets, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (octets[i] == '\n')
			judge_line(run);
		else if (run->line_length + 1 < sizeof(run->line))
			run->line[run->line_length++] = octets[i];
}

static void take_out(struct run *run, const char *octets, size_t length)
{
	if (length > VALUE_ROOM - run->length)
		length = VALUE_ROOM - run->length;
	if (run->length + length > run->size) {
		run->size = (run->length + length) * 2;
		run->value = mr_realloc(run->value, run->size);
	}
	memcpy(run->value + run->length, octets, length);
	run->length += length;
}

static void take(struct run *run, int *fd,
	void (*into)(struct run *run, const char *octets, size_t length))
{
	char octets[4096];
	ssize_t got = read(*fd, octets, sizeof(octets));

	if (got > 0) {
		into(run, octets, (size_t)got);
	} else if (got == 0 || errno != EINTR) {
		close(*fd);
		*fd = -1;
	}
}

/* Until both have ended, or nothing more can change the answer: with "fatal"
 * said, postmap would sleep for a second before it ends. */
static void listen_to(struct run *run, int64_t deadline_ms)
{
	while ((run->out >= 0 || run->err >= 0) && run->why[0] == '\0' &&
		run->length < VALUE_ROOM) {
		struct pollfd polls[] = { { run->out, POLLIN, 0 },
			{ run->err, POLLIN, 0 } };
		int left = mr_clock_left(deadline_ms);

		if (left <= 0)
			return;
		if (poll(polls, 2, left) <= 0)
			continue;
		if (polls[0].revents != 0)
			take(run, &run->out, take_out);
		if (polls[1].revents != 0)
			take(run, &run->err, take_err);
	}
	if (run->err < 0)
		judge_line(run); /* one without its end */
}

/* -1: it was killed, or has no status. */
static int end(struct run *run, int64_t deadline_ms)
{
	const struct timespec pause = { 0, 1000 * 1000 };
	bool closed = run->out < 0 && run->err < 0;
	pid_t ended_pid = 0;
	int status;

	while (closed && ended_pid == 0 && mr_clock_left(deadline_ms) > 0) {
		ended_pid = waitpid(run->pid, &status, WNOHANG);
		if (ended_pid == 0)
			nanosleep(&pause, NULL);
	}
	if (ended_pid == 0) {
		kill(run->pid, SIGKILL);
		do
			ended_pid = waitpid(run->pid, &status, 0);
		while (ended_pid < 0 && errno == EINTR);
	}
	if (run->out >= 0)
		close(run->out);
	if (run->err >= 0)
		close(run->err);
	return ended_pid == run->pid && WIFEXITED(status) ? WEXITSTATUS(status)
	                                                  : -1;
}

static enum mr_lookup judge(struct run *run, int status, struct mr_arena *arena,
	const char **value_r, struct mr_error *error)
{
	if (run->length == VALUE_ROOM) {
		mr_error_set(error, "the value is too long");
	} else if (status == 0 && run->length > 0 &&
		   run->value[run->length - 1] == '\n' &&
		   memchr(run->value, '\0', run->length) == NULL) {
		*value_r = mr_arena_strndup(arena, run->value, run->length - 1);
		return MR_FOUND;
	} else if (run->why[0] != '\0') {
		mr_error_set(error, "%s",
			mr_text_printable(arena, run->why, LINE_LONGEST));
	} else if (status == 1 && run->length == 0) {
		return MR_NOTFOUND;
	} else if (status < 0) {
		mr_error_set(error, "no answer before the deadline");
	} else {
		mr_error_set(error, "postmap ended with %d", status);
	}
	return MR_TEMPFAIL;
}

enum mr_lookup mr_postmap_run(const char *reference, const char *key,
	struct mr_arena *arena, int64_t deadline_ms, const char **value_r,
	struct mr_error *error)
{
	struct run run = { 0 };
	enum mr_lookup answer = MR_TEMPFAIL;
	int status;

	if (!take_turn(deadline_ms)) {
		mr_error_set(error, "too many postmap processes are busy");
		return MR_TEMPFAIL;
	}
	if (start(&run, reference, key, arena, error) == 0) {
		listen_to(&run, deadline_ms);
		status = end(&run, deadline_ms);
		answer = judge(&run, status, arena, value_r, error);
		free(run.value);
	}
	end_turn();
	return answer;
}
