/* problem - see problem.h.  A problem finds the text of its line itself, in the
 * sources that the reader made known: whoever knows a place can complain. */
/* SPDX-License-Identifier: ISC */
#include "common/config/problem.h"
#include "common/base/arena.h"
#include "common/base/text.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_MESSAGE = 400, LONGEST_HINT = 300, BEFORE_CARET = 60 };

struct mr_source {
	const char *file, *text;
	size_t length;
	/* where the last line asked for begins: problems come in order */
	unsigned line;
	size_t offset;
	struct mr_source *next;
};

char *mr_place_format(struct mr_arena *arena, const struct mr_place *place)
{
	if (place->file == NULL)
		return mr_arena_strdup(arena, "default");
	return mr_arena_printf(arena, "%s:%u", place->file, place->line);
}

void mr_problems_init(struct mr_problems *problems, struct mr_arena *arena)
{
	memset(problems, 0, sizeof(*problems));
	problems->arena = arena;
	problems->last = &problems->first;
}

static char *strdup_clean(struct mr_arena *arena, const char *text)
{
	char *copy = mr_arena_strdup(arena, text);

	mr_text_clean(copy, strlen(copy));
	return copy;
}

const char *mr_problems_source(struct mr_problems *problems, const char *file,
	const char *text, size_t length)
{
	struct mr_source *source = MR_NEW(problems->arena, struct mr_source);

	source->file = strdup_clean(problems->arena, file);
	source->text = text;
	source->length = length;
	source->line = 1;
	source->next = problems->sources;
	problems->sources = source;
	return source->file;
}

static struct mr_source *find_source(
	const struct mr_problems *problems, const char *file)
{
	struct mr_source *s;

	for (s = problems->sources; s != NULL && s->file != file;)
		s = s->next;
	if (s != NULL)
		return s;
	for (s = problems->sources; s != NULL && strcmp(s->file, file) != 0;)
		s = s->next;
	return s;
}

/* The text of a line and its length; NULL if there is no such line. */
static const char *find_line(
	struct mr_source *source, unsigned line, size_t *length)
{
	const char *text, *end;

	if (line < source->line) {
		source->line = 1;
		source->offset = 0;
	}
	for (; source->line < line; source->line++) {
		end = memchr(source->text + source->offset, '\n',
			source->length - source->offset);
		if (end == NULL)
			return NULL;
		source->offset = (size_t)(end - source->text) + 1;
	}
	text = source->text + source->offset;
	*length = source->length - source->offset;
	end = memchr(text, '\n', *length);
	if (end != NULL)
		*length = (size_t)(end - text);
	return text;
}

static void clean_but_tabs(char *text, size_t length)
{
	for (size_t i = 0, end; i < length; i = end + 1) {
		for (end = i; end < length && text[end] != '\t';)
			end++;
		mr_text_clean(text + i, end - i);
	}
}

/* The line, cut around the caret, with its tabs, everything else printable. */
static void show_line(struct mr_problems *problems, struct mr_problem *problem,
	const char *line, size_t length)
{
	size_t column = problem->at.column > 0 ? problem->at.column - 1 : 0;
	size_t start = 0, end = length;
	char *shown;

	if (column > length)
		column = length;
	if (length > MR_PROBLEM_LINE) {
		if (column > BEFORE_CARET)
			start = column - BEFORE_CARET;
		if (end - start > MR_PROBLEM_LINE)
			end = start + MR_PROBLEM_LINE;
	}
	while (start < column && start > 0 &&
		((unsigned char)line[start] & 0xc0) == 0x80)
		start++;
	shown = mr_arena_alloc(problems->arena, end - start + 7);
	if (start > 0)
		memcpy(shown, "...", 3);
	problem->line = shown;
	problem->caret = (unsigned)(column - start + (start > 0 ? 3 : 0));
	shown += start > 0 ? 3 : 0;
	memcpy(shown, line + start, end - start);
	clean_but_tabs(shown, end - start);
	if (end < length)
		memcpy(shown + (end - start), "...", 3);
}

__attribute__((format(printf, 3, 0))) static char *vprint_clean(
	struct mr_arena *arena, size_t longest, const char *format, va_list ap)
{
	char *text = mr_arena_vprintf(arena, format, ap);
	size_t length = strlen(text);

	if (length > longest) {
		length = longest;
		memcpy(text + length - 3, "...", 4);
	}
	mr_text_clean(text, length);
	return text;
}

/* What several instances of a section have in common is said once. */
static struct mr_problem *find_same(const struct mr_problems *problems,
	struct mr_place at, const char *message)
{
	struct mr_problem *p;

	for (p = problems->first; p != NULL; p = p->next)
		if (p->at.line == at.line && p->at.column == at.column &&
			p->at.file == at.file &&
			strcmp(p->message, message) == 0)
			break;
	return p;
}

/* The name of the file as this run's own; the place may be a config's. */
static const char *keep_file(struct mr_problems *problems, const char *file,
	struct mr_source **source)
{
	*source = file == NULL ? NULL : find_source(problems, file);
	if (*source != NULL)
		return (*source)->file;
	return file == NULL ? NULL : strdup_clean(problems->arena, file);
}

struct mr_problem *mr_problem_add(struct mr_problems *problems,
	enum mr_severity severity, struct mr_place at, const char *format, ...)
{
	size_t *count = severity == MR_MISTAKE ? &problems->mistakes
	                                       : &problems->warnings;
	struct mr_source *source;
	struct mr_problem *problem;
	const char *message, *line;
	size_t length;
	va_list ap;

	if (problems->mistakes + problems->warnings >= MR_PROBLEMS_KEPT) {
		(*count)++;
		return &problems->spare;
	}
	va_start(ap, format);
	message = vprint_clean(problems->arena, LONGEST_MESSAGE, format, ap);
	va_end(ap);
	at.file = keep_file(problems, at.file, &source);
	problem = find_same(problems, at, message);
	if (problem != NULL)
		return problem;
	(*count)++;
	problem = MR_NEW(problems->arena, struct mr_problem);
	problem->severity = severity;
	problem->at = at;
	problem->message = message;
	*problems->last = problem;
	problems->last = &problem->next;
	if (source != NULL && at.line > 0 &&
		(line = find_line(source, at.line, &length)) != NULL)
		show_line(problems, problem, line, length);
	return problem;
}

void mr_problem_mark(struct mr_problem *problem, size_t marked)
{
	problem->marked =
		marked > MR_PROBLEM_LINE ? MR_PROBLEM_LINE : (unsigned)marked;
}

void mr_problem_hint(struct mr_problems *problems, struct mr_problem *problem,
	size_t marked, const char *format, ...)
{
	va_list ap;

	if (problem == &problems->spare)
		return;
	mr_problem_mark(problem, marked);
	va_start(ap, format);
	problem->hint = vprint_clean(problems->arena, LONGEST_HINT, format, ap);
	va_end(ap);
}

struct sorted {
	const struct mr_problem *problem;
	size_t number; /* problems of one place stay in order */
};

static int compare_places(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	const struct mr_place *p = &x->problem->at, *q = &y->problem->at;
	int order = 0;

	if (p->file != q->file)
		order = p->file == NULL   ? 1
		        : q->file == NULL ? -1
		                          : strcmp(p->file, q->file);
	if (order != 0)
		return order;
	if (p->line != q->line)
		return p->line < q->line ? -1 : 1;
	if (p->column != q->column)
		return p->column < q->column ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static void print_caret(const struct mr_problem *problem, int gutter, FILE *out)
{
	size_t rest = strlen(problem->line + problem->caret);
	size_t marked = problem->marked > 0 ? problem->marked : 1;

	fprintf(out, "%*s | ", gutter, "");
	/* one blank per character, not per octet */
	for (size_t i = 0; i < problem->caret; i++)
		if (problem->line[i] == '\t')
			fputc('\t', out);
		else if (((unsigned char)problem->line[i] & 0xc0) != 0x80)
			fputc(' ', out);
	if (marked > rest)
		marked = rest > 0 ? rest : 1;
	for (size_t i = 0; i < marked; i++)
		if (((unsigned char)problem->line[problem->caret + i] & 0xc0) !=
			0x80)
			fputc('^', out);
	if (problem->hint != NULL)
		fprintf(out, " %s", problem->hint);
	fputc('\n', out);
}

static void print_problem(const struct mr_problem *problem, FILE *out)
{
	const struct mr_place *at = &problem->at;
	int gutter;

	if (at->file != NULL && at->line > 0)
		fprintf(out, "%s:%u:%u: ", at->file, at->line, at->column);
	else if (at->file != NULL)
		fprintf(out, "%s: ", at->file);
	fprintf(out, "%s: %s\n",
		problem->severity == MR_MISTAKE ? "error" : "warning",
		problem->message);
	if (problem->line != NULL) {
		/* with " | " the gutter is as wide as a tab, so that tabs of
		 * the line fall where they fall in the file */
		gutter = fprintf(out, "%5u", at->line);
		fprintf(out, " | %s\n", problem->line);
		print_caret(problem, gutter, out);
	} else if (problem->hint != NULL) {
		fprintf(out, "      (%s)\n", problem->hint);
	}
}

void mr_problems_print(const struct mr_problems *problems, FILE *out)
{
	size_t all = problems->mistakes + problems->warnings, kept = 0;
	struct sorted *sorted = mr_calloc(MR_PROBLEMS_KEPT, sizeof(*sorted));

	for (struct mr_problem *p = problems->first; p != NULL; p = p->next) {
		sorted[kept].problem = p;
		sorted[kept].number = kept;
		kept++;
	}
	qsort(sorted, kept, sizeof(*sorted), compare_places);
	for (size_t i = 0; i < kept; i++)
		print_problem(sorted[i].problem, out);
	free(sorted);
	if (all < 2)
		return;
	if (problems->mistakes > 0)
		fprintf(out, "%zu error%s%s", problems->mistakes,
			problems->mistakes == 1 ? "" : "s",
			problems->warnings > 0 ? ", " : "");
	if (problems->warnings > 0)
		fprintf(out, "%zu warning%s", problems->warnings,
			problems->warnings == 1 ? "" : "s");
	if (kept < all)
		fprintf(out, ", the first %zu shown", kept);
	fputc('\n', out);
}
