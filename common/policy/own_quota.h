/* own_quota - the quota that the userdb itself gives a mailbox, which only a
 * `user` section of the policy beats */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_OWN_QUOTA_H
#define MR_POLICY_OWN_QUOTA_H

#include "common/base/error.h"
#include "common/policy/policy.h"

#include <stdbool.h>
#include <stdint.h>

struct mr_arena;

struct mr_own_quota {
	const char *field; /* the first, NAME=VALUE as the userdb has it,
	                      printable */
	/* Of all its fields the largest, as 2.3 and 2.4 go by different ones;
	 * MR_UNLIMITED also where one of them cannot be told from here. */
	uint64_t octets;
	bool told; /* could all be told? */
};

/* NOTFOUND: it has none.  `user` is the plain address, `deadline_ms` a time on
 * CLOCK_MONOTONIC. */
enum mr_lookup mr_own_quota(const struct mr_policy *policy, const char *user,
	int64_t deadline_ms, struct mr_arena *arena, struct mr_own_quota *own,
	struct mr_error *error);

/* What NAME=VALUE allows: a quota_rule (kilobytes if nothing else is said) or a
 * quota_storage_size (octets).  0 is no limit to Dovecot.  false: it goes by
 * other settings ("+1G", "10%"), or is none that we know. */
bool mr_own_quota_parse(const char *field, uint64_t *octets);

#endif
