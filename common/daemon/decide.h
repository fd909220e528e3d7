/* decide - judges and logs: one line for each decision, in one place for all
 * front ends. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_DAEMON_DECIDE_H
#define MR_DAEMON_DECIDE_H

#include "common/policy/engine.h"

/* As mr_engine_step.  Logged are refusals, the accepted mail at its end, and
 * what rules observed or tagged.  `recipient`: whom it is about, or NULL. */
const struct mr_verdict *mr_decide(struct mr_engine *engine, struct mr_txn *txn,
	enum mr_stage stage, const struct mr_recipient *recipient);

#endif
