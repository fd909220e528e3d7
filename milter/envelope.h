/* envelope - changes of the recipients of a mail, as the policy wants them. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MILTER_ENVELOPE_H
#define MR_MILTER_ENVELOPE_H

#include "common/policy/mailing.h"
#include "milter/mta.h"

/* -1: not done, and the mail must not be accepted. */
int mr_envelope_change(const struct mr_envelope *envelope, struct mr_mta *mta);

#endif
