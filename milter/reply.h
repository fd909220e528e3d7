/* reply - a verdict as the milter's answer, with its codes and text. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MILTER_REPLY_H
#define MR_MILTER_REPLY_H

#include "common/policy/verdict.h"
#include "milter/mta.h"

enum mr_mta_answer mr_reply_give(
	struct mr_mta *mta, const struct mr_verdict *verdict);

#endif
