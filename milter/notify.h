/*
 * notify - systemd: readiness, state, and the socket it may pass
 *
 * Without libsystemd, or not started by systemd, nothing happens.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MILTER_NOTIFY_H
#define MR_MILTER_NOTIFY_H

#include "common/base/error.h"

/* The descriptor of the one socket that was passed; 0: none.  -1: more than
 * one, of which we could not tell which is meant. */
int mr_notify_passed(struct mr_error *error);

/* sd_notify(3) states. */
void mr_notify_ready(const char *status);
void mr_notify_reloading(void);
void mr_notify_stopping(const char *status);

#endif
