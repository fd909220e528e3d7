/*
 * status - what the control socket answers
 *
 *   status   to whoever may connect
 *   reload   to root and to the user that the milter runs as
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MILTER_STATUS_H
#define MR_MILTER_STATUS_H

#include <stdio.h>
#include <sys/types.h>

/* A mr_control_handler; the context is a struct mr_supervisor. */
void mr_status_answer(
	void *context, const char *request, uid_t peer, FILE *answer);

#endif
