/* milter - asks the running mailreeve-milter; see common/base/control.h. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_MILTER_H
#define MR_CLI_MILTER_H

#include "common/base/error.h"

struct mr_arena;

/* A reload opens tables and may take its time. */
enum { MR_MILTER_WAIT_MS = 30 * 1000 };

struct mr_milter_answer {
	const char *refused; /* why the milter did not do it, or NULL */
	const char *pairs;   /* what follows "ok": lines of name=value */
};

/* -1: nobody answers at `socket`; *error says what that means. */
int mr_milter_ask(const char *socket, const char *request,
	struct mr_arena *arena, struct mr_milter_answer *answer,
	struct mr_error *error);

#endif
