/* start - see start.h. */
/* SPDX-License-Identifier: ISC */
#include "common/daemon/start.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void mr_start_fill_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void wait_for(pid_t child, int fd)
{
	char byte;
	int status;
	ssize_t got;

	do
		got = read(fd, &byte, 1);
	while (got < 0 && errno == EINTR);
	if (got == 1)
		_exit(0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	/* ended before it was ready: a failure whatever it says */
	_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0
			? WEXITSTATUS(status)
			: 1);
}

int mr_start_detach(struct mr_error *error)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return mr_error_set(error, "pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		return mr_error_set(error, "fork: %s", strerror(errno));
	if (child > 0) {
		close(ends[1]);
		wait_for(child, ends[0]);
	}
	close(ends[0]);
	setsid();
	return ends[1];
}

/* A daemon that keeps a terminal or a pipe makes whoever waits at its other
 * end wait for ever. */
void mr_start_ready(int fd, bool keep_stderr)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (!keep_stderr)
			dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	while (write(fd, "", 1) < 0 && errno == EINTR)
		continue;
	close(fd);
}

int mr_start_become(
	const char *user, const char *section, struct mr_error *error)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(user);
	if (entry == NULL)
		return mr_error_set(error,
			"no system user %s%s%s: create it, "
			"or set %s { user }",
			user, errno == 0 ? "" : ": ",
			errno == 0 ? "" : strerror(errno), section);
	if (entry->pw_uid == 0)
		return 0;
	if (initgroups(user, entry->pw_gid) < 0 || setgid(entry->pw_gid) < 0 ||
		setuid(entry->pw_uid) < 0)
		return mr_error_set(error, "cannot become user %s: %s", user,
			strerror(errno));
	if (setuid(0) == 0)
		return mr_error_set(
			error, "became user %s, but not for good", user);
	return 0;
}

void mr_start_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
