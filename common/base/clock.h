/* clock - CLOCK_MONOTONIC in milliseconds, the scale of every deadline. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_CLOCK_H
#define MR_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t mr_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What poll(2) may wait until `deadline_ms`: never "for ever". */
static inline int mr_clock_left(int64_t deadline_ms)
{
	int64_t left = deadline_ms - mr_clock_ms();

	if (left <= 0)
		return 0;
	return left > 60 * 1000 ? 60 * 1000 : (int)left;
}

#endif
