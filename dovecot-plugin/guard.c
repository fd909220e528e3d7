/* guard - see guard.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/guard.h"
#include "dovecot-plugin/state.h"
#include "common/base/arena.h"
#include "common/config/source.h"
#include "common/mailbox/clock.h"
#include "str.h"

#define CLOCK MAILREEVE_STATEDIR "/clock"

enum { CLOCK_LARGEST = 4096 };

int mr_guard_clock(int64_t now, struct mr_error *error)
{
	struct mr_arena *arena = mr_arena_new(256);
	struct mr_source_file file;
	struct mr_clock_mark mark;
	int result = -1;

	if (mr_source_read(arena, CLOCK, CLOCK_LARGEST, false, &file, error) <
	    0) {
		if (file.missing)
			mr_error_set(error, "there is no clock mark %s yet: "
				"enable mailreeve-clock.timer, or run "
				"mailreeve clock --advance as root", CLOCK);
	} else if (mr_clock_mark_parse(file.text, file.length, &mark, error) ==
		   0) {
		if (mr_clock_mark_is_near(&mark, now))
			result = 0;
		else
			mr_error_set(error, "the clock is more than 2 days "
				"from its mark: if it is right, run mailreeve "
				"clock --clock-ok as root, and see that "
				"mailreeve-clock.timer runs");
	}
	mr_arena_free(&arena);
	return result;
}

const char *mr_guard_reported(pool_t pool)
{
	struct mr_arena *arena = mr_arena_new(4096);
	size_t length;
	const char *text = p_strdup(
		pool, mr_state_read(arena, MR_STATE_REPORTED, &length));

	mr_arena_free(&arena);
	return text;
}

static bool has_line(const char *text, const char *line)
{
	size_t length = strlen(line);

	while (*text != '\0') {
		const char *end = strchrnul(text, '\n');

		if ((size_t)(end - text) == length &&
		    strncmp(text, line, length) == 0)
			return TRUE;
		text = *end == '\0' ? end : end + 1;
	}
	return FALSE;
}

int mr_guard_report(const char *const *lines, struct mr_error *error)
{
	pool_t pool = pool_alloconly_create("purge.reported", 4096);
	const char *before = mr_guard_reported(pool);
	string_t *text = str_new(pool, 4096);
	int result = 0;

	str_append(text, before);
	if (str_len(text) > 0 && str_c(text)[str_len(text) - 1] != '\n')
		str_append_c(text, '\n');
	for (; *lines != NULL; lines++)
		if (!has_line(before, *lines)) {
			str_append(text, *lines);
			str_append_c(text, '\n');
		}
	if (str_len(text) != strlen(before))
		result = mr_state_write(MR_STATE_REPORTED, str_c(text),
			str_len(text), error);
	pool_unref(&pool);
	return result;
}
