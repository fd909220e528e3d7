/* process - see process.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

static int set_streams(
	posix_spawn_file_actions_t *actions, const int streams[3])
{
	int wrong = 0;

	for (int i = 0; i < 3 && wrong == 0; i++)
		wrong = streams[i] >= 0 ? posix_spawn_file_actions_adddup2(
						  actions, streams[i], i)
		                        : posix_spawn_file_actions_addopen(
						  actions, i, "/dev/null",
						  i == STDIN_FILENO ? O_RDONLY
								    : O_WRONLY,
						  0);
	if (wrong == 0)
		wrong = posix_spawn_file_actions_addclosefrom_np(
			actions, STDERR_FILENO + 1);
	return wrong;
}

int mr_process_start(pid_t *pid, const char *program, char *const *argv,
	char *const *envp, const int streams[3])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all, none;
	int wrong;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(
		&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	wrong = set_streams(&actions, streams);
	if (wrong == 0)
		wrong = posix_spawn(
			pid, program, &actions, &attributes, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return wrong;
}
