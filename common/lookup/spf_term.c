/* spf_term - see spf_term.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/spf_term.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static const char VERSION[] = "v=spf1";

/* What may stand behind a mechanism's name. */
enum argument {
	NOTHING,
	DOMAIN,
	OPTIONAL_DOMAIN,
	OPTIONAL_DOMAIN_AND_BITS,
	ADDRESS_AND_BITS,
};

static const struct mechanism {
	const char *name;
	enum mr_spf_kind kind;
	enum argument argument;
} mechanisms[] = {
	{ "all", MR_SPF_ALL, NOTHING },
	{ "include", MR_SPF_INCLUDE, DOMAIN },
	{ "a", MR_SPF_A, OPTIONAL_DOMAIN_AND_BITS },
	{ "mx", MR_SPF_MX, OPTIONAL_DOMAIN_AND_BITS },
	{ "ptr", MR_SPF_PTR, OPTIONAL_DOMAIN },
	{ "ip4", MR_SPF_IP4, ADDRESS_AND_BITS },
	{ "ip6", MR_SPF_IP6, ADDRESS_AND_BITS },
	{ "exists", MR_SPF_EXISTS, DOMAIN },
};

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(struct mr_spf_slice slice, const char *word)
{
	return slice.length == strlen(word) &&
	       strncasecmp(slice.text, word, slice.length) == 0;
}

static void skip(struct mr_spf_slice *slice, size_t length)
{
	slice->text += length;
	slice->length -= length;
}

bool mr_spf_is_record(struct mr_spf_slice text)
{
	const size_t length = sizeof(VERSION) - 1;

	return text.length >= length &&
	       strncasecmp(text.text, VERSION, length) == 0 &&
	       (text.length == length || text.text[length] == ' ');
}

/* --- domain-spec -------------------------------------------------------- */

/* Letters, digits and hyphens inside, not all of them digits. */
static bool is_top_label(struct mr_spf_slice label)
{
	bool not_digits = false;

	if (label.length == 0 || label.text[0] == '-' ||
		label.text[label.length - 1] == '-')
		return false;
	for (size_t i = 0; i < label.length; i++) {
		char c = label.text[i];

		if (!is_alpha(c) && !is_digit(c) && c != '-')
			return false;
		not_digits = not_digits || !is_digit(c);
	}
	return not_digits;
}

static bool is_macro_string(struct mr_spf_slice string)
{
	struct mr_spf_piece piece;
	size_t at = 0;

	while (mr_spf_next_piece(string, MR_SPF_IN_TERM, &at, &piece))
		if (piece.kind == MR_SPF_WRONG)
			return false;
	return true;
}

/* A macro string that ends in a macro, or in a dot and a top label. */
static bool is_domain_spec(struct mr_spf_slice string)
{
	struct mr_spf_slice tail = { NULL, 0 }, label;
	struct mr_spf_piece piece;
	size_t at = 0, begin;

	if (string.length == 0)
		return false;
	while (mr_spf_next_piece(string, MR_SPF_IN_TERM, &at, &piece)) {
		if (piece.kind == MR_SPF_WRONG)
			return false;
		tail = piece.literal;
	}
	if (tail.length == 0)
		return true;
	if (tail.text[tail.length - 1] == '.')
		tail.length--;
	for (begin = tail.length; begin > 0; begin--)
		if (tail.text[begin - 1] == '.')
			break;
	if (begin == 0)
		return false;
	label = tail;
	skip(&label, begin);
	return is_top_label(label);
}

/* --- addresses and prefix lengths --------------------------------------- */

/* Cuts "/digits" off the end, if it is there; -1: no such length. */
static int cut_bits(struct mr_spf_slice *slice, unsigned most, unsigned *bits)
{
	size_t begin = slice->length, digits;
	unsigned number = 0;

	while (begin > 0 && is_digit(slice->text[begin - 1]))
		begin--;
	digits = slice->length - begin;
	if (digits == 0 || begin == 0 || slice->text[begin - 1] != '/')
		return 0;
	if (digits > 3 || (digits > 1 && slice->text[begin] == '0'))
		return -1;
	for (size_t i = begin; i < slice->length; i++)
		number = number * 10 + (unsigned)(slice->text[i] - '0');
	if (number > most)
		return -1;
	*bits = number;
	slice->length = begin - 1;
	return 0;
}

/* dual-cidr-length: /BITS4, //BITS6, /BITS4//BITS6 */
static int cut_both_bits(struct mr_spf_slice *slice, struct mr_spf_term *term)
{
	size_t end = slice->length;

	while (end > 0 && is_digit(slice->text[end - 1]))
		end--;
	if (end < slice->length && end >= 2 && slice->text[end - 1] == '/' &&
		slice->text[end - 2] == '/') {
		if (cut_bits(slice, 128, &term->bits6) < 0)
			return -1;
		slice->length--;
	}
	return cut_bits(slice, 32, &term->bits4);
}

static int read_address(struct mr_spf_slice slice, struct mr_spf_term *term)
{
	bool four = term->kind == MR_SPF_IP4;
	char text[INET6_ADDRSTRLEN];

	if (cut_bits(&slice, four ? 32 : 128,
		    four ? &term->bits4 : &term->bits6) < 0)
		return -1;
	if (slice.length >= sizeof(text) ||
		memchr(slice.text, '\0', slice.length) != NULL)
		return -1;
	memcpy(text, slice.text, slice.length);
	text[slice.length] = '\0';
	term->ip.family = four ? AF_INET : AF_INET6;
	return inet_pton(term->ip.family, text, term->ip.octets) == 1 ? 0 : -1;
}

/* --- terms -------------------------------------------------------------- */

static int read_argument(enum argument argument, struct mr_spf_slice rest,
	struct mr_spf_term *term)
{
	if (argument == OPTIONAL_DOMAIN_AND_BITS &&
		cut_both_bits(&rest, term) < 0)
		return -1;
	if (rest.length == 0)
		return argument == DOMAIN || argument == ADDRESS_AND_BITS ? -1
		                                                          : 0;
	if (argument == NOTHING || rest.text[0] != ':')
		return -1;
	skip(&rest, 1);
	if (argument == ADDRESS_AND_BITS)
		return read_address(rest, term);
	term->domain = rest;
	return is_domain_spec(rest) ? 0 : -1;
}

/* `rest` is what follows the name: nothing, ":..." or "/...". */
static int read_mechanism(struct mr_spf_slice name, struct mr_spf_slice rest,
	struct mr_spf_term *term)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (is_word(name, mechanisms[i].name)) {
			term->kind = mechanisms[i].kind;
			return read_argument(
				mechanisms[i].argument, rest, term);
		}
	return -1;
}

static int read_modifier(struct mr_spf_slice name, struct mr_spf_slice value,
	struct mr_spf_term *term)
{
	term->domain = value;
	term->kind = MR_SPF_OTHER;
	if (is_word(name, "redirect"))
		term->kind = MR_SPF_REDIRECT;
	else if (is_word(name, "exp"))
		term->kind = MR_SPF_EXP;
	else
		return is_macro_string(value) ? 0 : -1;
	return is_domain_spec(value) ? 0 : -1;
}

/* The qualifier, if there is one, is cut off the name. */
static bool read_qualifier(struct mr_spf_slice *name, enum mr_spf *result)
{
	switch (name->text[0]) {
	case '+':
		*result = MR_SPF_PASS;
		break;
	case '-':
		*result = MR_SPF_FAIL;
		break;
	case '~':
		*result = MR_SPF_SOFTFAIL;
		break;
	case '?':
		*result = MR_SPF_NEUTRAL;
		break;
	default:
		*result = MR_SPF_PASS;
		return false;
	}
	skip(name, 1);
	return true;
}

static bool may_be_in_name(char c)
{
	return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
}

static int read_term(struct mr_spf_slice text, struct mr_spf_term *term)
{
	struct mr_spf_slice name = text, rest;
	bool qualified = read_qualifier(&name, &term->qualifier);
	size_t length = 0;

	term->text = text;
	if (name.length == 0 || !is_alpha(name.text[0]))
		return -1;
	while (length < name.length && may_be_in_name(name.text[length]))
		length++;
	rest = name;
	skip(&rest, length);
	name.length = length;
	if (rest.length == 0 || rest.text[0] != '=')
		return read_mechanism(name, rest, term);
	if (qualified)
		return -1;
	skip(&rest, 1);
	return read_modifier(name, rest, term);
}

/* The next word; false: there is none. */
static bool next_word(
	struct mr_spf_slice record, size_t *at, struct mr_spf_slice *word)
{
	const char *end;

	if (*at == 0)
		*at = sizeof(VERSION) - 1;
	while (*at < record.length && record.text[*at] == ' ')
		(*at)++;
	if (*at >= record.length)
		return false;
	word->text = record.text + *at;
	word->length = record.length - *at;
	end = memchr(word->text, ' ', word->length);
	if (end != NULL)
		word->length = (size_t)(end - word->text);
	*at += word->length;
	return true;
}

static int read_word(struct mr_spf_slice word, struct mr_spf_term *term)
{
	*term = (struct mr_spf_term){ .bits4 = 32, .bits6 = 128 };
	return read_term(word, term);
}

bool mr_spf_next_term(
	struct mr_spf_slice record, size_t *at, struct mr_spf_term *term)
{
	struct mr_spf_slice word;

	return next_word(record, at, &word) && read_word(word, term) == 0;
}

int mr_spf_record_check(struct mr_spf_slice record, struct mr_error *error)
{
	unsigned redirects = 0, exps = 0;
	struct mr_spf_slice word;
	struct mr_spf_term term;
	size_t at = 0;

	while (next_word(record, &at, &word)) {
		if (read_word(word, &term) < 0)
			return mr_error_set(error, "\"%.*s\" is not a term",
				word.length > 80 ? 80 : (int)word.length,
				word.text);
		redirects += term.kind == MR_SPF_REDIRECT;
		exps += term.kind == MR_SPF_EXP;
	}
	if (redirects > 1 || exps > 1)
		return mr_error_set(error, "%s= is there twice",
			redirects > 1 ? "redirect" : "exp");
	return 0;
}
