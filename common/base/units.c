/* units - see units.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/units.h"
#include "common/base/arena.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* No more of a refused text than this is repeated. */
#define SHOWN "\"%.40s\""

struct unit {
	char letter;
	int64_t factor;
};

static const struct unit size_units[] = {
	{ 'T', INT64_C(1) << 40 },
	{ 'G', INT64_C(1) << 30 },
	{ 'M', INT64_C(1) << 20 },
	{ 'K', INT64_C(1) << 10 },
	{ 0 },
};

/* Weeks are read but not written: mail admins think of 14 days. */
static const struct unit time_units[] = {
	{ 'w', 7 * 86400 },
	{ 'd', 86400 },
	{ 'h', 3600 },
	{ 'm', 60 },
	{ 's', 1 },
	{ 0 },
};

/* Digits at *text, moved behind them; false if there are none or too many. */
static bool read_digits(const char **text, int64_t *number)
{
	const char *p = *text;

	*number = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(*number, 10, number) ||
			__builtin_add_overflow(*number, *p - '0', number))
			return false;
	if (p == *text)
		return false;
	*text = p;
	return true;
}

static const struct unit *find_unit(const struct unit *units, char letter)
{
	for (; units->letter != 0; units++)
		if (tolower(units->letter) == tolower((unsigned char)letter))
			return units;
	return NULL;
}

int mr_size_parse(const char *text, uint64_t *octets, struct mr_error *error)
{
	const char *p = text;
	const struct unit *unit;
	int64_t number;

	if (strcmp(text, "unlimited") == 0) {
		*octets = MR_UNLIMITED;
		return 0;
	}
	if (!read_digits(&p, &number))
		return mr_error_set(
			error, SHOWN " is not a size, such as 25M or 1G", text);
	unit = find_unit(size_units, *p);
	if (unit != NULL) {
		p++;
		if (__builtin_mul_overflow(number, unit->factor, &number))
			return mr_error_set(error,
				SHOWN " is too large for a size, such as 25M",
				text);
	}
	if (*p == 'B' || *p == 'b')
		p++;
	if (*p != '\0')
		return mr_error_set(
			error, SHOWN " is not a size, such as 25M or 1G", text);
	*octets = (uint64_t)number;
	return 0;
}

char *mr_size_format(struct mr_arena *arena, uint64_t octets)
{
	if (octets == MR_UNLIMITED)
		return mr_arena_strdup(arena, "unlimited");
	for (const struct unit *u = size_units; u->letter != 0; u++) {
		uint64_t factor = (uint64_t)u->factor;

		if (octets >= factor && octets % factor == 0)
			return mr_arena_printf(arena, "%" PRIu64 "%c",
				octets / factor, u->letter);
	}
	return mr_arena_printf(arena, "%" PRIu64, octets);
}

/* Tenths of `unit`, rounded to nearest; but where the rounded figure is an
 * exact number of octets (.0 and .5) that this is not, one tenth towards the
 * truth: one octet more than 25 MB must not read "25 MB". */
static uint64_t count_tenths(uint64_t octets, uint64_t unit)
{
	uint64_t whole = octets / unit, rest = octets % unit;
	uint64_t tenth = (rest * 10 + unit / 2) / unit;
	bool exact = rest * 10 == tenth * unit;

	if (!exact && tenth % 5 == 0) {
		if (rest * 10 > tenth * unit)
			tenth++;
		else
			return whole * 10 + tenth - 1;
	}
	return whole * 10 + tenth;
}

char *mr_size_for_people(struct mr_arena *arena, uint64_t octets)
{
	const struct unit *unit = size_units;
	uint64_t tenths;

	if (octets == MR_UNLIMITED)
		return mr_arena_strdup(arena, "unlimited");
	while (unit->letter != 0 && octets < (uint64_t)unit->factor)
		unit++;
	if (unit->letter == 0)
		return mr_arena_printf(arena, "%" PRIu64 " byte%s", octets,
			octets == 1 ? "" : "s");
	tenths = count_tenths(octets, (uint64_t)unit->factor);
	if (tenths % 10 == 0)
		return mr_arena_printf(
			arena, "%" PRIu64 " %cB", tenths / 10, unit->letter);
	return mr_arena_printf(arena, "%" PRIu64 ".%" PRIu64 " %cB",
		tenths / 10, tenths % 10, unit->letter);
}

int mr_duration_parse(
	const char *text, int64_t *seconds, struct mr_error *error)
{
	const char *p = text;
	const struct unit *unit;
	int64_t number;

	if (strcmp(text, "0") == 0) {
		*seconds = 0;
		return 0;
	}
	if (!read_digits(&p, &number))
		return mr_error_set(error,
			SHOWN " is not a duration, such as 8s, 10m or 92d",
			text);
	if (*p == '\0')
		return mr_error_set(error,
			SHOWN " needs a unit: s, m, h, d or w, such as %.20ss",
			text, text);
	unit = find_unit(time_units, *p);
	if (unit == NULL || p[1] != '\0')
		return mr_error_set(error,
			SHOWN " is not a duration, such as 8s, 10m or 92d",
			text);
	if (__builtin_mul_overflow(number, unit->factor, seconds) ||
		*seconds > MR_DURATION_LONGEST)
		return mr_error_set(error,
			SHOWN " is more than 1000 years; a good one is 92d",
			text);
	return 0;
}

char *mr_duration_format(struct mr_arena *arena, int64_t seconds)
{
	const struct unit *unit = find_unit(time_units, 'd');

	if (seconds == 0)
		return mr_arena_strdup(arena, "0");
	while (seconds % unit->factor != 0)
		unit++;
	return mr_arena_printf(
		arena, "%" PRId64 "%c", seconds / unit->factor, unit->letter);
}

static bool is_day(int64_t year, int64_t month, int64_t day)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

int mr_date_parse(const char *text, time_t *end, struct mr_error *error)
{
	const char *p = text;
	int64_t year, month, day;
	struct tm tm = { .tm_isdst = -1 };

	/* exactly 2026-12-31, so that nobody wonders what 1-2-2026 means */
	if (strlen(text) != 10 || !read_digits(&p, &year) || p != text + 4 ||
		*p++ != '-' || !read_digits(&p, &month) || p != text + 7 ||
		*p++ != '-' || !read_digits(&p, &day) || p != text + 10 ||
		!is_day(year, month, day))
		return mr_error_set(error,
			SHOWN " is not a date, such as 2026-12-31", text);
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)day + 1;
	*end = mktime(&tm);
	return 0;
}

char *mr_date_format(struct mr_arena *arena, time_t end)
{
	time_t last = end - 1;
	struct tm tm = { 0 };

	localtime_r(&last, &tm);
	return mr_arena_printf(arena, "%04d-%02d-%02d", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday);
}

int mr_number_parse(const char *text, int64_t least, int64_t most,
	int64_t *number, struct mr_error *error)
{
	bool negative = *text == '-';
	const char *p = negative ? text + 1 : text;

	if (!read_digits(&p, number) || *p != '\0')
		return mr_error_set(error,
			SHOWN " is not a whole number, such as %" PRId64, text,
			least);
	if (negative)
		*number = -*number;
	if (*number < least && most == INT64_MAX)
		return mr_error_set(error,
			SHOWN " is too small; the least is %" PRId64, text,
			least);
	if (*number < least || *number > most)
		return mr_error_set(error,
			SHOWN " is not between %" PRId64 " and %" PRId64, text,
			least, most);
	return 0;
}

int mr_percent_parse(const char *text, int64_t *percent, struct mr_error *error)
{
	const char *p = text;

	if (!read_digits(&p, percent) || strcmp(p, "%") != 0 || *percent > 100)
		return mr_error_set(error,
			SHOWN " is not a percentage from 0%% to 100%%, such as "
			      "80%%",
			text);
	return 0;
}

/* "/ 10m", from the slash on. */
static int read_window(const char *p, const char *text, const char *good,
	struct mr_rate *rate, struct mr_error *error)
{
	p += strspn(p, " \t");
	if (*p != '/')
		return mr_error_set(
			error, SHOWN " is not a rate, such as %s", text, good);
	p++;
	p += strspn(p, " \t");
	if (mr_duration_parse(p, &rate->seconds, error) < 0)
		return -1;
	if (rate->seconds == 0)
		return mr_error_set(error,
			SHOWN " counts in no time at all; a good rate is %s",
			text, good);
	return 0;
}

int mr_rate_parse(
	const char *text, struct mr_rate *rate, struct mr_error *error)
{
	static const char good[] = "5 / 10m";
	const char *p = text;
	int64_t count;

	if (!read_digits(&p, &count))
		return mr_error_set(
			error, SHOWN " is not a rate, such as %s", text, good);
	rate->count = (uint64_t)count;
	return read_window(p, text, good, rate, error);
}

char *mr_rate_format(struct mr_arena *arena, struct mr_rate rate)
{
	return mr_arena_printf(arena, "%" PRIu64 " / %s", rate.count,
		mr_duration_format(arena, rate.seconds));
}

int mr_volume_parse(
	const char *text, struct mr_rate *rate, struct mr_error *error)
{
	static const char good[] = "500M / 1h";
	size_t length = strcspn(text, " \t/");
	char size[32] = "";

	if (length >= sizeof(size))
		return mr_error_set(
			error, SHOWN " is not a rate, such as %s", text, good);
	memcpy(size, text, length);
	if (mr_size_parse(size, &rate->count, error) < 0)
		return -1;
	return read_window(text + length, text, good, rate, error);
}

char *mr_volume_format(struct mr_arena *arena, struct mr_rate rate)
{
	return mr_arena_printf(arena, "%s / %s",
		mr_size_format(arena, rate.count),
		mr_duration_format(arena, rate.seconds));
}
