/*
 * rates - what the policy asks of the counters, which the policy daemon keeps
 *
 * Only the policy daemon counts, so nobody else has any of these: a transaction
 * without them is not judged by rates.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_STATE_RATES_H
#define MR_STATE_RATES_H

#include <stdint.h>

/* One counter.  The numbers are enum mr_rate_kind and mr_rate_measure of the
 * policy file; here they only keep names and amounts apart. */
struct mr_rate_key {
	unsigned kind, measure;
	int64_t seconds; /* the window */
	const char *name;
};

/* From any thread; none of them waits for the world. */
struct mr_rates {
	void *context;
	/* What was counted in the window that ends now. */
	uint64_t (*sum)(void *context, const struct mr_rate_key *key);
	void (*add)(void *context, const struct mr_rate_key *key,
		uint64_t amount, uint64_t limit);
	/* With this mail there would be `sum`, which is too much: the log says
	 * so, once a window. */
	void (*held)(void *context, const struct mr_rate_key *key, uint64_t sum,
		uint64_t limit);
};

#endif
