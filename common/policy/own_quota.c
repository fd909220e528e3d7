/* own_quota - see own_quota.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/own_quota.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "common/mailbox/quota.h"
#include "common/map/map.h"

#include <ctype.h>
#include <string.h>

enum { FIELD_LONGEST = 100 };

/* --- one field */

/* B, K, M, G or T, with "B" or "iB" behind, in any case; else what `missing`
 * is. */
static bool read_unit(const char *text, uint64_t missing, uint64_t *unit)
{
	static const char letters[] = "bkmgt";
	const char *letter = strchr(letters, tolower((unsigned char)*text));

	*unit = missing;
	if (*text == '\0')
		return true;
	if (letter == NULL)
		return false;
	*unit = UINT64_C(1) << (letter - letters) * 10;
	text++;
	if (*unit > 1 && strncasecmp(text, "ib", 2) == 0)
		text += 2;
	else if (*unit > 1 && strncasecmp(text, "b", 1) == 0)
		text += 1;
	return *text == '\0';
}

static bool read_size(const char *text, uint64_t missing, uint64_t *octets)
{
	uint64_t number = 0, unit;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(
				number, (uint64_t)(*text - '0'), &number))
			return false;
	text += strspn(text, " ");
	if (!read_unit(text, missing, &unit) ||
		__builtin_mul_overflow(number, unit, octets))
		return false;
	if (*octets == 0)
		*octets = MR_UNLIMITED;
	return true;
}

/* MAILBOX:LIMIT=NUMBER:... */
static bool read_rule(const char *rule, uint64_t *octets)
{
	const char *limit = strchr(rule, ':');
	bool any = false;

	while (limit != NULL) {
		const char *next = strchr(++limit, ':');
		char text[FIELD_LONGEST] = "";
		size_t length =
			next == NULL ? strlen(limit) : (size_t)(next - limit);

		if (length >= sizeof(text))
			return false;
		memcpy(text, limit, length);
		if (strncmp(text, "storage=", 8) == 0)
			any = read_size(text + 8, 1024, octets);
		else if (strncmp(text, "bytes=", 6) == 0)
			any = read_size(text + 6, 1, octets);
		else if (strncmp(text, "messages=", 9) != 0)
			return false;
		limit = next;
	}
	return any;
}

bool mr_own_quota_parse(const char *field, uint64_t *octets)
{
	const char *value = strchr(field, '=');

	if (value == NULL)
		return false;
	return mr_quota_is_rule(field) ? read_rule(value + 1, octets)
	                               : read_size(value + 1, 1, octets);
}

/* --- a user */

static enum mr_lookup ask(const struct mr_policy *policy, const char *user,
	int64_t deadline_ms, struct mr_arena *arena, const char **value_r,
	struct mr_error *error)
{
	const struct mr_recipient_maps *maps = &policy->maps;
	enum mr_lookup answer = MR_NOTFOUND;

	for (size_t i = 0; i < maps->n_mailboxes && answer == MR_NOTFOUND; i++)
		if (mr_map_names_users(maps->mailboxes[i]))
			answer = mr_map_get(maps->mailboxes[i], arena, user,
				deadline_ms, value_r, error);
	return answer;
}

static void see(
	struct mr_own_quota *own, struct mr_arena *arena, const char *field)
{
	uint64_t octets;

	if (own->field == NULL)
		own->field = mr_text_printable(arena, field, FIELD_LONGEST);
	if (!mr_own_quota_parse(field, &octets)) {
		own->told = false;
		octets = MR_UNLIMITED;
	}
	if (octets > own->octets)
		own->octets = octets;
}

enum mr_lookup mr_own_quota(const struct mr_policy *policy, const char *user,
	int64_t deadline_ms, struct mr_arena *arena, struct mr_own_quota *own,
	struct mr_error *error)
{
	const char *value = NULL;
	enum mr_lookup answer =
		ask(policy, user, deadline_ms, arena, &value, error);
	char *field, *rest;

	*own = (struct mr_own_quota){ .told = true };
	if (answer != MR_FOUND)
		return answer;
	rest = mr_arena_strdup(arena, value);
	strsep(&rest, "\t"); /* the user's name */
	while ((field = strsep(&rest, "\t")) != NULL)
		if (mr_quota_is_size(field) || mr_quota_is_rule(field))
			see(own, arena, field);
	return own->field == NULL ? MR_NOTFOUND : MR_FOUND;
}
