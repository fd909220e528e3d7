/*
 * spf_libspf2 - the door to libspf2: one check, with its questions put to
 * somebody else.  Only spf_worker has it.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_SPF_LIBSPF2_H
#define MR_LOOKUP_SPF_LIBSPF2_H

#include "common/lookup/spf_wire.h"

#include <stddef.h>

struct mr_spf2;

/* Fills `answer`, which has room for MR_SPF_WIRE_LARGEST octets; returns its
 * length, 0 if there is nobody to ask any more. */
typedef size_t mr_spf2_ask(int fd, const struct mr_spf_wire_question *question,
	struct mr_spf_wire_answer *answer);

/* NULL: libspf2 does not work. */
struct mr_spf2 *mr_spf2_new(mr_spf2_ask *ask);

/* Asks at `fd`.  Whatever libspf2 does may happen. */
void mr_spf2_check(struct mr_spf2 *spf2, int fd,
	const struct mr_spf_wire_check *check,
	struct mr_spf_wire_result *result);

#endif
