/* address - see address.h.  Quoting and the splitting of details follow
 * Postfix (quote_822_local, split_addr), because its tables hold addresses in
 * that form. */
/* SPDX-License-Identifier: ISC */
#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/base/ip.h"
#include "common/base/text.h"

#include <string.h>
#include <strings.h>

/* RFC 1035 section 2.3.4 */
enum { LABEL_LONGEST = 63 };

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* May `local` stand without quotes? */
static bool is_dot_string(const char *local)
{
	if (local[0] == '\0' || local[0] == '.')
		return false;
	for (const char *p = local; *p != '\0'; p++) {
		if (*p == '.' && (p[1] == '.' || p[1] == '\0'))
			return false;
		if (is_control(*p) || strchr(" ()<>@,;:\\\"[]", *p) != NULL)
			return false;
	}
	return true;
}

static char *quote_local(struct mr_arena *arena, const char *local)
{
	char *quoted, *out;

	if (is_dot_string(local))
		return mr_arena_strdup(arena, local);
	quoted = out = mr_arena_alloc(arena, 2 * strlen(local) + 3);
	*out++ = '"';
	for (const char *p = local; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			*out++ = '\\';
		*out++ = *p;
	}
	*out = '"';
	return quoted;
}

/* The octets that `"..."` at `text` stands for; NULL if it is no quoted string
 * from end to end. */
static char *unquote_local(
	struct mr_arena *arena, const char *text, size_t length)
{
	char *local, *out;

	if (length < 2 || text[length - 1] != '"')
		return NULL;
	local = out = mr_arena_alloc(arena, length);
	for (size_t i = 1; i < length - 1; i++) {
		if (text[i] == '"')
			return NULL;
		if (text[i] == '\\' && ++i == length - 1)
			return NULL;
		*out++ = text[i];
	}
	return local;
}

static bool is_domain(const char *domain)
{
	size_t length = strlen(domain);

	if (domain[0] == '[' && domain[length - 1] == ']') {
		domain++;
		length -= 2;
	}
	/* the dot of a fully qualified name is gone by now */
	if (length == 0 || domain[length - 1] == '.')
		return false;
	for (size_t i = 0; i < length; i++)
		if (is_control(domain[i]) ||
			strchr(" ()<>@,;\\\"[]", domain[i]) != NULL)
			return false;
	return true;
}

/* Where the detail of an unquoted local part begins, NULL if it has none. */
static const char *find_delimiter(const char *local, const char *delimiters)
{
	size_t length = strlen(local), plain = strcspn(local, delimiters);

	if (plain == 0 || local[plain] == '\0')
		return NULL;
	if (strcmp(local, "mailer-daemon") == 0 ||
		strcmp(local, "double-bounce") == 0)
		return NULL;
	/* Postfix's owner_request_special, on by default */
	if (strchr(delimiters, '-') != NULL &&
		(strncmp(local, "owner-", 6) == 0 ||
			(length > 8 &&
				strcmp(local + length - 8, "-request") == 0)))
		return NULL;
	return local + plain;
}

static char *join(struct mr_arena *arena, const char *local, const char *domain)
{
	if (domain[0] == '\0')
		return mr_arena_strdup(arena, local);
	return mr_arena_join(arena, local, "@", domain, NULL);
}

static void fill(struct mr_arena *arena, char *local, const char *domain,
	const char *delimiters, struct mr_address *address)
{
	const char *delimiter = find_delimiter(local, delimiters);

	address->local = quote_local(arena, local);
	address->domain = domain;
	address->text = join(arena, address->local, domain);
	address->plain = address->text;
	if (delimiter == NULL)
		return;
	address->detail = mr_arena_strdup(arena, delimiter + 1);
	local[delimiter - local] = '\0';
	address->plain = join(arena, quote_local(arena, local), domain);
}

/* Without <> and without the source route of RFC 5321 appendix C; NULL if they
 * are not well formed. */
static char *strip_path(struct mr_arena *arena, const char *text)
{
	size_t length = strlen(text);
	char *colon, *path;

	if (text[0] == '<') {
		if (text[length - 1] != '>')
			return NULL;
		text++;
		length -= 2;
	}
	path = mr_text_lower(arena, mr_arena_strndup(arena, text, length));
	if (path[0] != '@')
		return path;
	colon = strchr(path, ':');
	return colon == NULL ? NULL : colon + 1;
}

int mr_address_parse(struct mr_arena *arena, const char *text,
	const char *delimiters, struct mr_address *address,
	struct mr_error *error)
{
	char *path, *at, *domain, *local;
	size_t length;

	memset(address, 0, sizeof(*address));
	if (strlen(text) > MR_ADDRESS_LONGEST)
		goto too_long;
	if (strcmp(text, "<>") == 0 || text[0] == '\0') {
		address->text = address->local = address->domain =
			address->plain = "";
		return 0;
	}
	path = strip_path(arena, text);
	if (path == NULL || path[0] == '\0')
		goto invalid;
	for (const char *p = path; *p != '\0'; p++)
		if (is_control(*p))
			goto invalid;
	at = strrchr(path, '@');
	/* "a@b" alone is a local part: the last @ is inside quotes */
	if (at != NULL && strchr(at, '"') != NULL)
		at = NULL;
	domain = at == NULL ? path + strlen(path) : at + 1;
	length = at == NULL ? strlen(path) : (size_t)(at - path);
	if (at != NULL && domain[0] != '\0' &&
		domain[strlen(domain) - 1] == '.')
		domain[strlen(domain) - 1] = '\0';
	if (length == 0 || (at != NULL && !is_domain(domain)))
		goto invalid;
	if (path[0] == '"')
		local = unquote_local(arena, path, length);
	else
		local = mr_arena_strndup(arena, path, length);
	if (local == NULL || (path[0] != '"' && strpbrk(local, " <>") != NULL))
		goto invalid;
	fill(arena, local, domain, delimiters, address);
	/* quotes, or a backslash before each octet, were added */
	if (strlen(address->text) > MR_ADDRESS_LONGEST)
		goto too_long;
	return 0;
too_long:
	return mr_error_set(error,
		"an address of more than %d octets is not valid",
		MR_ADDRESS_LONGEST);
invalid:
	return mr_error_set(error,
		"\"%.80s\" is not an address, such as "
		"user@example.net",
		text);
}

int mr_address_pattern_check(const char *pattern, struct mr_error *error)
{
	const char *at = strrchr(pattern, '@');
	const char *domain = at == NULL ? pattern : at + 1;

	if (strcmp(pattern, "<>") == 0)
		return 0;
	if (strlen(pattern) > MR_ADDRESS_LONGEST)
		return mr_error_set(error,
			"a pattern of more than %d octets matches no address",
			MR_ADDRESS_LONGEST);
	for (const char *p = pattern; *p != '\0'; p++)
		if (is_control(*p) || *p == '<' || *p == '>')
			goto invalid;
	if (strcmp(pattern, "@") == 0 || strpbrk(domain, " \"") != NULL ||
		(at == NULL && domain[0] == '\0') || strcmp(domain, ".") == 0 ||
		strstr(domain, "..") != NULL)
		goto invalid;
	return 0;
invalid:
	return mr_error_set(error,
		"\"%.80s\" is not an address pattern, such as "
		"user@example.net, @example.net, .example.net, user@ or <>",
		pattern);
}

static bool match_domain(const char *pattern, const char *domain)
{
	size_t p = strlen(pattern), d = strlen(domain);

	if (pattern[0] == '\0')
		return true;
	if (pattern[0] != '.')
		return mr_text_glob(pattern, domain);
	if (strchr(pattern, '*') != NULL) {
		/* .ex*.net: any text in front of it */
		for (; *domain != '\0'; domain++)
			if (mr_text_glob(pattern, domain))
				return true;
		return false;
	}
	return d > p && strcasecmp(domain + d - p, pattern) == 0;
}

bool mr_address_pattern_match(const char *pattern, const char *address)
{
	const char *pattern_at = strrchr(pattern, '@');
	const char *at = strrchr(address, '@');
	char local_pattern[MR_ADDRESS_LONGEST + 1];
	char local[MR_ADDRESS_LONGEST + 1];
	size_t length;

	if (address[0] == '\0' || strcmp(pattern, "<>") == 0)
		return address[0] == '\0' && strcmp(pattern, "<>") == 0;
	if (!match_domain(pattern_at == NULL ? pattern : pattern_at + 1,
		    at == NULL ? "" : at + 1))
		return false;
	if (pattern_at == NULL || pattern_at == pattern)
		return true;
	length = (size_t)(pattern_at - pattern);
	if (length >= sizeof(local_pattern))
		return false;
	memcpy(local_pattern, pattern, length);
	local_pattern[length] = '\0';
	length = at == NULL ? strlen(address) : (size_t)(at - address);
	if (length >= sizeof(local))
		return false;
	memcpy(local, address, length);
	local[length] = '\0';
	return mr_text_glob(local_pattern, local);
}

static enum mr_hostname check_literal(const char *name)
{
	size_t length = strlen(name);
	struct mr_error error;
	struct mr_ip ip;

	if (name[length - 1] != ']' || mr_ip_parse(name, &ip, &error) < 0)
		return MR_HOSTNAME_INVALID;
	/* the tag belongs to IPv6 and to nothing else */
	if ((strncasecmp(name, "[IPv6:", 6) == 0) !=
		(strchr(name, ':') != NULL))
		return MR_HOSTNAME_INVALID;
	return MR_HOSTNAME_LITERAL;
}

static bool is_label(const char *label, size_t length)
{
	if (length == 0 || length > LABEL_LONGEST || label[0] == '-' ||
		label[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = label[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '-' || c == '_' ||
			    (unsigned char)c >= 0x80))
			return false;
	}
	return true;
}

enum mr_hostname mr_hostname_check(const char *name)
{
	size_t length = strlen(name), labels = 0;
	struct mr_error error;
	struct mr_ip ip;
	bool numeric;

	if (length == 0 || length > MR_HOSTNAME_LONGEST)
		return MR_HOSTNAME_INVALID;
	if (name[0] == '[')
		return check_literal(name);
	numeric = strspn(name, "0123456789.") == length;
	if ((numeric || strchr(name, ':') != NULL) &&
		mr_ip_parse(name, &ip, &error) == 0)
		return MR_HOSTNAME_BARE_ADDRESS;
	if (numeric)
		return MR_HOSTNAME_INVALID;
	for (const char *label = name; *label != '\0'; labels++) {
		size_t size = strcspn(label, ".");

		if (!is_label(label, size))
			return MR_HOSTNAME_INVALID;
		label += size;
		if (*label == '.')
			label++;
	}
	return labels > 1 ? MR_HOSTNAME_FINE : MR_HOSTNAME_NOT_QUALIFIED;
}
