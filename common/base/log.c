/* log - see log.h.  The one mutable global of the suite: where lines go is
 * decided once, before the first thread. */
/* SPDX-License-Identifier: ISC */
#include "common/base/log.h"
#include "common/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

enum { LONGEST_LINE = 4096 };

static struct {
	const char *program;
	bool to_syslog, debug;
} state;

static const struct {
	int priority;
	const char *word; /* in front of a line on standard error */
} levels[] = {
	[MR_LOG_ERROR] = { LOG_ERR, "error: " },
	[MR_LOG_WARNING] = { LOG_WARNING, "warning: " },
	[MR_LOG_INFO] = { LOG_INFO, "" },
	[MR_LOG_DEBUG] = { LOG_DEBUG, "debug: " },
};

void mr_log_open(const char *program, bool to_stderr, bool debug)
{
	state.program = program;
	state.to_syslog = !to_stderr;
	state.debug = debug;
	if (state.to_syslog)
		openlog(program, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

/* One write, so that lines of several threads do not mix. */
static void write_line(enum mr_log_level level, const char *text)
{
	const char *program =
		state.program == NULL ? "mailreeve" : state.program;
	char line[LONGEST_LINE + 256];
	int length = snprintf(line, sizeof(line), "%.100s: %s%s\n", program,
		levels[level].word, text);
	ssize_t written = write(STDERR_FILENO, line, (size_t)length);

	(void)written; /* nobody to tell */
}

void mr_log(enum mr_log_level level, const char *format, ...)
{
	char text[LONGEST_LINE];
	va_list ap;
	int length;

	if (level == MR_LOG_DEBUG && !state.debug)
		return;
	va_start(ap, format);
	length = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (length < 0)
		return;
	if ((size_t)length >= sizeof(text)) {
		length = sizeof(text) - 1;
		memcpy(text + length - 3, "...", 3);
	}
	mr_text_clean(text, (size_t)length);
	if (state.to_syslog)
		syslog(levels[level].priority, "%s", text);
	else
		write_line(level, text);
}
