/*
 * daemon - a program that answers Postfix, from its options to its end
 *
 * usage: PROGRAM [-dv] [-c FILE] [--stderr]
 *
 * Exit status 2 is wrong usage or a mistake in the policy, 1 anything else that
 * keeps it from starting.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_DAEMON_DAEMON_H
#define MR_DAEMON_DAEMON_H

#include "common/daemon/front.h"

/* main(): `state` is the front end's own, handed to each of its functions. */
_Noreturn void mr_daemon_run(
	int argc, char **argv, const struct mr_front *front, void *state);

#endif
