/*
 * notify - systemd: readiness, state, and the sockets it may pass
 *
 * Without libsystemd, or not started by systemd, nothing happens.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_DAEMON_NOTIFY_H
#define MR_DAEMON_NOTIFY_H

#include "common/base/error.h"

/* How many sockets were passed; *first_r is the descriptor of the first, the
 * others follow. */
int mr_notify_passed(int *first_r, struct mr_error *error);

/* sd_notify(3) states. */
void mr_notify_ready(const char *status);
void mr_notify_reloading(void);
void mr_notify_stopping(const char *status);

#endif
