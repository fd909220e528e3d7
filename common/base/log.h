/*
 * log - one line per event, to syslog or standard error
 *
 * The line is made printable here and nowhere else: CR, LF, NUL and everything
 * that is not printable ASCII become `?`; bytes of UTF-8 are kept whole.
 * Safe to call from any thread.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_LOG_H
#define MR_BASE_LOG_H

#include <stdbool.h>

enum mr_log_level { MR_LOG_ERROR, MR_LOG_WARNING, MR_LOG_INFO, MR_LOG_DEBUG };

/* Opens the log of this process: syslog(3), facility mail, tag `program`, or
 * standard error when `to_stderr`.  Call once, before the first thread; lines
 * logged before it go to standard error. */
void mr_log_open(const char *program, bool to_stderr, bool debug);

/* A warning tells the operator what to do.  Lines longer than 4 KB are cut. */
void mr_log(enum mr_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
