/* dns_source - where answers come from: one table of functions per source. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNS_SOURCE_H
#define MR_LOOKUP_DNS_SOURCE_H

#include "common/lookup/dns_wire.h"

struct mr_dns_source {
	/* MR_FOUND: `answer` is what a recursive server would put into its
	 * answer section, CNAMEs and all; may be empty. */
	enum mr_lookup (*ask)(void *state, struct mr_arena *arena,
		const char *name, enum mr_dns_type type, int64_t deadline_ms,
		struct mr_dns_answer *answer, struct mr_error *error);
	void (*close)(void *state);
};

extern const struct mr_dns_source mr_dns_live, mr_dns_zone;

int mr_dns_live_open(
	const char *server, void **state_r, struct mr_error *error);
int mr_dns_zone_open(const char *path, void **state_r, struct mr_error *error);

#endif
