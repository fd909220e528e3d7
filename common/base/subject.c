/* subject - see subject.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/subject.h"
#include "common/base/arena.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* RFC 5322 section 2.1.1, without CRLF */
enum { LINE_LONGEST = 78 };

static const char blanks[] = " \t\r\n";

/* --- encoded words, RFC 2047 section 2 */

struct encoded_word {
	bool base64;
	const char *text,
		*end; /* between the third and the last question mark */
};

/* Is there one at `p`?  Behind it is word->end + 2. */
static bool find_word(const char *p, struct encoded_word *word)
{
	static const char outside[] = "? \t\r\n";
	size_t charset, text;

	if (strncmp(p, "=?", 2) != 0)
		return false;
	p += 2;
	charset = strcspn(p, outside);
	if (charset == 0 || p[charset] != '?')
		return false;
	p += charset + 1;
	if (*p == '\0' || strchr("bBqQ", *p) == NULL || p[1] != '?')
		return false;
	word->base64 = *p == 'b' || *p == 'B';
	p += 2;
	text = strcspn(p, outside);
	word->text = p;
	word->end = p + text;
	return strncmp(word->end, "?=", 2) == 0;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *p = c == '\0' ? NULL : strchr(digits, c);

	return p == NULL ? -1 : (int)(p - digits) & 15;
}

static char *decode_q(const char *p, const char *end, char *to)
{
	for (; p < end; p++) {
		if (*p == '=' && end - p > 2 && hex(p[1]) >= 0 &&
			hex(p[2]) >= 0) {
			*to++ = (char)(hex(p[1]) << 4 | hex(p[2]));
			p += 2;
		} else {
			*to++ = *p == '_' ? ' ' : *p;
		}
	}
	return to;
}

static char *decode_b(const char *p, const char *end, char *to)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, have = 0;

	for (; p < end; p++) {
		const char *digit = strchr(digits, *p);

		if (*p == '=')
			have = 0;
		if (digit == NULL)
			continue;
		bits = (bits << 6 | (unsigned)(digit - digits)) & 0xfff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			*to++ = (char)(bits >> have & 0xff);
		}
	}
	return to;
}

/* NUL would end the text. */
static void hide_nul(char *from, const char *end)
{
	for (; from < end; from++)
		if (*from == '\0')
			*from = '?';
}

/* A line's end without a blank behind it: copy_lines puts one there. */
static bool is_broken_end(const char *p)
{
	return *p == '\n' && p[1] != ' ' && p[1] != '\t';
}

char *mr_subject_decode(struct mr_arena *arena, const char *value)
{
	/* nothing becomes longer */
	char *text = mr_arena_alloc(arena, strlen(value) + 1), *to = text;
	char *blank = NULL; /* what an encoded word may swallow in front */
	struct encoded_word word;
	const char *p = value;

	while (*p != '\0') {
		char *from = to;

		if (find_word(p, &word)) {
			from = to = blank == NULL ? to : blank;
			to = word.base64 ? decode_b(word.text, word.end, to)
			                 : decode_q(word.text, word.end, to);
			hide_nul(from, to);
			p = word.end + 2;
			blank = to;
		} else if (strchr(blanks, *p) != NULL) {
			if ((*p != '\r' && *p != '\n') || is_broken_end(p))
				*to++ = ' ';
			p++;
		} else {
			*to++ = *p++;
			blank = NULL;
		}
	}
	*to = '\0';
	return text;
}

/* --- tags */

static const struct mr_subject_tag *find_tag(
	const char *text, const struct mr_subject_tag *tags, size_t n_tags)
{
	const struct mr_subject_tag *longest = NULL;

	for (size_t i = 0; i < n_tags; i++) {
		size_t length = strlen(tags[i].text);

		if (strncasecmp(text, tags[i].text, length) == 0 &&
			(longest == NULL || length > strlen(longest->text)))
			longest = &tags[i];
	}
	return longest;
}

static bool has_tag(const char *text, const char *tag,
	const struct mr_subject_tag *tags, size_t n_tags)
{
	const struct mr_subject_tag *found;

	for (;; text += strlen(found->text)) {
		text += strspn(text, " ");
		found = find_tag(text, tags, n_tags);
		if (found == NULL)
			return false;
		if (strcasecmp(found->text, tag) == 0)
			return true;
	}
}

/* Equal tags of several scanners are one. */
static bool is_repeated(const struct mr_subject_tag *tags, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (tags[k].wanted &&
			strcasecmp(tags[k].text, tags[i].text) == 0)
			return true;
	return false;
}

/* Of what is missing: "[VIRUS] [SPAM]"; "" if nothing is. */
static char *missing_tags(struct mr_arena *arena, const char *value,
	const struct mr_subject_tag *tags, size_t n_tags)
{
	const char *text = mr_subject_decode(arena, value);
	char *missing = mr_arena_strdup(arena, "");

	for (size_t i = 0; i < n_tags; i++)
		if (tags[i].wanted && !is_repeated(tags, i) &&
			!has_tag(text, tags[i].text, tags, n_tags))
			missing = mr_arena_printf(arena, "%s%s%s", missing,
				*missing == '\0' ? "" : " ", tags[i].text);
	return missing;
}

/* CRLF becomes LF, and what follows a line's end is a blank. */
static void copy_lines(char *to, const char *p)
{
	for (; *p != '\0'; p++) {
		if (*p == '\r' && p[1] == '\n')
			continue;
		*to++ = *p;
		if (is_broken_end(p))
			*to++ = ' ';
	}
	*to = '\0';
}

char *mr_subject_tag(struct mr_arena *arena, const char *value,
	const struct mr_subject_tag *tags, size_t n_tags)
{
	const char *rest = value == NULL ? "" : value;
	char *missing = missing_tags(arena, rest, tags, n_tags), *result;
	size_t used = strlen("Subject: ") + strlen(missing) + strlen(" ");

	if (*missing == '\0')
		return NULL;
	rest += strspn(rest, blanks);
	if (*rest == '\0')
		return missing;
	result = mr_arena_alloc(
		arena, strlen(missing) + 2 + 2 * strlen(rest) + 1);
	copy_lines(result + sprintf(result, "%s%s", missing,
				    used + strcspn(rest, "\r\n") > LINE_LONGEST
					    ? "\n "
					    : " "),
		rest);
	return result;
}
