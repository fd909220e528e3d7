/* spf_macro - see spf_macro.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/spf_macro.h"
#include "common/base/arena.h"
#include "common/base/ip.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A domain has no more parts; more digits are the same as this. */
enum { MOST_KEPT = 128 };
/* 32 upper-case digits with a dot behind each, or a time */
enum { SHORT_VALUE = 80 };

struct expansion {
	struct mr_arena *arena;
	char *text;
	size_t length, size;
	bool too_long;
};

/* --- grammar ------------------------------------------------------------ */

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static char octet_at(struct mr_spf_slice string, size_t at)
{
	return at < string.length ? string.text[at] : '\0';
}

static void read_literal(struct mr_spf_slice string, enum mr_spf_place place,
	size_t *at, struct mr_spf_piece *piece)
{
	const char lowest = place == MR_SPF_IN_EXPLANATION ? ' ' : '!';
	size_t begin = *at;

	while (*at < string.length && string.text[*at] != '%') {
		if (string.text[*at] < lowest || string.text[*at] > '~')
			return;
		(*at)++;
	}
	piece->kind = MR_SPF_LITERAL;
	piece->literal.text = string.text + begin;
	piece->literal.length = *at - begin;
}

/* Behind "%{": a letter, transformers, delimiters and "}". */
static void read_macro(struct mr_spf_slice string, enum mr_spf_place place,
	size_t *at, struct mr_spf_piece *piece)
{
	char c = octet_at(string, *at);
	bool has_digits = false;

	piece->url = c >= 'A' && c <= 'Z';
	piece->letter = piece->url ? (char)(c - 'A' + 'a') : c;
	if (!is_one_of(piece->letter, place == MR_SPF_IN_EXPLANATION
					      ? "slodiphvcrt"
					      : "slodiphv"))
		return;
	for (c = octet_at(string, ++*at); c >= '0' && c <= '9';
		c = octet_at(string, ++*at)) {
		has_digits = true;
		piece->keep = piece->keep * 10 + (unsigned)(c - '0');
		if (piece->keep > MOST_KEPT)
			piece->keep = MOST_KEPT;
	}
	if (has_digits && piece->keep == 0)
		return;
	piece->reverse = is_one_of(c, "rR");
	*at += piece->reverse;
	piece->delimiters.text = string.text + *at;
	while (is_one_of(octet_at(string, *at), ".-+,/_="))
		++*at;
	piece->delimiters.length =
		(size_t)(string.text + *at - piece->delimiters.text);
	if (octet_at(string, (*at)++) == '}')
		piece->kind = MR_SPF_MACRO;
}

bool mr_spf_next_piece(struct mr_spf_slice string, enum mr_spf_place place,
	size_t *at, struct mr_spf_piece *piece)
{
	if (*at >= string.length)
		return false;
	*piece = (struct mr_spf_piece){ .kind = MR_SPF_WRONG };
	if (string.text[*at] != '%') {
		read_literal(string, place, at, piece);
	} else if (octet_at(string, *at + 1) == '{') {
		*at += 2;
		read_macro(string, place, at, piece);
	} else if (is_one_of(octet_at(string, *at + 1), "%_-")) {
		piece->kind = MR_SPF_MACRO;
		piece->letter = string.text[*at + 1];
		*at += 2;
	}
	if (piece->kind == MR_SPF_WRONG)
		*at = string.length;
	return true;
}

bool mr_spf_macro_uses(
	struct mr_spf_slice string, enum mr_spf_place place, char letter)
{
	struct mr_spf_piece piece;
	size_t at = 0;

	while (mr_spf_next_piece(string, place, &at, &piece))
		if (piece.kind == MR_SPF_MACRO && piece.letter == letter)
			return true;
	return false;
}

/* --- values ------------------------------------------------------------- */

/* Dotted quad, or 32 hexadecimal digits with dots between. */
static const char *dotted(const struct mr_ip *ip, char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = text;

	if (ip->family == AF_INET) {
		snprintf(text, SHORT_VALUE, "%u.%u.%u.%u", ip->octets[0],
			ip->octets[1], ip->octets[2], ip->octets[3]);
		return text;
	}
	for (size_t i = 0; i < 16; i++) {
		*out++ = digits[ip->octets[i] >> 4];
		*out++ = '.';
		*out++ = digits[ip->octets[i] & 15];
		*out++ = '.';
	}
	out[-1] = '\0';
	return text;
}

/* `scratch` has room for a SHORT_VALUE. */
static const char *value_of(char letter, const struct mr_spf_values *values,
	struct mr_arena *arena, char *scratch)
{
	const char *value = NULL;

	switch (letter) {
	case 's':
		return values->sender;
	case 'l':
		return values->local;
	case 'o':
		return values->sender_domain;
	case 'd':
		return values->domain;
	case 'h':
		return values->helo;
	case 'i':
		return dotted(values->ip, scratch);
	case 'v':
		return values->ip->family == AF_INET ? "in-addr" : "ip6";
	case 'c':
		return mr_ip_format(arena, values->ip);
	case 't':
		snprintf(scratch, SHORT_VALUE, "%jd", (intmax_t)values->now);
		return scratch;
	case 'p':
		value = values->client_name;
		break;
	case 'r':
		value = values->receiver;
		break;
	}
	return value == NULL ? "unknown" : value;
}

/* --- expansion ---------------------------------------------------------- */

static void add(struct expansion *out, const char *text, size_t length)
{
	char *larger;

	if (length > MR_SPF_EXPANSION - out->length)
		out->too_long = true;
	if (out->too_long)
		return;
	if (out->size - out->length <= length) {
		out->size = 2 * out->size + length + 1;
		larger = mr_arena_alloc(out->arena, out->size);
		memcpy(larger, out->text, out->length);
		out->text = larger;
	}
	memcpy(out->text + out->length, text, length);
	out->length += length;
	out->text[out->length] = '\0';
}

/* RFC 3986 section 2.1: everything but the unreserved ones, in upper case. */
static void add_octet(struct expansion *out, char c, bool url)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "abcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";
	char escape[4];

	if (!url || is_one_of(c, unreserved)) {
		add(out, &c, 1);
		return;
	}
	snprintf(escape, sizeof(escape), "%%%02X", (unsigned char)c);
	add(out, escape, 3);
}

static bool is_delimiter(const struct mr_spf_piece *piece, char c)
{
	if (piece->delimiters.length == 0)
		return c == '.';
	return memchr(piece->delimiters.text, c, piece->delimiters.length) !=
	       NULL;
}

/* The right-hand parts that are kept, with dots for delimiters. */
static void add_forward(struct expansion *out, const char *value,
	const struct mr_spf_piece *piece)
{
	size_t length = strlen(value), begin = length;
	unsigned parts = 1;

	while (begin > 0) {
		parts += is_delimiter(piece, value[begin - 1]);
		if (piece->keep > 0 && parts > piece->keep)
			break;
		begin--;
	}
	for (; begin < length && !out->too_long; begin++)
		add_octet(out,
			is_delimiter(piece, value[begin]) ? '.' : value[begin],
			piece->url);
}

/* Parts from last to first.  Those on the right are the first ones. */
static void add_reversed(struct expansion *out, const char *value,
	const struct mr_spf_piece *piece)
{
	size_t end = 0, begin;
	unsigned parts = 1;

	for (; value[end] != '\0'; end++) {
		parts += is_delimiter(piece, value[end]);
		if (piece->keep > 0 && parts > piece->keep)
			break;
	}
	while (!out->too_long) {
		for (begin = end; begin > 0; begin--)
			if (is_delimiter(piece, value[begin - 1]))
				break;
		for (size_t i = begin; i < end; i++)
			add_octet(out, value[i], piece->url);
		if (begin == 0)
			return;
		add(out, ".", 1);
		end = begin - 1;
	}
}

static void add_macro(struct expansion *out, const struct mr_spf_piece *piece,
	const struct mr_spf_values *values)
{
	char scratch[SHORT_VALUE];
	const char *value;

	switch (piece->letter) {
	case '%':
		add(out, "%", 1);
		return;
	case '_':
		add(out, " ", 1);
		return;
	case '-':
		add(out, "%20", 3);
		return;
	default:
		break;
	}
	value = value_of(piece->letter, values, out->arena, scratch);
	if (piece->reverse)
		add_reversed(out, value, piece);
	else
		add_forward(out, value, piece);
}

int mr_spf_expand(struct mr_arena *arena, struct mr_spf_slice string,
	enum mr_spf_place place, const struct mr_spf_values *values,
	const char **text_r, struct mr_error *error)
{
	struct expansion out = { .arena = arena, .text = NULL };
	struct mr_spf_piece piece;
	size_t at = 0;

	out.size = string.length + 1;
	out.text = mr_arena_alloc(arena, out.size);
	while (mr_spf_next_piece(string, place, &at, &piece)) {
		if (piece.kind == MR_SPF_WRONG)
			return mr_error_set(error, "a macro is wrong");
		if (piece.kind == MR_SPF_LITERAL)
			add(&out, piece.literal.text, piece.literal.length);
		else
			add_macro(&out, &piece, values);
		if (out.too_long)
			return mr_error_set(error,
				"it expands to more than %d octets",
				MR_SPF_EXPANSION);
	}
	*text_r = out.text;
	return 0;
}
