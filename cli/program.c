/* program - see program.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/program.h"
#include "common/base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *find(struct mr_arena *arena, const char *name)
{
	static const char *const places[] = { "/usr/sbin", "/usr/local/sbin",
		"/usr/bin", "/usr/local/bin" };
	const char *path;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		path = mr_arena_printf(arena, "%s/%s", places[i], name);
		if (access(path, X_OK) == 0)
			return path;
	}
	return name;
}

static int start(
	const char *const *argv, struct mr_arena *arena, int out, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	char *const *args;
	int status;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(
		&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(
		&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	/* posix_spawn promises not to change what it is given. */
	memcpy(&args, &argv, sizeof(args));
	status = posix_spawnp(pid, argv[0], &actions, NULL, args, environ);
	if (status == ENOENT)
		status = posix_spawn(pid, find(arena, argv[0]), &actions, NULL,
			args, environ);
	posix_spawn_file_actions_destroy(&actions);
	return status;
}

/* false: it was silent for too long. */
static bool read_all(int in, struct mr_arena *arena, const char **output_r)
{
	size_t size = 0, room = 64 * 1024;
	char *buffer = mr_calloc(1, room);
	struct pollfd poller = { .fd = in, .events = POLLIN };
	ssize_t n = 0;
	int ready;

	while ((ready = poll(&poller, 1, MR_PROGRAM_WAIT_MS)) > 0) {
		n = read(in, buffer + size, room - size);
		if (n <= 0)
			break;
		size += (size_t)n;
		if (size == room && room < MR_PROGRAM_LONGEST)
			buffer = mr_realloc(buffer, room *= 2);
		else if (size == room)
			size = room / 2;
	}
	*output_r = mr_arena_strndup(arena, buffer, size);
	free(buffer);
	return ready > 0 && n == 0;
}

int mr_program_output(const char *const *argv, struct mr_arena *arena,
	const char **output_r, struct mr_error *error)
{
	int pipes[2], status;
	bool complete;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return mr_error_set(error, "%s: %s", argv[0], strerror(errno));
	status = start(argv, arena, pipes[1], &pid);
	close(pipes[1]);
	if (status != 0) {
		close(pipes[0]);
		return mr_error_set(error, "%s: %s", argv[0], strerror(status));
	}
	complete = read_all(pipes[0], arena, output_r);
	close(pipes[0]);
	if (!complete)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!complete)
		return mr_error_set(error, "%s does not answer", argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return mr_error_set(error, "%s failed", argv[0]);
	return 0;
}
