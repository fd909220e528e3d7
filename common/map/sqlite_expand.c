/* sqlite_expand - what the templates of a sqlite_table(5) file become for a
 * key; see sqlite_cf.h, and db_common(3) of Postfix for the rules. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/map/sqlite_cf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char SEPARATORS[] = ", \t\r\n";

/* Behind the last @; NULL if there is nothing. */
static const char *domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at == NULL || at[1] == '\0' ? NULL : at + 1;
}

/* Label `n` of the domain, counted from its end; "" if there is none. */
static const char *label(struct mr_arena *arena, const char *domain, unsigned n)
{
	const char *end = domain + strlen(domain), *begin = end;

	for (unsigned i = 1;; i++) {
		while (begin > domain && begin[-1] != '.')
			begin--;
		if (i == n)
			return mr_arena_strndup(
				arena, begin, (size_t)(end - begin));
		if (begin == domain)
			return "";
		end = --begin;
	}
}

static bool has_labels(struct mr_arena *arena, const char *key, unsigned count)
{
	for (unsigned n = 1; n <= count; n++)
		if (*label(arena, domain_of(key), n) == '\0')
			return false;
	return true;
}

static bool is_listed(const char *domains, const char *domain)
{
	size_t length;

	if (domain == NULL)
		return false;
	for (;; domains += length) {
		domains += strspn(domains, SEPARATORS);
		length = strcspn(domains, SEPARATORS);
		if (length == 0)
			return false;
		if (length == strlen(domain) &&
			strncasecmp(domains, domain, length) == 0)
			return true;
	}
}

/* Octets of the UTF-8 character at `text`, 0 if it is none. */
static size_t measure_utf8(const unsigned char *text)
{
	size_t length = *text < 0xc2   ? 0
	                : *text < 0xe0 ? 2
	                : *text < 0xf0 ? 3
	                : *text < 0xf5 ? 4
	                               : 0;

	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((*text == 0xe0 && text[1] < 0xa0) ||
		(*text == 0xed && text[1] > 0x9f) ||
		(*text == 0xf0 && text[1] < 0x90) ||
		(*text == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

static bool is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at != '\0') {
		size_t length = *at < 0x80 ? 1 : measure_utf8(at);

		if (length == 0)
			return false;
		at += length;
	}
	return true;
}

bool mr_sqlite_cf_asks(
	const struct mr_sqlite_cf *cf, struct mr_arena *arena, const char *key)
{
	if (strspn(cf->domains, SEPARATORS) < strlen(cf->domains) &&
		!is_listed(cf->domains, domain_of(key)))
		return false;
	if (!is_utf8(key)) /* nor does Postfix ask */
		return false;
	if (cf->key_domain && domain_of(key) == NULL)
		return false;
	/* @domain has no user */
	if (cf->key_user && key[0] == '@' && strrchr(key, '@') == key)
		return false;
	return has_labels(arena, key, cf->key_labels);
}

static const char *user_of(struct mr_arena *arena, const char *address)
{
	const char *at = strrchr(address, '@');

	return at == NULL ? address
	                  : mr_arena_strndup(
				    arena, address, (size_t)(at - address));
}

static const char *expansion(
	struct mr_arena *arena, char letter, const char *value, const char *key)
{
	switch (letter) {
	case '%':
		return "%";
	case 's':
		return value;
	case 'S':
		return key;
	case 'u':
		return user_of(arena, value);
	case 'U':
		return user_of(arena, key);
	case 'd':
		return domain_of(value);
	case 'D':
		return domain_of(key);
	default:
		return label(arena, domain_of(key), (unsigned)(letter - '0'));
	}
}

static char *expand(struct mr_arena *arena, const char *template,
	const char *value, const char *key)
{
	char *text = NULL, *copy;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		abort(); /* no memory, as in arena.c */
	for (; *template != '\0'; template ++)
		if (*template == '%')
			fputs(expansion(arena, *++template, value, key), out);
		else
			fputc(*template, out);
	fclose(out);
	copy = mr_arena_strdup(arena, text);
	free(text);
	return copy;
}

char *mr_sqlite_cf_parameter(
	struct mr_arena *arena, const char *template, const char *key)
{
	return expand(arena, template, key, key);
}

char *mr_sqlite_cf_result(const struct mr_sqlite_cf *cf, struct mr_arena *arena,
	const char *value, const char *key)
{
	if (*value == '\0' || (cf->value_domain && domain_of(value) == NULL) ||
		(cf->value_user && value[0] == '@' &&
			strrchr(value, '@') == value))
		return NULL;
	return expand(arena, cf->result_format, value, key);
}
