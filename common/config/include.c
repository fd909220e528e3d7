/* include - the files of a policy: from the first one through its includes */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/config/scan.h"
#include "common/config/source.h"
#include "common/config/tree_reader.h"

#include <errno.h>
#include <glob.h>
#include <string.h>

/* Counted for each file, so that many empty ones end, too. */
enum { LEAST_COUNTED = 256 };

/* Is the file open already?  Then it names the way back to itself. */
static bool is_loop(struct mr_reader *r, const struct mr_source_file *source,
	const char *path, struct mr_place at)
{
	struct mr_open_file *f = r->file;
	const char *way = path;

	for (; f != NULL; f = f->includer) {
		way = mr_arena_printf(r->arena, "%s -> %s", f->name, way);
		if (f->device == source->device && f->inode == source->inode)
			break;
	}
	if (f == NULL)
		return false;
	mr_problem_add(r->problems, MR_MISTAKE, at, "an include loop: %s", way);
	return true;
}

static void read_file(
	struct mr_reader *r, const char *path, struct mr_place at, bool try)
{
	struct mr_open_file file = { .base = r->depth, .includer = r->file };
	struct mr_source_file source;
	const char *line = r->line;
	struct mr_error error;

	if (mr_source_read(r->problems->arena, path, MR_TREE_OCTETS - r->octets,
		    false, &source, &error) < 0) {
		if (!try || !source.missing)
			mr_problem_add(
				r->problems, MR_MISTAKE, at, "%s", error.text);
		return;
	}
	if (is_loop(r, &source, path, at))
		return;
	r->octets += source.length + LEAST_COUNTED;
	if (r->octets > MR_TREE_OCTETS)
		r->octets = MR_TREE_OCTETS;
	file.name = mr_problems_source(
		r->problems, path, source.text, source.length);
	file.device = source.device;
	file.inode = source.inode;
	r->file = &file;
	mr_reader_lines(r, source.text, source.length);
	r->file = file.includer;
	r->line = line;
}

/* `name` as the file that includes it sees it. */
static const char *resolve(struct mr_reader *r, const char *name)
{
	const char *slash = strrchr(r->file->name, '/');

	if (name[0] == '/' || slash == NULL)
		return name;
	return mr_arena_printf(r->arena, "%.*s/%s",
		(int)(slash - r->file->name), r->file->name, name);
}

/* Nothing there is one thing; not being allowed to look is another. */
static int stop_unless_missing(const char *path, int why)
{
	(void)path;
	return why != ENOENT && why != ENOTDIR;
}

static void read_matching(
	struct mr_reader *r, const char *pattern, struct mr_place at, bool try)
{
	glob_t found;

	switch (glob(pattern, 0, stop_unless_missing, &found)) {
	case 0:
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_file(r, found.gl_pathv[i], at, try);
		break;
	case GLOB_NOMATCH:
		/* a plain name says itself why it cannot be read */
		if (strpbrk(pattern, "*?[") == NULL)
			read_file(r, pattern, at, try);
		else if (!try)
			mr_problem_add(r->problems, MR_MISTAKE, at,
				"no file matches %s", pattern);
		break;
	default:
		mr_problem_add(r->problems, MR_MISTAKE, at,
			"cannot look for %s: %s", pattern, strerror(errno));
	}
	globfree(&found);
}

static bool may_include_here(struct mr_reader *r, struct mr_place at)
{
	unsigned depth = 0;

	if (!r->may_include) {
		mr_problem_add(r->problems, MR_MISTAKE, at,
			"nothing can be included here");
		return false;
	}
	for (struct mr_open_file *f = r->file; f->includer != NULL;
		f = f->includer)
		depth++;
	if (depth < MR_TREE_INCLUDES)
		return true;
	mr_problem_add(r->problems, MR_MISTAKE, at,
		"more than %d files that include each other", MR_TREE_INCLUDES);
	return false;
}

void mr_reader_include(
	struct mr_reader *r, struct mr_place at, const char *p, const char *end)
{
	const char *word = p, *name, *behind;
	char *directive, *pattern;
	bool try;

	while (p < end && !mr_scan_is_blank(*p))
		p++;
	directive = mr_arena_strndup(r->arena, word, (size_t)(p - word));
	try = strcmp(directive, "!include_try") == 0;
	if (!try && strcmp(directive, "!include") != 0) {
		struct mr_problem *problem =
			mr_problem_add(r->problems, MR_MISTAKE, at,
				"unknown directive \"%.60s\"", directive);

		mr_problem_hint(r->problems, problem, strlen(directive),
			"!include and !include_try are known");
		return;
	}
	name = mr_scan_blanks(p, end);
	behind = mr_scan_quoted(name, end);
	if (behind != NULL)
		pattern = mr_scan_unquote(r->arena, name, behind);
	else {
		for (behind = name; behind < end && !mr_scan_is_blank(*behind);)
			behind++;
		pattern = mr_arena_strndup(
			r->arena, name, (size_t)(behind - name));
	}
	p = mr_scan_blanks(behind, end);
	at.column += (unsigned)(name - word);
	if (pattern[0] == '\0' || (p < end && *p != '#'))
		mr_problem_add(r->problems, MR_MISTAKE, at,
			"%s takes one name; quotes keep blanks in it",
			directive);
	else if (may_include_here(r, at))
		read_matching(r, resolve(r, pattern), at, try);
}

struct mr_node *mr_tree_read_file(
	struct mr_arena *arena, const char *path, struct mr_problems *problems)
{
	struct mr_node *nodes = NULL;
	struct mr_reader r = { .arena = arena,
		.problems = problems,
		.may_include = true,
		.levels[0].last = &nodes };

	read_file(&r, path, (struct mr_place){ path, 0, 0 }, false);
	return nodes;
}

struct mr_node *mr_tree_read_text(struct mr_arena *arena, const char *name,
	const char *text, size_t length, struct mr_problems *problems)
{
	struct mr_node *nodes = NULL;
	struct mr_open_file file = { 0 };
	struct mr_reader r = { .arena = arena,
		.problems = problems,
		.file = &file,
		.levels[0].last = &nodes };

	text = mr_arena_strndup(
		problems->arena, length > 0 ? text : "", length);
	file.name = mr_problems_source(problems, name, text, length);
	mr_reader_lines(&r, text, length);
	return nodes;
}
