/*
 * units - sizes, durations, dates and percentages as an admin writes them
 *
 * Every parser takes the whole text or refuses it with one clause that shows a
 * good example.  Nothing overflows.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_UNITS_H
#define MR_BASE_UNITS_H

#include "common/base/error.h"

#include <stdint.h>
#include <time.h>

struct mr_arena;

/* Octets: 25M is 25 x 1024 x 1024; K M G T, an optional B behind; no suffix is
 * octets.  "unlimited" is MR_UNLIMITED; any other is at most INT64_MAX. */
#define MR_UNLIMITED UINT64_MAX
int mr_size_parse(const char *text, uint64_t *octets, struct mr_error *error);
/* The shortest exact form that mr_size_parse reads back: 25M, 26214401. */
char *mr_size_format(struct mr_arena *arena, uint64_t octets);
/* For people: "25 MB", "1.5 GB", one decimal, rounded to nearest, but never
 * to a value that looks like the limit when it is not: 26214401 is
 * "25.1 MB". */
char *mr_size_for_people(struct mr_arena *arena, uint64_t octets);

/* Seconds: s m h d w behind a number; a bare number other than 0 is refused.
 * 92d, 8s, 2w.  1000 years at most, so that a time plus a duration is one. */
#define MR_DURATION_LONGEST (INT64_C(365243) * 86400)
int mr_duration_parse(
	const char *text, int64_t *seconds, struct mr_error *error);
/* In the largest of s m h d that is exact: weeks are written as days. */
char *mr_duration_format(struct mr_arena *arena, int64_t seconds);

/* 2026-12-31: the first second after that day, local time, so that "until" is
 * inclusive (`now < *end`). */
int mr_date_parse(const char *text, time_t *end, struct mr_error *error);
char *mr_date_format(struct mr_arena *arena, time_t end);

/* A whole number between `least` and `most`. */
int mr_number_parse(const char *text, int64_t least, int64_t most,
	int64_t *number, struct mr_error *error);
/* 80% is 80; 0% to 100%. */
int mr_percent_parse(
	const char *text, int64_t *percent, struct mr_error *error);

/* So many per so many seconds: `5 / 10m`. */
struct mr_rate {
	uint64_t count;
	int64_t seconds;
};
int mr_rate_parse(
	const char *text, struct mr_rate *rate, struct mr_error *error);
char *mr_rate_format(struct mr_arena *arena, struct mr_rate rate);
/* The same of octets: `500M / 1h`. */
int mr_volume_parse(
	const char *text, struct mr_rate *rate, struct mr_error *error);
char *mr_volume_format(struct mr_arena *arena, struct mr_rate rate);

#endif
