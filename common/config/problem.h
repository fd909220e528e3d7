/*
 * problem - the mistakes and warnings of one run, each with its place
 *
 * All of a run are collected, then printed:
 *
 *   /etc/mailreeve/mailreeve.conf:12:2: error: unknown setting "sise"
 *     12 |         sise = 25M
 *        |         ^^^^ did you mean "size"?
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_PROBLEM_H
#define MR_CONFIG_PROBLEM_H

#include "common/config/place.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

enum mr_severity { MR_WARNING, MR_MISTAKE };

/* More than this are counted, not kept. */
enum { MR_PROBLEMS_KEPT = 1000 };

/* Longer lines are cut around the caret. */
enum { MR_PROBLEM_LINE = 160 };

struct mr_problem {
	enum mr_severity severity;
	struct mr_place at;
	const char *message; /* one clause */
	const char *line;    /* the text of that line, printable, or NULL; set
	                        to NULL what must not be seen */
	unsigned caret;      /* octets of `line` in front of the caret */
	unsigned marked;     /* octets under the caret, 0 = 1 */
	const char *hint;    /* printed behind the caret, or NULL */
	struct mr_problem *next;
};

struct mr_source;

struct mr_problems {
	struct mr_arena *arena; /* owns all texts */
	struct mr_problem *first, **last;
	size_t mistakes, warnings; /* also those not kept */
	struct mr_source *sources; /* the files that were read */
	struct mr_problem spare;   /* stands for those not kept */
};

/* `arena` may be one that lives for this run only: a config keeps nothing of
 * it. */
void mr_problems_init(struct mr_problems *problems, struct mr_arena *arena);

/* Makes the lines of `file` known, so that each problem shows its own; both
 * live as long as the problems.  Returns the file's name for places. */
const char *mr_problems_source(struct mr_problems *problems, const char *file,
	const char *text, size_t length);

/* Adds one with its line, if it was not said already; never NULL.  The message
 * may hold outside text: it is made harmless here. */
struct mr_problem *mr_problem_add(struct mr_problems *problems,
	enum mr_severity severity, struct mr_place at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Fills in how much is marked, and a hint such as `did you mean "size"?`. */
void mr_problem_mark(struct mr_problem *problem, size_t marked);
void mr_problem_hint(struct mr_problems *problems, struct mr_problem *problem,
	size_t marked, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* All of them, in the order of their places, and a closing line with the
 * count when there was more than one. */
void mr_problems_print(const struct mr_problems *problems, FILE *out);

#endif
