/* rates - see rates.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/rates.h"
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "common/config/sections.h"
#include "common/daemon/status.h"
#include "policyd/counters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { NAME_SHOWN = 256 };

/* Goes on while the host sleeps, and does not jump. */
static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *shown(
	struct mr_arena *arena, const struct mr_rate_key *key, uint64_t count)
{
	if (key->measure == MR_RATE_BYTES)
		return mr_size_for_people(arena, count);
	return mr_arena_printf(arena, "%" PRIu64, count);
}

/* "MB" says what it is. */
static const char *unit_of(
	struct mr_arena *arena, const struct mr_rate_key *key)
{
	if (key->measure == MR_RATE_BYTES)
		return "";
	return mr_arena_printf(
		arena, " %s", mr_rate_measure_words[key->measure]);
}

static uint64_t sum(void *context, const struct mr_rate_key *key)
{
	return mr_counters_sum(context, key, now_ms());
}

static void add(void *context, const struct mr_rate_key *key, uint64_t amount,
	uint64_t limit)
{
	mr_counters_add(context, key, amount, limit, now_ms());
}

static void held(void *context, const struct mr_rate_key *key, uint64_t count,
	uint64_t limit)
{
	struct mr_arena *arena;

	/* A first mail may be too much by itself.  Only an account must be
	 * named then: a stranger who is refused gets no counter. */
	if (key->kind == MR_RATE_LOGIN)
		add(context, key, 0, limit);
	if (!mr_counters_is_news(context, key, now_ms()))
		return;
	arena = mr_arena_new(1024);
	mr_log(MR_LOG_WARNING,
		"over its rate: %s=%s %s=%" PRIu64 " limit=%" PRIu64
		" window=%s; more is treated as the policy says until the "
		"window has passed",
		mr_rate_kind_words[key->kind],
		mr_text_printable(arena, key->name, NAME_SHOWN),
		mr_rate_measure_words[key->measure], count, limit,
		mr_duration_format(arena, key->seconds));
	mr_arena_free(&arena);
}

struct mr_rates mr_rates_of(struct mr_counters *counters)
{
	return (struct mr_rates){ counters, sum, add, held };
}

/* --- for status */

static void say_counter(
	struct mr_arena *arena, FILE *out, const struct mr_counter *counter)
{
	const struct mr_rate_key *key = &counter->key;
	double share = counter->limit == 0 ? 0
	                                   : (double)counter->sum * 100 /
	                                             (double)counter->limit;

	mr_status_say(arena, out,
		mr_arena_printf(
			arena, "rate.%s", mr_rate_kind_words[key->kind]),
		"%s: %s of %s%s in %s, %.0f%%",
		mr_text_printable(arena, key->name, NAME_SHOWN),
		shown(arena, key, counter->sum),
		shown(arena, key, counter->limit), unit_of(arena, key),
		mr_duration_format(arena, key->seconds), share);
}

void mr_rates_say_top(
	struct mr_counters *counters, struct mr_arena *arena, FILE *out)
{
	struct mr_counter top[MR_RATES_SHOWN];
	size_t n = mr_counters_top(counters, now_ms(), top, MR_RATES_SHOWN);

	for (size_t i = 0; i < n; i++) {
		say_counter(arena, out, &top[i]);
		free((char *)top[i].key.name);
	}
	mr_rates_say(counters, arena, out);
}

void mr_rates_say(
	struct mr_counters *counters, struct mr_arena *arena, FILE *out)
{
	struct mr_counters_status status = mr_counters_status(counters);

	mr_status_say(arena, out, "rate_counters",
		"%zu in %zu octets, %" PRIu64 " dropped too early",
		status.count, status.octets, status.dropped);
}
