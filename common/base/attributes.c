/* attributes - see attributes.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/attributes.h"

#include <string.h>

static size_t find(
	const char *const *names, size_t n, const char *name, size_t length)
{
	size_t i = 0;

	while (i < n && (strlen(names[i]) != length ||
				memcmp(names[i], name, length) != 0))
		i++;
	return i;
}

int mr_attributes_split(char *text, size_t length, const char *const *names,
	size_t n, const char **values, struct mr_error *error)
{
	char *end = text + length;

	for (size_t i = 0; i < n; i++)
		values[i] = NULL;
	if (memchr(text, '\0', length) != NULL)
		return mr_error_set(error, "a NUL in it");
	for (char *line = text, *stop; line < end; line = stop + 1) {
		char *equals;
		size_t i;

		stop = memchr(line, '\n', (size_t)(end - line));
		if (stop == NULL)
			break;
		*stop = '\0';
		if (stop == line)
			return stop + 1 == end ? 0
			                       : mr_error_set(error,
							 "more behind its end");
		equals = memchr(line, '=', (size_t)(stop - line));
		if (equals == NULL)
			return mr_error_set(error, "a line without =");
		i = find(names, n, line, (size_t)(equals - line));
		if (i == n)
			continue;
		if (values[i] != NULL)
			return mr_error_set(
				error, "%s is there twice", names[i]);
		values[i] = equals + 1;
	}
	return mr_error_set(error, "its end is missing");
}

int mr_attributes_number(const char *name, const char *value, int64_t *number,
	struct mr_error *error)
{
	const char *p = value;

	*number = 0;
	if (value == NULL)
		return 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(*number, 10, number) ||
			__builtin_add_overflow(*number, *p - '0', number))
			return mr_error_set(error, "%s is too large", name);
	return p > value && *p == '\0'
	               ? 0
	               : mr_error_set(error, "%s is no number", name);
}
