/* dovecot - see dovecot.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/dovecot.h"
#include "cli/program.h"
#include "common/base/arena.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Dovecot's own nest four deep: protocol, namespace, mailbox, a list.  Files
 * that include themselves end at FILES_MOST. */
enum { DEEPEST = 12, FILES_MOST = 200, LINES_MOST = 100000 };

struct parser {
	struct mr_arena *arena;
	const struct mr_dovecot_section *in;
	struct mr_dovecot_section *open[DEEPEST + 1];
	int depth; /* above DEEPEST `in` stays where it is */
	const struct mr_dovecot_section **last_section;
	const struct mr_dovecot_setting **last_setting;
	const char *file; /* NULL: doveconf's output */
	int line;
	int files; /* read so far */
};

/* Without quotes, and inside of them without the backslashes. */
static const char *unquote(struct mr_arena *arena, const char *text)
{
	char *copy = mr_arena_strdup(arena, text), *to = copy;
	bool quoted = false;

	for (const char *from = text; *from != '\0'; from++) {
		if (*from == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && *from == '\\' && from[1] != '\0')
			from++;
		*to++ = *from;
	}
	*to = '\0';
	return copy;
}

static void add_section(
	struct parser *parser, const char *text, size_t kind, const char *name)
{
	struct mr_dovecot_section *section =
		MR_NEW(parser->arena, struct mr_dovecot_section);

	section->text = text;
	section->kind = mr_arena_strndup(parser->arena, text, kind);
	section->name = unquote(parser->arena, name);
	section->in = parser->in;
	section->file = parser->file;
	section->line = section->last_line = parser->line;
	*parser->last_section = section;
	parser->last_section = &section->next;
	parser->in = parser->open[parser->depth] = section;
}

static void add_setting(
	struct parser *parser, const char *line, size_t name, const char *value)
{
	struct mr_dovecot_setting *setting =
		MR_NEW(parser->arena, struct mr_dovecot_setting);

	setting->in = parser->in;
	setting->name = mr_arena_strndup(parser->arena, line, name);
	setting->text = value;
	setting->value = unquote(parser->arena, value);
	setting->file = parser->file;
	setting->line = parser->line;
	*parser->last_setting = setting;
	parser->last_setting = &setting->next;
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

static void close_section(struct parser *parser)
{
	if (parser->depth == 0)
		return;
	if (parser->depth-- > DEEPEST)
		return;
	parser->open[parser->depth + 1]->last_line = parser->line;
	parser->in = parser->open[parser->depth];
}

/* `line` is ours to change. */
static void read_line(struct parser *parser, char *line, size_t length)
{
	size_t word = strcspn(line, " \t=\"{");
	const char *rest = skip_blanks(line + word);

	if (*line == '#' || length == 0)
		return;
	if (strcmp(line, "}") == 0) {
		close_section(parser);
	} else if (word > 0 && *rest == '=' &&
		   (parser->file != NULL || rest[1] == ' ' ||
			   rest[1] == '\0')) {
		if (parser->depth <= DEEPEST)
			add_setting(parser, line, word, skip_blanks(rest + 1));
	} else if (word > 0 && line[length - 1] == '{') {
		for (length--; length > word && line[length - 1] == ' ';)
			length--;
		line[length] = '\0';
		if (++parser->depth <= DEEPEST)
			add_section(
				parser, line, word, skip_blanks(line + word));
	}
}

static void read_text(struct parser *parser, const char *text)
{
	while (*text != '\0') {
		size_t whole = strcspn(text, "\n"), length;
		const char *start = skip_blanks(text);
		char *line;

		length = start < text + whole ? (size_t)(text + whole - start)
		                              : 0;
		while (length > 0 && strchr(" \t\r", start[length - 1]) != NULL)
			length--;
		line = mr_arena_strndup(parser->arena, start, length);
		read_line(parser, line, length);
		text += whole + (text[whole] == '\n');
	}
}

/* --- files ---------------------------------------------------------------- */

/* A comment behind something, which doveconf does not show. */
static void cut_comment(char *line)
{
	char *comment = strstr(line, " #");

	if (comment != NULL && strchr(line, '"') == NULL)
		*comment = '\0';
}

static void read_file(struct parser *parser, const char *path);

/* "!include GLOB", from the directory of the file that says it. */
static void include(struct parser *parser, const char *line)
{
	const char *pattern = skip_blanks(line + strcspn(line, " \t"));
	const char *slash = strrchr(parser->file, '/');
	glob_t found;

	if (*pattern != '/' && slash != NULL)
		pattern = mr_arena_printf(parser->arena, "%.*s/%s",
			(int)(slash - parser->file), parser->file, pattern);
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_file(parser, found.gl_pathv[i]);
	globfree(&found);
}

static void read_file_line(struct parser *parser, const char *text)
{
	char *line = mr_arena_strdup(parser->arena, skip_blanks(text));
	size_t length;

	cut_comment(line);
	length = strlen(line);
	while (length > 0 && strchr(" \t\r\n", line[length - 1]) != NULL)
		line[--length] = '\0';
	if (strncmp(line, "!include", 8) == 0)
		include(parser, line);
	else
		read_line(parser, line, length);
}

static void read_file(struct parser *parser, const char *path)
{
	const char *outer = parser->file;
	int outer_line = parser->line;
	char *line = NULL;
	size_t room = 0;
	FILE *file;

	if (parser->files++ >= FILES_MOST)
		return;
	file = fopen(path, "re");
	if (file == NULL)
		return;
	parser->file = mr_arena_strdup(parser->arena, path);
	parser->line = 0;
	while (parser->line++ < LINES_MOST && getline(&line, &room, file) >= 0)
		read_file_line(parser, line);
	free(line);
	fclose(file);
	parser->file = outer;
	parser->line = outer_line;
}

struct mr_dovecot *mr_dovecot_read_files(
	struct mr_arena *arena, const char *path)
{
	struct mr_dovecot *files = MR_NEW(arena, struct mr_dovecot);
	struct parser parser = { .arena = arena,
		.last_section = &files->sections,
		.last_setting = &files->settings };

	add_section(&parser, "", 0, "");
	read_file(&parser, path);
	files->path = mr_arena_strdup(arena, path);
	return files;
}

static bool is_same(
	const struct mr_dovecot_section *a, const struct mr_dovecot_section *b)
{
	for (; a->in != NULL && b->in != NULL; a = a->in, b = b->in)
		if (strcmp(a->kind, b->kind) != 0 ||
			strcmp(a->name, b->name) != 0)
			return false;
	return a->in == NULL && b->in == NULL;
}

const struct mr_dovecot_setting *mr_dovecot_find_setting(
	const struct mr_dovecot *files,
	const struct mr_dovecot_setting *setting)
{
	const struct mr_dovecot_setting *s = files->settings, *found = NULL;

	for (; s != NULL; s = s->next)
		if (strcmp(s->name, setting->name) == 0 &&
			is_same(s->in, setting->in))
			found = s;
	return found;
}

const struct mr_dovecot_section *mr_dovecot_find_section(
	const struct mr_dovecot *files,
	const struct mr_dovecot_section *section)
{
	const struct mr_dovecot_section *s = files->sections, *found = NULL;

	for (; s != NULL; s = s->next)
		if (s->file != NULL && is_same(s, section))
			found = s;
	return found;
}

/* ------------------------------------------------------------------------ */

/* "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf" */
static const char *path_of(struct mr_arena *arena, const char *text)
{
	size_t line = strcspn(text, "\n");
	const char *first = mr_arena_strndup(arena, text, line);
	const char *colon = strstr(first, ": /");

	return *first != '#' || colon == NULL ? NULL : colon + 2;
}

int mr_dovecot_modules(struct mr_arena *arena, const char **directory_r,
	struct mr_error *error)
{
	static const char *const argv[] = { "doveconf", "-h", "mail_plugin_dir",
		NULL };
	const char *text;

	if (mr_program_output(argv, arena, &text, error) < 0)
		return -1;
	*directory_r = mr_arena_strndup(arena, text, strcspn(text, "\n"));
	return 0;
}

int mr_dovecot_ask(struct mr_arena *arena, struct mr_dovecot **dovecot_r,
	struct mr_error *error)
{
	static const char *const set[] = { "doveconf", "-n", NULL };
	struct mr_dovecot *dovecot = MR_NEW(arena, struct mr_dovecot);
	struct parser parser = { .arena = arena,
		.last_section = &dovecot->sections,
		.last_setting = &dovecot->settings };
	const char *text;

	if (mr_program_output(set, arena, &text, error) < 0)
		return -1;
	add_section(&parser, "", 0, "");
	read_text(&parser, text);
	dovecot->path = path_of(arena, text);
	*dovecot_r = dovecot;
	return 0;
}

const char *mr_dovecot_get(const struct mr_dovecot *dovecot,
	const struct mr_dovecot_section *in, const char *name)
{
	const struct mr_dovecot_setting *s = dovecot->settings;

	for (; s != NULL; s = s->next)
		if (s->in == in && strcmp(s->name, name) == 0)
			return s->value;
	return NULL;
}

const struct mr_dovecot_section *mr_dovecot_around(
	const struct mr_dovecot_section *section, const char *kind)
{
	while (section != NULL && strcmp(section->kind, kind) != 0)
		section = section->in;
	return section;
}

const char *mr_dovecot_show(
	struct mr_arena *arena, const struct mr_dovecot_setting *setting)
{
	const char *text =
		mr_arena_printf(arena, "%s = %s", setting->name, setting->text);
	const struct mr_dovecot_section *in = setting->in;

	for (; in->in != NULL; in = in->in)
		text = mr_arena_printf(arena, "%s { %s }", in->text, text);
	return text;
}

const char *mr_dovecot_next(struct mr_arena *arena, const char **list)
{
	const char *start = skip_blanks(*list);
	size_t length = strcspn(start, " \t");

	*list = start + length;
	return length == 0 ? NULL : mr_arena_strndup(arena, start, length);
}

bool mr_dovecot_has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (*(list = skip_blanks(list)) != '\0') {
		size_t length = strcspn(list, " \t");

		if (length == n && strncasecmp(list, word, n) == 0)
			return true;
		list += length;
	}
	return false;
}
