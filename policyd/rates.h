/*
 * rates - the counters as the policy asks for them, as the log tells of them
 * and as `mailreeve status --rates` shows them
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_RATES_H
#define MR_POLICYD_RATES_H

#include "common/state/rates.h"

#include <stdio.h>

struct mr_arena;
struct mr_counters;

/* The counters stay the caller's. */
struct mr_rates mr_rates_of(struct mr_counters *counters);

/* How many `mailreeve status --rates` shows. */
enum { MR_RATES_SHOWN = 20 };
/* A line for each of those that are nearest to their limit. */
void mr_rates_say_top(
	struct mr_counters *counters, struct mr_arena *arena, FILE *out);
/* What plain status says. */
void mr_rates_say(
	struct mr_counters *counters, struct mr_arena *arena, FILE *out);

#endif
