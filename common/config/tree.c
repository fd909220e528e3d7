/* tree - see tree.h.  A line is read by itself; what is open is a short stack,
 * never the C stack, so that 10,000 braces are one mistake. */
/* SPDX-License-Identifier: ISC */
#include "common/config/tree_reader.h"
#include "common/base/arena.h"
#include "common/config/scan.h"

#include <string.h>

/* No more of outside text than this is repeated in a message. */
#define SHOWN "\"%.60s\""

static struct mr_place place_of(const struct mr_reader *r, const char *p)
{
	return (struct mr_place){ r->file->name, r->file->line,
		(unsigned)(p - r->line) + 1 };
}

static void complain(
	struct mr_reader *r, const char *p, const char *what, const char *hint)
{
	struct mr_problem *problem = mr_problem_add(
		r->problems, MR_MISTAKE, place_of(r, p), "%s", what);

	if (hint != NULL)
		mr_problem_hint(r->problems, problem, 1, "%s", hint);
}

static char *copy(struct mr_reader *r, const char *p, const char *end)
{
	return mr_arena_strndup(r->arena, p, (size_t)(end - p));
}

/* Is there nothing from `p` on but blanks and a comment? */
static bool is_rest_empty(const char *p, const char *end)
{
	const char *q = mr_scan_blanks(p, end);

	return q == end || (*q == '#' && q > p);
}

static struct mr_node *new_node(
	struct mr_reader *r, const char *p, const char *end)
{
	struct mr_node *node = MR_NEW(r->arena, struct mr_node);

	node->at = place_of(r, p);
	node->name = copy(r, p, end);
	return node;
}

static void add_node(struct mr_reader *r, struct mr_node *node)
{
	struct mr_level *level = &r->levels[r->depth];

	*level->last = node;
	level->last = &node->next;
}

/* NULL: a section that could not be read; what it holds is skipped. */
static void open_section(
	struct mr_reader *r, const char *p, struct mr_node *node)
{
	struct mr_level *level;

	if (r->too_deep > 0) {
		r->too_deep++;
		return;
	}
	if (r->depth == MR_TREE_NESTED) {
		mr_problem_add(r->problems, MR_MISTAKE, place_of(r, p),
			"more than %d sections inside each other",
			MR_TREE_NESTED);
		r->too_deep = 1;
		return;
	}
	if (node == NULL)
		node = new_node(r, p, p); /* belongs to no list */
	else
		add_node(r, node);
	level = &r->levels[++r->depth];
	level->section = node;
	level->last = &node->children;
}

static void close_section(struct mr_reader *r, const char *p, const char *end)
{
	if (!is_rest_empty(p + 1, end))
		complain(r, p, "\"}\" must stand alone on its line", NULL);
	if (r->too_deep > 0)
		r->too_deep--;
	else if (r->depth > r->file->base)
		r->depth--;
	else
		complain(r, p, "\"}\" closes nothing",
			r->file->base > 0
				? "a section is closed in the file that opens "
				  "it"
				: NULL);
}

/* Where the value that begins at `p` ends: behind it are blanks, a comment or
 * nothing. */
static const char *find_value_end(const char *p, const char *end)
{
	const char *last = p;
	bool word = true; /* does a word begin here? */

	while (p < end) {
		const char *behind = NULL;

		if (*p == '#' && mr_scan_is_blank(p[-1]))
			break;
		if (word && *p == '"')
			behind = mr_scan_quoted(p, end);
		else if (word)
			behind = mr_scan_group(p, end);
		word = mr_scan_is_blank(*p) || *p == ',';
		if (behind != NULL)
			p = last = behind;
		else if (!mr_scan_is_blank(*p++))
			last = p;
	}
	return last;
}

static void read_setting(struct mr_reader *r, const char *name,
	const char *name_end, const char *p, const char *end)
{
	const char *value = mr_scan_blanks(p, end);
	const char *value_end = find_value_end(value, end);
	struct mr_node *node;

	if (*value == '"' && value < end &&
		mr_scan_quoted(value, end) == NULL) {
		complain(r, value, "the closing quote is missing", NULL);
		return;
	}
	node = new_node(r, name, name_end);
	node->value_at = place_of(r, value);
	node->quoted =
		value < value_end && mr_scan_quoted(value, end) == value_end;
	node->value = node->quoted ? mr_scan_unquote(r->arena, value, value_end)
	                           : copy(r, value, value_end);
	add_node(r, node);
}

/* One title from `*p` on; moves *p behind it.  NULL: a mistake, told. */
static const char *read_title(
	struct mr_reader *r, const char **p, const char *end)
{
	const char *start = *p, *behind = mr_scan_quoted(start, end);

	if (*start == '"') {
		if (behind == NULL) {
			complain(
				r, start, "the closing quote is missing", NULL);
			return NULL;
		}
		*p = behind;
		return mr_scan_unquote(r->arena, start, behind);
	}
	for (behind = start; behind < end && !mr_scan_is_blank(*behind);)
		behind++;
	/* helo{ */
	if (behind[-1] == '{' && is_rest_empty(behind, end))
		behind--;
	*p = behind;
	return copy(r, start, behind);
}

/* `check helo { action = reject }`: says what is wrong, and opens a section
 * only if the next lines seem to belong to it. */
static void refuse_one_liner(
	struct mr_reader *r, const char *brace, const char *end)
{
	while (end > brace && mr_scan_is_blank(end[-1]))
		end--;
	complain(r, mr_scan_blanks(brace + 1, end), "text behind \"{\"",
		"each setting and each \"}\" stands on a line of its own");
	if (end[-1] != '}')
		open_section(r, brace, NULL);
}

/* The titles of a section while they are read. */
struct titles {
	const char **texts;
	unsigned *columns;
	size_t count, space;
};

static void add_title(struct mr_reader *r, struct titles *titles,
	const char *text, unsigned column)
{
	size_t count = titles->count;

	/* room for the NULL at the end, too */
	if (count + 2 > titles->space) {
		const char **texts = titles->texts;
		unsigned *columns = titles->columns;

		titles->space = 2 * titles->space + 2;
		titles->texts =
			MR_NEW_ARRAY(r->arena, const char *, titles->space);
		titles->columns =
			MR_NEW_ARRAY(r->arena, unsigned, titles->space);
		if (count > 0) {
			memcpy(titles->texts, texts, count * sizeof(*texts));
			memcpy(titles->columns, columns,
				count * sizeof(*columns));
		}
	}
	titles->columns[count] = column;
	titles->texts[titles->count++] = text;
}

static void read_section(struct mr_reader *r, const char *name,
	const char *name_end, const char *p, const char *end)
{
	struct mr_node *node = new_node(r, name, name_end);
	struct titles titles = { 0 };

	node->is_section = true;
	node->value_at = place_of(r, p);
	for (;; p = mr_scan_blanks(p, end)) {
		unsigned column = place_of(r, p).column;
		const char *title;

		if (p == end || *p == '#')
			break;
		if (*p == '{' && is_rest_empty(p + 1, end))
			break;
		if (*p == '{' && mr_scan_is_blank(p[1])) {
			refuse_one_liner(r, p, end);
			return;
		}
		title = read_title(r, &p, end);
		if (title == NULL) {
			open_section(r, name, NULL);
			return;
		}
		add_title(r, &titles, title, column);
	}
	if (p == end || *p != '{') {
		complain(r, name,
			"neither a setting (name = value) nor a section "
			"(name {)",
			NULL);
		return;
	}
	node->titles = titles.count > 0
	                       ? titles.texts
	                       : MR_NEW_ARRAY(r->arena, const char *, 1);
	node->columns = titles.columns;
	open_section(r, name, node);
}

/* A control octet other than a tab, or NULL. */
static const char *find_control(const char *p, const char *end)
{
	for (; p < end; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return p;
	return NULL;
}

static bool is_line_sound(struct mr_reader *r, const char *end)
{
	const char *control;

	if (end - r->line > MR_TREE_LINE) {
		mr_problem_add(r->problems, MR_MISTAKE, place_of(r, r->line),
			"a line of %zu octets; the most are %d",
			(size_t)(end - r->line), MR_TREE_LINE);
		return false;
	}
	control = find_control(r->line, end);
	if (control != NULL)
		mr_problem_add(r->problems, MR_MISTAKE, place_of(r, control),
			"control octet 0x%02x", (unsigned char)*control);
	return control == NULL;
}

static void read_line(struct mr_reader *r, const char *end)
{
	const char *p, *word;

	if (!is_line_sound(r, end))
		return;
	p = word = mr_scan_blanks(r->line, end);
	if (p == end || *p == '#')
		return;
	if (*p == '}') {
		close_section(r, p, end);
		return;
	}
	if (*p == '!') {
		if (r->too_deep == 0)
			mr_reader_include(r, place_of(r, p), p, end);
		return;
	}
	while (p < end && !mr_scan_is_blank(*p) && *p != '=' && *p != '{' &&
		*p != '"')
		p++;
	if (p == word) {
		complain(r, p, "a name is missing here",
			*p == '{' ? "\"{\" ends the line that names the "
				    "section"
				  : NULL);
		if (*p == '{')
			open_section(r, p, NULL);
		return;
	}
	if (*mr_scan_blanks(p, end) != '=')
		read_section(r, word, p, mr_scan_blanks(p, end), end);
	else if (r->too_deep == 0)
		read_setting(r, word, p, mr_scan_blanks(p, end) + 1, end);
}

/* Names the line that opened what the end of the file left open. */
static void close_all(struct mr_reader *r)
{
	r->too_deep = 0;
	for (; r->depth > r->file->base; r->depth--) {
		struct mr_node *section = r->levels[r->depth].section;
		struct mr_problem *problem;

		section->unclosed = true;
		/* without a name: one whose line is a mistake already */
		if (section->name[0] == '\0')
			continue;
		problem = mr_problem_add(r->problems, MR_MISTAKE, section->at,
			"section " SHOWN " is opened here and never closed",
			section->name);

		mr_problem_hint(r->problems, problem, strlen(section->name),
			"its \"}\" is missing");
	}
}

void mr_reader_lines(struct mr_reader *r, const char *text, size_t length)
{
	static const char mark[] = "\xef\xbb\xbf";
	const char *end = text + length, *nul = memchr(text, '\0', length);
	bool dos = false;

	/* the line of a NUL is found like any other, nothing is taken of it */
	for (r->file->line = 1; text < end; r->file->line++) {
		const char *next = memchr(text, '\n', (size_t)(end - text));
		const char *stop = next == NULL ? end : next;

		r->line = text;
		if (nul != NULL) {
			if (nul < stop) {
				complain(r, nul, "a NUL octet",
					"is this a "
					"text file?");
				return;
			}
			text = stop + 1;
			continue;
		}
		if (r->file->line == 1 && stop - text >= 3 &&
			memcmp(text, mark, 3) == 0)
			r->line += 3;
		if (stop > r->line && stop[-1] == '\r') {
			stop--;
			if (!dos)
				complain(r, stop, "the line ends in CR LF",
					"convert the file with dos2unix");
			dos = true;
		}
		read_line(r, stop);
		text = next == NULL ? end : next + 1;
	}
	close_all(r);
}
