/* purge - see purge.h. */
/* SPDX-License-Identifier: ISC */
#include "common/mailbox/purge.h"
#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How narrow a match is; more wins. */
enum match { NO_MATCH, EVERYTHING, GLOB, SPECIAL = 1 << 20, NAME };

static bool is_inbox(const char *name)
{
	return strcasecmp(name, "INBOX") == 0;
}

static bool has_special(const char *uses, const char *wanted)
{
	size_t n = strlen(wanted);

	while (uses != NULL && *uses != '\0') {
		size_t length = strcspn(uses, " ");

		if (length == n && strncasecmp(uses, wanted, n) == 0)
			return true;
		uses += length + strspn(uses + length, " ");
	}
	return false;
}

static int match(
	const struct mr_purge_rule *rule, const struct mr_purge_folder *folder)
{
	const char *pattern = rule->folder;
	size_t stars = 0;

	if (strcmp(pattern, "*") == 0)
		return EVERYTHING;
	if (pattern[0] == '\\')
		return has_special(folder->special, pattern) ? SPECIAL
		                                             : NO_MATCH;
	if (is_inbox(folder->name))
		return is_inbox(pattern) ? NAME : NO_MATCH;
	if (strcmp(pattern, folder->name) == 0 ||
		strcmp(pattern, folder->below) == 0)
		return NAME;
	for (const char *p = pattern; *p != '\0'; p++)
		stars += *p == '*';
	if (stars == 0 || (!mr_text_glob_exact(pattern, folder->name) &&
				  !mr_text_glob_exact(pattern, folder->below)))
		return NO_MATCH;
	return GLOB + (int)(strlen(pattern) - stars);
}

const struct mr_purge_rule *mr_purge_find(const struct mr_purge_rule *rules,
	size_t count, const struct mr_purge_folder *folder)
{
	const struct mr_purge_rule *found = NULL;
	int best = NO_MATCH;

	for (size_t i = 0; i < count; i++) {
		int how = match(&rules[i], folder);

		if (how > best) {
			best = how;
			found = &rules[i];
		}
	}
	return found;
}

bool mr_purge_is_pattern(const struct mr_purge_rule *rule)
{
	return rule->folder[0] == '\\' || strchr(rule->folder, '*') != NULL;
}

int64_t mr_purge_cutoff(const struct mr_purge_rule *rule, int64_t now)
{
	int64_t kept =
		rule->after > rule->minimum ? rule->after : rule->minimum;

	return now - kept;
}

bool mr_purge_is_too_much(uint64_t due, uint64_t total, int64_t share)
{
	__extension__ unsigned __int128 gone = due, all = total;

	if (due > total) /* somebody else removed mail meanwhile */
		all = due;
	return gone * 100 > all * (unsigned)share;
}

int64_t mr_purge_next_scan(const char *user, int64_t now)
{
	int64_t shift = mr_hash(MR_HASH_START, user, strlen(user)) %
	                MR_PURGE_SCAN_EVERY;

	return now + MR_PURGE_SCAN_EVERY - (now + shift) % MR_PURGE_SCAN_EVERY;
}

bool mr_purge_wants_scan(const char *user, int64_t scanned, int64_t now)
{
	/* a scan in the future was made by a clock that was wrong */
	return scanned <= 0 || scanned > now ||
	       mr_purge_next_scan(user, scanned) <= now;
}

/* --- rules that were reported ------------------------------------------- */

/* "SCOPE TAB FOLDER TAB", without what could end a line or a field. */
static char *key_of(struct mr_arena *arena, const struct mr_purge_rule *rule)
{
	char *key =
		mr_arena_printf(arena, "%s\t%s\t", rule->scope, rule->folder);
	size_t scope = strlen(rule->scope);

	for (char *p = key; *p != '\0'; p++)
		if (*p == '\n' ||
			(*p == '\t' && p != key + scope && p[1] != '\0'))
			*p = '?';
	return key;
}

char *mr_purge_reported_line(
	struct mr_arena *arena, const struct mr_purge_rule *rule)
{
	return mr_arena_printf(arena, "%s%" PRId64 "\t%" PRId64 "\t%s",
		key_of(arena, rule), rule->after, rule->minimum,
		rule->keep_flagged ? "keep_flagged" : "all");
}

/* Does a line's rest, "AFTER TAB MINIMUM TAB WORD", promise no more mail than
 * the rule keeps? */
static bool covers(const char *rest, const struct mr_purge_rule *rule)
{
	char *end;
	long long after = strtoll(rest, &end, 10), minimum;

	if (end == rest || *end != '\t' || after <= 0)
		return false;
	rest = end + 1;
	minimum = strtoll(rest, &end, 10);
	if (end == rest || *end != '\t' || minimum < 0)
		return false;
	rest = end + 1;
	if (rule->after < after || rule->minimum < minimum)
		return false;
	if (strncmp(rest, "all\n", 4) == 0)
		return true;
	return strncmp(rest, "keep_flagged\n", 13) == 0 && rule->keep_flagged;
}

bool mr_purge_is_reported(const char *text, const struct mr_purge_rule *rule)
{
	struct mr_arena *arena = mr_arena_new(256);
	const char *key = key_of(arena, rule), *p = text;
	size_t length = strlen(key);
	bool found = false;

	while (!found && p != NULL && *p != '\0') {
		found = strncmp(p, key, length) == 0 &&
		        covers(p + length, rule);
		p = strchr(p, '\n');
		if (p != NULL)
			p++;
	}
	mr_arena_free(&arena);
	return found;
}
