/* alias_value - see alias_value.h; a small part of Postfix's tok822. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/alias_value.h"
#include "common/base/arena.h"

#include <string.h>

static const char SEPARATORS[] = ", \t\r\n;";

/* Behind the quoted string that begins at `text`. */
static const char *skip_quoted(const char *text)
{
	for (text++; *text != '\0' && *text != '"'; text++)
		if (*text == '\\' && text[1] != '\0')
			text++;
	return *text == '"' ? text + 1 : text;
}

static const char *skip_comment(const char *text)
{
	unsigned depth = 0;

	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] != '\0')
			text++;
		else if (*text == '(')
			depth++;
		else if (*text == ')' && --depth == 0)
			return text + 1;
	}
	return text;
}

static const char *skip_word(const char *text)
{
	while (*text != '\0' && strchr(SEPARATORS, *text) == NULL &&
		*text != '<' && *text != '(')
		text = *text == '"' ? skip_quoted(text) : text + 1;
	return text;
}

static const char *skip_to_closing(const char *text)
{
	while (*text != '\0' && *text != '>')
		text = *text == '"' ? skip_quoted(text) : text + 1;
	return text;
}

size_t mr_alias_value_split(struct mr_arena *arena, const char *value,
	const char *const **addresses_r)
{
	/* Each address takes a character and a separator. */
	const char **addresses =
		MR_NEW_ARRAY(arena, const char *, strlen(value) / 2 + 2);
	size_t n = 0, n_at_comma = 0;
	const char *end;

	*addresses_r = addresses;
	while (*value != '\0') {
		if (strchr(SEPARATORS, *value) != NULL) {
			if (*value == ',' || *value == ';')
				n_at_comma = n;
			value++;
		} else if (*value == '(') {
			value = skip_comment(value);
		} else if (*value == '<') {
			end = skip_to_closing(++value);
			n = n_at_comma;
			if (end > value)
				addresses[n++] = mr_arena_strndup(
					arena, value, (size_t)(end - value));
			n_at_comma = n;
			value = *end == '>' ? end + 1 : end;
		} else {
			end = skip_word(value);
			addresses[n++] = mr_arena_strndup(
				arena, value, (size_t)(end - value));
			value = end;
		}
	}
	return n;
}

const char *mr_alias_value_detail(
	struct mr_arena *arena, const char *address, const char *detail)
{
	const char *at = strrchr(address, '@');
	size_t local = at == NULL ? strlen(address) : (size_t)(at - address);
	char *text, *out;

	if (detail[0] == '\0')
		return address;
	/* Quotes around everything are right; parsing takes off needless ones.
	 */
	text = out =
		mr_arena_alloc(arena, strlen(address) + 2 * strlen(detail) + 3);
	*out++ = '"';
	if (local >= 2 && address[0] == '"' && address[local - 1] == '"') {
		address++;
		local -= 2;
	}
	memcpy(out, address, local);
	out += local;
	for (; *detail != '\0'; detail++) {
		if (*detail == '"' || *detail == '\\')
			*out++ = '\\';
		*out++ = *detail;
	}
	*out++ = '"';
	if (at != NULL)
		strcpy(out, at);
	return text;
}

const char *mr_alias_value_rewrite(struct mr_arena *arena, const char *address)
{
	const char *bang = strchr(address, '!');
	const char *percent = strrchr(address, '%');

	if (address[0] == '"' || strchr(address, '@') != NULL)
		return address;
	if (bang != NULL && bang > address && bang[1] != '\0')
		return mr_arena_printf(arena, "%s@%.*s", bang + 1,
			(int)(bang - address), address);
	if (percent != NULL && percent > address && percent[1] != '\0')
		return mr_arena_printf(arena, "%.*s@%s",
			(int)(percent - address), address, percent + 1);
	return address;
}
