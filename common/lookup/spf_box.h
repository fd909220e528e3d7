/*
 * spf_box - libspf2's opinion, from a process that can do nothing else
 *
 * libspf2 is a second evaluator for those who trust it more than ours.  It has
 * no place among the mails: a record can overflow its stack, make it ask
 * thousands of questions, or end it.  So it is linked into a program of its own
 * (spf_worker), each check is made by a fresh process of it under seccomp,
 * which has one socket and no DNS, and what it needs of that is asked by our
 * engine, within the bounds of our own evaluator.  A worker that dies, hangs or
 * talks nonsense is a temperror of that one check.
 *
 * Workers are forked by a zygote, as a process with threads cannot fork safely;
 * it is started with the first check.  Any number of threads may check.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_SPF_BOX_H
#define MR_LOOKUP_SPF_BOX_H

#include "common/lookup/spf.h"

struct mr_spf_box;

/* `program`: spf_worker's path; NULL: where it is installed.  Starts nothing.
 */
struct mr_spf_box *mr_spf_box_new(const char *program);
/* NULL-safe; clears the pointer; ends the zygote. */
void mr_spf_box_free(struct mr_spf_box **box);

/* As mr_spf_check, but that `answer` has no terms and voids, and its domain is
 * always the identity's. */
void mr_spf_box_check(struct mr_spf_box *box, struct mr_dns *dns,
	const struct mr_spf_query *query, struct mr_arena *arena,
	struct mr_spf_answer *answer);

#endif
