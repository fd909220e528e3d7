/* quotas - what is known of mailboxes, as the policy asks for it. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_QUOTAS_H
#define MR_POLICYD_QUOTAS_H

#include "common/state/quotas.h"

struct mr_usages;

/* The usages stay the caller's. */
struct mr_quotas mr_quotas_of(struct mr_usages *usages);

#endif
