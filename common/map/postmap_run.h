/*
 * postmap_run - one question to one process of postmap(1)
 *
 * No shell; what is asked is an argument of its own.  The process is killed at
 * the deadline, and never more than MR_POSTMAPS run at once: who comes later
 * waits until its own deadline.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_POSTMAP_RUN_H
#define MR_MAP_POSTMAP_RUN_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct mr_arena;

enum { MR_POSTMAPS = 8 };

/* NULL: there is none on this machine. */
const char *mr_postmap_program(void);

/* `-` would mean standard input, and a control character may end a line. */
bool mr_postmap_can_ask(const char *key);

enum mr_lookup mr_postmap_run(const char *reference, const char *key,
	struct mr_arena *arena, int64_t deadline_ms, const char **value_r,
	struct mr_error *error);

#endif
