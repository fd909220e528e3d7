/*
 * process - another program, with nothing of ours but what it is given
 *
 * It gets the three streams and no other descriptor, no blocked and no ignored
 * signal.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_PROCESS_H
#define MR_BASE_PROCESS_H

#include <sys/types.h>

/* `streams` are descriptors for its standard input, output and error, which
 * stay the caller's; -1: /dev/null.  Returns 0, or an errno(3). */
int mr_process_start(pid_t *pid, const char *program, char *const *argv,
	char *const *envp, const int streams[3]);

#endif
