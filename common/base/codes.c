/* codes - see codes.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/codes.h"

#include <string.h>

/* One to three digits, at most 255; NULL: there is no such number. */
static const char *read_number(const char *text, unsigned char *number)
{
	unsigned value = 0, digits = 0;

	for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++)
		value = value * 10 + (unsigned)(*text - '0');
	if (digits == 0 || digits > 3 || value > 255)
		return NULL;
	*number = (unsigned char)value;
	return text;
}

static const char *read_part(
	const char *text, unsigned char *least, unsigned char *most)
{
	if (*text == '*') {
		*least = 0;
		*most = 255;
		return text + 1;
	}
	text = read_number(text, least);
	if (text == NULL)
		return NULL;
	*most = *least;
	if (strncmp(text, "..", 2) != 0)
		return text;
	text = read_number(text + 2, most);
	return text != NULL && *most >= *least ? text : NULL;
}

int mr_codes_parse(
	const char *text, struct mr_codes *codes, struct mr_error *error)
{
	const char *p = text;

	for (int i = 0; i < 4 && p != NULL; i++) {
		if (i > 0)
			p = *p == '.' ? p + 1 : NULL;
		if (p != NULL)
			p = read_part(
				p, &codes->part[i].least, &codes->part[i].most);
	}
	if (p == NULL || *p != '\0')
		return mr_error_set(error,
			"\"%.40s\" is not a code such as 127.0.0.2, "
			"127.0.0.2..11 or 127.0.*.1..3",
			text);
	if (codes->part[0].least != 127 || codes->part[0].most != 127)
		return mr_error_set(error,
			"\"%.40s\": the codes of a list begin with 127 (RFC "
			"5782)",
			text);
	if (codes->part[1].least == 255 && codes->part[2].least == 255)
		return mr_error_set(error,
			"\"%.40s\": 127.255.255.0/24 are refusals, never "
			"listings",
			text);
	return 0;
}

bool mr_code_is_one(const struct mr_ip *code)
{
	return code->family == AF_INET && code->octets[0] == 127;
}

bool mr_code_refuses(const struct mr_ip *code)
{
	return mr_code_is_one(code) && code->octets[1] == 255 &&
	       code->octets[2] == 255;
}

bool mr_codes_match(const struct mr_codes *codes, const struct mr_ip *code)
{
	if (!mr_code_is_one(code) || mr_code_refuses(code))
		return false;
	for (int i = 0; i < 4; i++)
		if (code->octets[i] < codes->part[i].least ||
			code->octets[i] > codes->part[i].most)
			return false;
	return true;
}
