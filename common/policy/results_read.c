/* results_read - what such headers of others say; see results.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/text.h"
#include "common/policy/results.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* RFC 8601 section 2.2: a method, a result */
static const char word_octets[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
/* A result that is longer is none of a scanner's. */
enum { RESULT_LONGEST = 64 };

/* Comments and blanks, RFC 5322 section 3.2.2; NULL: a comment has no end. */
static const char *skip_cfws(const char *p)
{
	unsigned depth = 0;

	for (; *p != '\0'; p++) {
		if (*p == '(')
			depth++;
		else if (*p == ')' && depth > 0)
			depth--;
		else if (*p == '\\' && depth > 0 && p[1] != '\0')
			p++;
		else if (depth == 0 && strchr(" \t\r\n", *p) == NULL)
			break;
	}
	return depth == 0 ? p : NULL;
}

/* A token or quoted string: is it `name`?  *p_r is behind it.  Returns -1 if it
 * is neither of them. */
static int match_value(const char **p_r, const char *name)
{
	const char *p = *p_r;
	bool same = true, inside = *p == '"';
	size_t n = 0;

	for (p += inside; *p != '\0'; p++) {
		if (inside ? *p == '"' : strchr(" \t\r\n;()\"", *p) != NULL)
			break;
		if (inside && *p == '\\' && p[1] != '\0')
			p++;
		same = same && n < strlen(name) &&
		       tolower((unsigned char)*p) ==
		               tolower((unsigned char)name[n]);
		n++;
	}
	if (inside && *p++ != '"')
		return -1;
	*p_r = p;
	return n == 0 && !inside ? -1 : same && n == strlen(name);
}

bool mr_results_claims(const char *value, const char *authserv_id)
{
	const char *p = skip_cfws(value);
	int same;

	if (p == NULL || strncmp(p, "\"\"", 2) == 0)
		return true;
	same = match_value(&p, authserv_id);
	if (same < 0)
		return true;
	p = skip_cfws(p);
	if (p != NULL)
		p = skip_cfws(p + strspn(p, "0123456789"));
	return p == NULL || (*p != ';' && *p != '\0') || same == 1;
}

/* One `key=value`; *p_r is behind it.  Returns -1 if it is none, 0 if its key
 * is not `receiver`, else 1 or 2: another one, or ours. */
static int match_pair(const char **p_r, const char *receiver)
{
	const char *p = *p_r;
	size_t length = strspn(p, word_octets);
	bool is_receiver = length == strlen("receiver") &&
	                   strncasecmp(p, "receiver", length) == 0;
	int same;

	p = skip_cfws(p + length);
	if (length == 0 || p == NULL || *p != '=')
		return -1;
	p = skip_cfws(p + 1);
	if (p == NULL)
		return -1;
	same = match_value(&p, receiver);
	*p_r = p;
	if (same < 0 || !is_receiver)
		return same < 0 ? -1 : 0;
	return 1 + same;
}

bool mr_results_spf_claims(const char *value, const char *receiver)
{
	const char *p = skip_cfws(value);
	bool others = false;

	if (p == NULL || match_value(&p, "") < 0)
		return true;
	while ((p = skip_cfws(p)) != NULL && *p != '\0') {
		int pair = match_pair(&p, receiver);

		if (pair < 0 || pair == 2)
			return true;
		others |= pair == 1;
		p = skip_cfws(p);
		if (p == NULL || (*p != ';' && *p != '\0'))
			return true;
		p += *p == ';';
	}
	return p == NULL || !others;
}

/* --- results of RFC 8601 section 2.2 */

/* Behind "authserv-id [version]"; NULL: somebody else's, or not to be parsed.
 */
static const char *skip_own_id(const char *p, const char *authserv_id)
{
	p = skip_cfws(p);
	if (p == NULL || match_value(&p, authserv_id) != 1)
		return NULL;
	p = skip_cfws(p);
	return p == NULL ? NULL : skip_cfws(p + strspn(p, "0123456789"));
}

/* Behind what else is said of a result: the next semicolon, or the end. */
static const char *skip_properties(const char *p)
{
	for (; p != NULL && *p != ';' && *p != '\0'; p = skip_cfws(p)) {
		if (*p != '"')
			p++;
		else if (match_value(&p, "") < 0)
			return NULL;
	}
	return p;
}

/* method [/ version] = result; *p_r is behind it.  Returns -1 if it is none,
 * else whether it is the one that is looked for. */
static int match_result(
	const char **p_r, const char *method, const char *pattern)
{
	const char *p = *p_r, *name = p;
	size_t length = strspn(p, word_octets), result_length;
	char result[RESULT_LONGEST + 1];

	p = skip_cfws(p + length);
	if (p != NULL && *p == '/') {
		p = skip_cfws(p + 1);
		p = p == NULL ? NULL : skip_cfws(p + strspn(p, "0123456789"));
	}
	if (length == 0 || p == NULL || *p != '=')
		return -1;
	p = skip_cfws(p + 1);
	result_length = p == NULL ? 0 : strspn(p, word_octets);
	if (result_length == 0)
		return -1;
	*p_r = p + result_length;
	if (length != strlen(method) ||
		strncasecmp(name, method, length) != 0 ||
		result_length > RESULT_LONGEST)
		return 0;
	memcpy(result, p, result_length);
	result[result_length] = '\0';
	return mr_text_glob(pattern, result);
}

bool mr_results_say(const char *value, const char *authserv_id,
	const char *method, const char *pattern)
{
	const char *p = skip_own_id(value, authserv_id);
	bool says = false;

	while (p != NULL && *p == ';') {
		int result;

		p = skip_cfws(p + 1);
		if (p == NULL || *p == '\0')
			break;
		result = match_result(&p, method, pattern);
		if (result < 0)
			return false;
		says |= result == 1;
		p = skip_properties(skip_cfws(p));
	}
	return p != NULL && *p == '\0' && says;
}
