/* dns_source - where answers come from: one table of functions per source. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_DNS_SOURCE_H
#define MR_LOOKUP_DNS_SOURCE_H

#include "common/lookup/dns_wire.h"

struct mr_dns_source {
	/* As mr_dns_ask; the name is lower case and can be asked.  It is the
	 * caller's: what of the answer points to it is a copy. */
	enum mr_lookup (*ask)(void *state, struct mr_arena *arena,
		const char *name, enum mr_dns_type type, int64_t deadline_ms,
		struct mr_dns_answer *answer, struct mr_error *error);
	/* As mr_dns_prefetch; NULL: answers at once anyway. */
	void (*prefetch)(void *state, const char *name, enum mr_dns_type type);
	/* As mr_dns_status; NULL: there is nothing to tell. */
	void (*status)(void *state, struct mr_arena *arena,
		struct mr_dns_status *status);
	/* Would the other be asked in the same way?  NULL: no. */
	bool (*alike)(const void *state, const void *other);
	void (*close)(void *state);
};

extern const struct mr_dns_source mr_dns_engine, mr_dns_zone;

/* `clock` is what the cache goes by, in milliseconds: mr_clock_ms but for
 * tests. */
int mr_dns_engine_open(const struct mr_dns_settings *settings,
	int64_t (*clock)(void), void **state_r, struct mr_error *error);
int mr_dns_zone_open(const char *path, void **state_r, struct mr_error *error);

#endif
