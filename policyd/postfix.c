/* postfix - see postfix.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/postfix.h"
#include "common/base/arena.h"
#include "common/base/text.h"

#include <string.h>

static const struct attribute {
	const char *name;
	size_t length, offset;
} attributes[] = {
#define A(name) { #name, sizeof(#name) - 1, offsetof(struct mr_request, name) },
	MR_ATTRIBUTES(A)
#undef A
};

enum { N_ATTRIBUTES = sizeof(attributes) / sizeof(attributes[0]) };

size_t mr_request_length(const char *text, size_t length)
{
	const char *end = text + length, *line = text;

	/* line by line: glibc's memmem(3) takes ten times as long */
	while (line < end && *line != '\n') {
		line = memchr(line, '\n', (size_t)(end - line));
		if (line == NULL)
			return 0;
		line++;
	}
	return line < end ? (size_t)(line - text) + 1 : 0;
}

static const char **member(
	struct mr_request *request, const struct attribute *attribute)
{
	return (const char **)((char *)request + attribute->offset);
}

/* They come in the order of the table, so the search begins where the last one
 * ended. */
static const struct attribute *find(
	const char *name, size_t length, size_t *next)
{
	for (size_t i = 0; i < N_ATTRIBUTES; i++) {
		size_t n = (*next + i) % N_ATTRIBUTES;

		if (attributes[n].length == length &&
			memcmp(attributes[n].name, name, length) == 0) {
			*next = n + 1;
			return &attributes[n];
		}
	}
	return NULL;
}

static int parse_line(char *line, size_t length, struct mr_request *request,
	size_t *next, struct mr_error *error)
{
	const char *equals = memchr(line, '=', length);
	const struct attribute *attribute;

	if (equals == NULL)
		return mr_error_set(error, "a line without =");
	attribute = find(line, (size_t)(equals - line), next);
	if (attribute == NULL)
		return 0;
	if (*member(request, attribute) != NULL)
		return mr_error_set(
			error, "%s is there twice", attribute->name);
	*member(request, attribute) = equals + 1;
	return 0;
}

int mr_request_parse(char *text, size_t length, struct mr_request *request,
	struct mr_error *error)
{
	char *end = text + length;
	size_t next = 0;

	*request = (struct mr_request){ NULL };
	if (memchr(text, '\0', length) != NULL)
		return mr_error_set(error, "a NUL in it");
	for (char *line = text, *stop; line < end; line = stop + 1) {
		stop = memchr(line, '\n', (size_t)(end - line));
		if (stop == NULL)
			return mr_error_set(error, "its end is missing");
		*stop = '\0';
		if (stop == line)
			break;
		if (parse_line(line, (size_t)(stop - line), request, &next,
			    error) < 0)
			return -1;
	}
	for (size_t i = 0; i < N_ATTRIBUTES; i++)
		if (*member(request, &attributes[i]) == NULL)
			*member(request, &attributes[i]) = "";
	if (strcmp(request->request, "smtpd_access_policy") != 0)
		return mr_error_set(
			error, "it is no request=smtpd_access_policy");
	return 0;
}

uint64_t mr_request_number(const char *value)
{
	uint64_t number = 0;

	for (; *value >= '0' && *value <= '9'; value++)
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(
				number, (uint64_t)(*value - '0'), &number))
			return UINT64_MAX;
	return *value == '\0' ? number : 0;
}

const char *mr_answer_write(struct mr_arena *arena, const char *action)
{
	return mr_arena_join(arena,
		"action=", mr_text_printable(arena, action, MR_ANSWER_LONGEST),
		"\n\n", NULL);
}
