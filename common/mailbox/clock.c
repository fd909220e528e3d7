/* clock - see clock.h. */
/* SPDX-License-Identifier: ISC */
#include "common/mailbox/clock.h"
#include "common/base/arena.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ADVICE "if the host's clock is right, run: mailreeve clock --clock-ok"

/* --- the line ----------------------------------------------------------- */

/* What is left of the text. */
struct rest {
	const char *next, *end;
};

static bool take(struct rest *rest, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(rest->end - rest->next) < length ||
		memcmp(rest->next, word, length) != 0)
		return false;
	rest->next += length;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One spelling for each number, so that a line has one, too. */
static bool take_seconds(struct rest *rest, int64_t *seconds)
{
	const char *start = rest->next;

	*seconds = 0;
	for (; rest->next < rest->end && is_digit(*rest->next); rest->next++) {
		*seconds = *seconds * 10 + (*rest->next - '0');
		if (*seconds > MR_CLOCK_LAST)
			return false;
	}
	return rest->next > start && (*start != '0' || rest->next == start + 1);
}

bool mr_clock_is_boot_id(const char *text, size_t length)
{
	static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (length != MR_CLOCK_BOOT_ID)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool hex =
			is_digit(text[i]) || (text[i] >= 'a' && text[i] <= 'f');

		if (pattern[i] == '-' ? text[i] != '-' : !hex)
			return false;
	}
	return true;
}

static bool take_boot_id(struct rest *rest, char *boot_id)
{
	if (rest->end - rest->next < MR_CLOCK_BOOT_ID ||
		!mr_clock_is_boot_id(rest->next, MR_CLOCK_BOOT_ID))
		return false;
	memcpy(boot_id, rest->next, MR_CLOCK_BOOT_ID);
	boot_id[MR_CLOCK_BOOT_ID] = '\0';
	rest->next += MR_CLOCK_BOOT_ID;
	return true;
}

int mr_clock_mark_parse(const char *text, size_t length,
	struct mr_clock_mark *mark, struct mr_error *error)
{
	struct rest rest = { text, text + length };
	struct mr_clock_mark read;

	if (take(&rest, "1 ") && take_seconds(&rest, &read.wall) &&
		take(&rest, " ") && take_seconds(&rest, &read.boottime) &&
		take(&rest, " ") && take_boot_id(&rest, read.boot_id) &&
		take(&rest, "\n") && rest.next == rest.end) {
		*mark = read;
		return 0;
	}
	/* What it says instead is of no use to anybody, and may be anything. */
	return mr_error_set(error,
		"the file of the clock's mark does not hold a mark; " ADVICE);
}

char *mr_clock_mark_format(
	struct mr_arena *arena, const struct mr_clock_mark *mark)
{
	assert(mark->wall >= 0 && mark->wall <= MR_CLOCK_LAST);
	assert(mark->boottime >= 0 && mark->boottime <= MR_CLOCK_LAST);
	return mr_arena_printf(arena, "1 %" PRId64 " %" PRId64 " %s\n",
		mark->wall, mark->boottime, mark->boot_id);
}

/* --- durations ---------------------------------------------------------- */

enum { SPAN = 48 };

static void print_span(char *text, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *one, *many;
	} units[] = { { 86400, "day", "days" }, { 3600, "h", "h" },
		{ 60, "min", "min" }, { 1, "s", "s" } };
	uint64_t left = seconds < 0 ? -(uint64_t)seconds : (uint64_t)seconds;
	size_t i = 0, used;
	uint64_t count;

	while (i < 3 && left < (uint64_t)units[i].seconds)
		i++;
	count = left / (uint64_t)units[i].seconds;
	used = (size_t)snprintf(text, SPAN, "%" PRIu64 " %s", count,
		count == 1 ? units[i].one : units[i].many);
	left %= (uint64_t)units[i].seconds;
	if (i == 3)
		return;
	count = left / (uint64_t)units[i + 1].seconds;
	if (count > 0)
		snprintf(text + used, SPAN - used, " %" PRIu64 " %s", count,
			units[i + 1].many);
}

char *mr_clock_span_format(struct mr_arena *arena, int64_t seconds)
{
	char text[SPAN];

	print_span(text, seconds);
	return mr_arena_strdup(arena, text);
}

/* --- the rules ---------------------------------------------------------- */

int mr_clock_mark_may_advance(const struct mr_clock_mark *mark,
	const struct mr_clock_mark *now, bool synchronised,
	struct mr_error *error)
{
	int64_t counted, unexplained;
	char span[SPAN];

	if (mark == NULL || synchronised)
		return 0;
	/* However small the step looks: how long a restart took nobody has
	 * counted, and whether the step is small depends on when in its hour
	 * the timer ran last.  Nothing is lost at first, as the clock is near
	 * the mark for two more days, in which NTP or root can speak. */
	if (strcmp(mark->boot_id, now->boot_id) != 0)
		return mr_error_set(error,
			"the host was restarted after the mark was made, and "
			"NTP does not keep its clock (yet); " ADVICE);
	counted = now->boottime - mark->boottime;
	if (counted < 0)
		return mr_error_set(error,
			"CLOCK_BOOTTIME is before that of the mark, as if an "
			"older state of the host had come back; " ADVICE);
	unexplained = now->wall - mark->wall - counted;
	if (unexplained >= -MR_CLOCK_TOLERANCE &&
		unexplained <= MR_CLOCK_TOLERANCE)
		return 0;
	print_span(span, unexplained);
	return mr_error_set(error,
		"the clock was moved %s by %s since the mark was made, and "
		"NTP does not keep it; " ADVICE,
		unexplained < 0 ? "back" : "forwards", span);
}

bool mr_clock_mark_is_near(const struct mr_clock_mark *mark, int64_t now)
{
	return now >= mark->wall - MR_CLOCK_NEAR &&
	       now <= mark->wall + MR_CLOCK_NEAR;
}
