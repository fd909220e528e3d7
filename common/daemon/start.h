/* start - becoming a daemon, and somebody less than root. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_DAEMON_START_H
#define MR_DAEMON_START_H

#include "common/base/error.h"

#include <stdbool.h>

/* Opens what is closed of standard input, output and error, so that nothing
 * else gets their descriptors. */
void mr_start_fill_standard(void);

/* Goes on in a child process of a new session, and returns there the
 * descriptor for mr_start_ready.  The parent waits: it ends with 0 when the
 * child is ready, or with the child's own exit status. */
int mr_start_detach(struct mr_error *error);
/* Lets the parent go and, unless `keep_stderr`, leaves the terminal. */
void mr_start_ready(int fd, bool keep_stderr);

/* Root becomes `user`, with the user's groups, for good.  `section` of the
 * policy says who that is. */
int mr_start_become(
	const char *user, const char *section, struct mr_error *error);

/* As many descriptors as this process may have: one per connection. */
void mr_start_raise_descriptors(void);

#endif
