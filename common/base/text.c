/* text - see text.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/text.h"
#include "common/base/arena.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>
#include <strings.h>

/* Names in our language are short; longer ones are not worth a suggestion. */
enum { LONGEST_SUGGESTED = 40 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* In the thread's locale. */
static void lower_letters(const char *text, char *out)
{
	size_t left = strlen(text), length;
	mbstate_t in = { 0 }, made = { 0 };
	wchar_t letter;

	while (left > 0) {
		length = mbrtowc(&letter, text, left, &in);
		if (length > left) { /* no UTF-8 */
			in = (mbstate_t){ 0 };
			length = 1;
			*out++ = lower(*text);
		} else {
			out += wcrtomb(
				out, (wchar_t)towlower((wint_t)letter), &made);
		}
		text += length;
		left -= length;
	}
	*out = '\0';
}

char *mr_text_lower(struct mr_arena *arena, const char *text)
{
	locale_t utf8 = (locale_t)0, before;
	char *copy;

	if (!is_ascii(text))
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (utf8 != (locale_t)0) {
		/* A letter of two octets may become one of three. */
		copy = mr_arena_alloc(arena, 2 * strlen(text) + 1);
		before = uselocale(utf8);
		lower_letters(text, copy);
		uselocale(before);
		freelocale(utf8);
		return copy;
	}
	copy = mr_arena_strdup(arena, text);
	for (char *p = copy; *p != '\0'; p++)
		*p = lower(*p);
	return copy;
}

char *mr_text_printable(
	struct mr_arena *arena, const char *text, size_t longest)
{
	size_t length = text == NULL ? 0 : strnlen(text, longest + 1);
	bool cut = length > longest;
	char *copy;

	if (cut)
		length = longest;
	copy = mr_arena_strndup(arena, length > 0 ? text : "", length);
	for (size_t i = 0; i < length; i++)
		if (copy[i] < ' ' || copy[i] > '~')
			copy[i] = '?';
	if (cut && length >= 3)
		memcpy(copy + length - 3, "...", 3);
	return copy;
}

/* Octets of the UTF-8 character at `text`, 0 if it is none that may be shown:
 * RFC 3629 section 4 without U+0080 to U+009F, which steer terminals. */
static size_t measure_utf8(const unsigned char *text, size_t length)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t octets;
	} forms[] = {
		{ 0xc2, 0xc2, 0xa0, 0xbf, 2 },
		{ 0xc3, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (text[0] < forms[i].first || text[0] > forms[i].last)
			continue;
		if (length < forms[i].octets || text[1] < forms[i].low ||
			text[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].octets; k++)
			if ((text[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].octets;
	}
	return 0;
}

void mr_text_clean(char *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t octets = 1;

		if (text[i] < ' ' || text[i] > '~') {
			octets = measure_utf8(
				(const unsigned char *)text + i, length - i);
			if (octets == 0) {
				text[i] = '?';
				octets = 1;
			}
		}
		i += octets;
	}
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance, one row at a time. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[LONGEST_SUGGESTED + 1];
	size_t m = strlen(a), n = strlen(b);

	if (m > LONGEST_SUGGESTED || n > LONGEST_SUGGESTED)
		return LONGEST_SUGGESTED;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= m; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned change =
				diagonal + (lower(a[i - 1]) != lower(b[j - 1]));

			diagonal = row[j];
			row[j] = least(change, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

const char *mr_text_nearest(const char *text, const char *const *words)
{
	unsigned best = (unsigned)strlen(text) / 3 + 2;
	const char *nearest = NULL;

	for (; *words != NULL; words++) {
		unsigned d = distance(text, *words);

		if (d < best && d < strlen(*words)) {
			best = d;
			nearest = *words;
		}
	}
	return nearest;
}

bool mr_text_is_name(const char *text, size_t length)
{
	if (length == 0 || text[0] < 'a' || text[0] > 'z')
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			    c == '_'))
			return false;
	}
	return true;
}

static bool is_same_octet(char a, char b, bool exact)
{
	return exact ? a == b : lower(a) == lower(b);
}

static bool match_glob(const char *pattern, const char *text, bool exact)
{
	const char *star = NULL, *resume = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (is_same_octet(*pattern, *text, exact)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool mr_text_glob(const char *pattern, const char *text)
{
	return match_glob(pattern, text, false);
}

bool mr_text_glob_exact(const char *pattern, const char *text)
{
	return match_glob(pattern, text, true);
}
