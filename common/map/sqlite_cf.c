/* sqlite_cf - see sqlite_cf.h.  The text of the file; what its templates
 * become for a key is in sqlite_expand.c. */
/* SPDX-License-Identifier: ISC */
#include "common/map/sqlite_cf.h"
#include "common/base/arena.h"
#include "common/base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char BLANKS[] = " \t\r\v\f";
static const char EXPANSIONS[] = "suSUdD123456789";

/* The settings that count; the others of sqlite_table(5) and of its sisters
 * are passed over, as Postfix does. */
struct settings {
	const char *dbpath, *query, *result_format, *domain, *expansion_limit;
	/* of before Postfix 2.2: together they are the query */
	const char *table, *select_field, *where_field, *additional_conditions;
};

static const struct {
	const char *name;
	size_t offset;
} names[] = {
#define NAME(name)                                     \
	{                                              \
#name, offsetof(struct settings, name) \
	}
	NAME(dbpath),
	NAME(query),
	NAME(result_format),
	NAME(domain),
	NAME(expansion_limit),
	NAME(table),
	NAME(select_field),
	NAME(where_field),
	NAME(additional_conditions),
#undef NAME
};

static char *trimmed(char *text)
{
	char *end = text + strlen(text);

	while (end > text && strchr(BLANKS, end[-1]) != NULL)
		end--;
	*end = '\0';
	return text + strspn(text, BLANKS);
}

static void set(struct settings *settings, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, name) == 0)
			memcpy((char *)settings + names[i].offset, &value,
				sizeof(value));
}

static int take_setting(
	struct settings *settings, char *line, struct mr_error *error)
{
	char *equals = strchr(line, '=');

	if (equals == NULL || equals == line)
		return mr_error_set(
			error, "expected name = value near \"%.40s\"", line);
	*equals = '\0';
	set(settings, trimmed(line), trimmed(equals + 1));
	return 0;
}

/* A line without its end; nothing but blanks, or a comment, is NULL. */
static char *take_line(char **at)
{
	char *line = *at;
	size_t length = strcspn(line, "\n");

	*at = line[length] == '\0' ? line + length : line + length + 1;
	line[length] = '\0';
	return strchr("#", line[strspn(line, BLANKS)]) != NULL ? NULL : line;
}

/* Lines that begin with a blank go on with the one before. */
static int take_settings(
	struct settings *settings, char *text, struct mr_error *error)
{
	char *whole = NULL, *line;

	while (*text != '\0') {
		line = take_line(&text);
		if (line == NULL)
			continue;
		if (strchr(BLANKS, *line) == NULL) {
			if (whole != NULL &&
				take_setting(settings, whole, error) < 0)
				return -1;
			whole = line;
		} else if (whole == NULL) {
			return mr_error_set(error,
				"begins with a line that goes on: \"%.40s\"",
				trimmed(line));
		} else {
			memmove(whole + strlen(whole), line, strlen(line) + 1);
		}
	}
	return whole == NULL ? 0 : take_setting(settings, whole, error);
}

static int old_query(struct mr_arena *arena, struct settings *settings,
	struct mr_error *error)
{
	if (settings->table == NULL || settings->select_field == NULL ||
		settings->where_field == NULL)
		return mr_error_set(error, "has no query");
	settings->query = mr_arena_printf(arena,
		"SELECT %s FROM %s WHERE %s = '%%s' %s", settings->select_field,
		settings->table, settings->where_field,
		settings->additional_conditions == NULL
			? ""
			: settings->additional_conditions);
	return 0;
}

/* Notes what a template needs; `is_query`: of the key, in small letters too. */
static int note_needs(struct mr_sqlite_cf *cf, const char *template,
	bool is_query, struct mr_error *error)
{
	for (const char *at = template; *at != '\0'; at++) {
		if (*at != '%' || *++at == '%')
			continue;
		if (*at == '\0' || strchr(EXPANSIONS, *at) == NULL)
			return mr_error_set(error,
				"%%%.1s in \"%.80s\" is none of Postfix's", at,
				template);
		if (*at == 'U' || (*at == 'u' && is_query))
			cf->key_user = true;
		else if (*at == 'u')
			cf->value_user = true;
		else if (*at == 'd' && !is_query)
			cf->value_domain = true;
		else if (*at != 's' && *at != 'S')
			cf->key_domain = true;
		if (*at >= '1' && *at <= '9' &&
			cf->key_labels < (unsigned)(*at - '0'))
			cf->key_labels = (unsigned)(*at - '0');
	}
	return 0;
}

static bool has_expansion(const char *template)
{
	for (; *template != '\0'; template ++)
		if (*template == '%' && *++template != '%')
			return true;
	return false;
}

/* A query while it is rewritten. */
struct rewriting {
	struct mr_arena *arena;
	struct mr_sqlite_cf *cf;
	const char *at;
	FILE *out;
	struct mr_error *error;
};

static int add_parameter(struct rewriting *r, const char *template)
{
	struct mr_sqlite_cf *cf = r->cf;

	if (cf->n_parameters == MR_SQLITE_PARAMETERS)
		return mr_error_set(
			r->error, "the query has too many %% expansions");
	if (note_needs(cf, template, true, r->error) < 0)
		return -1;
	cf->parameters[cf->n_parameters++] = template;
	/* blanks, so that it does not grow together with what is around it */
	fprintf(r->out, " ?%zu ", cf->n_parameters);
	return 0;
}

static void put(struct rewriting *r, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		fputc(text[i], r->out);
		if (text[i] == '%') /* %% is one */
			i++;
	}
}

/* 'text' or "text", in which a doubled quote is one. */
static int take_quoted(struct rewriting *r)
{
	char quote = *r->at;
	const char *begin = r->at++;
	char *template = mr_arena_alloc(r->arena, strlen(begin) + 1);
	char *out = template;

	for (;; r->at++) {
		if (*r->at == '\0')
			return mr_error_set(r->error,
				"the query has a %c that is not closed", quote);
		if (*r->at == quote && *++r->at != quote)
			break;
		*out++ = *r->at;
	}
	if (has_expansion(template))
		return add_parameter(r, template);
	put(r, begin, (size_t)(r->at - begin));
	return 0;
}

/* [name] or `name` */
static int take_name(struct rewriting *r)
{
	const char *begin = r->at;
	const char *end = strchr(begin + 1, *begin == '[' ? ']' : '`');
	char *name;

	if (end == NULL)
		return mr_error_set(r->error,
			"the query has a %c that is not closed", *begin);
	name = mr_arena_strndup(r->arena, begin, (size_t)(end + 1 - begin));
	if (has_expansion(name))
		return mr_error_set(r->error,
			"%.80s in the query: a key can be a value, never a "
			"name",
			name);
	put(r, name, strlen(name));
	r->at = end + 1;
	return 0;
}

static int take_expansion(struct rewriting *r)
{
	const char *template = mr_arena_strndup(r->arena, r->at, 2);

	r->at += strlen(template);
	if (strcmp(template, "%%") != 0)
		return add_parameter(r, template);
	fputc('%', r->out);
	return 0;
}

static int take_next(struct rewriting *r)
{
	switch (*r->at) {
	case '\'':
	case '"':
		return take_quoted(r);
	case '[':
	case '`':
		return take_name(r);
	case '%':
		return take_expansion(r);
	case '?':
	case ':':
	case '@':
	case '$':
		return mr_error_set(r->error,
			"the query has a parameter of its own at \"%.40s\"",
			r->at);
	default:
		break;
	}
	if (strncmp(r->at, "--", 2) == 0 || strncmp(r->at, "/*", 2) == 0)
		return mr_error_set(
			r->error, "the query has a comment: remove it");
	fputc(*r->at++, r->out);
	return 0;
}

static int rewrite(struct mr_arena *arena, struct mr_sqlite_cf *cf,
	const char *query, struct mr_error *error)
{
	struct rewriting r = {
		.arena = arena, .cf = cf, .at = query, .error = error
	};
	char *text = NULL;
	size_t length;
	int result = 0;

	r.out = open_memstream(&text, &length);
	if (r.out == NULL)
		return mr_error_set(error, "out of memory");
	while (result == 0 && *r.at != '\0')
		result = take_next(&r);
	fclose(r.out);
	cf->query = mr_arena_strdup(arena, text);
	free(text);
	return result;
}

static int check_domains(const char *domains, struct mr_error *error)
{
	if (strpbrk(domains, "!/:") != NULL)
		return mr_error_set(error,
			"domain = %.80s: names of domains only, no files, "
			"tables or exceptions",
			domains);
	return 0;
}

static int take_limit(const char *text, int64_t *limit, struct mr_error *error)
{
	struct mr_error why;

	if (text != NULL &&
		mr_number_parse(text, 0, 1000000000, limit, &why) < 0)
		return mr_error_set(error, "expansion_limit: %s", why.text);
	return 0;
}

int mr_sqlite_cf_parse(struct mr_arena *arena, const char *text, size_t length,
	struct mr_sqlite_cf *cf, struct mr_error *error)
{
	struct settings settings = { 0 };

	*cf = (struct mr_sqlite_cf){ 0 };
	if (memchr(text, '\0', length) != NULL)
		return mr_error_set(error, "has a NUL");
	if (take_settings(&settings, mr_arena_strndup(arena, text, length),
		    error) < 0)
		return -1;
	if (settings.dbpath == NULL || settings.dbpath[0] != '/')
		return mr_error_set(error,
			"dbpath must be the absolute path of the database");
	if (settings.query == NULL || settings.query[0] == '\0')
		if (old_query(arena, &settings, error) < 0)
			return -1;
	cf->dbpath = settings.dbpath;
	cf->domains = settings.domain == NULL ? "" : settings.domain;
	cf->result_format = settings.result_format == NULL ||
	                                    settings.result_format[0] == '\0'
	                            ? "%s"
	                            : settings.result_format;
	if (check_domains(cf->domains, error) < 0 ||
		take_limit(settings.expansion_limit, &cf->limit, error) < 0 ||
		note_needs(cf, cf->result_format, false, error) < 0)
		return -1;
	return rewrite(arena, cf, settings.query, error);
}
