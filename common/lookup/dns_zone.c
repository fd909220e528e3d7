/* dns_zone - answers from a master file that stands for the whole DNS.  Meant
 * for tests and `explain --zone`: records are searched one by one. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/lookup/dns_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* More CNAMEs than this are a loop. */
enum { LONGEST_CHAIN = 10 };

struct fault {
	struct fault *next;
	const char *name, *what;
};

struct zone {
	struct mr_arena *arena;
	struct mr_dns_section all;
	struct fault *faults;
};

static const char BLANKS[] = " \t\r\n";

static const char *without_last_dot(char *name)
{
	size_t length = strlen(name);

	if (length > 0 && name[length - 1] == '.')
		name[length - 1] = '\0';
	return name;
}

/* `;!servfail NAME`, `;!timeout NAME` */
static void read_faults(struct zone *zone, FILE *file)
{
	char *line = NULL, *rest;
	size_t size = 0;

	while (getline(&line, &size, file) > 0) {
		const char *what, *name;
		struct fault *fault;

		if (strncmp(line, ";!", 2) != 0)
			continue;
		what = strtok_r(line + 2, BLANKS, &rest);
		name = strtok_r(NULL, BLANKS, &rest);
		if (name == NULL || (strcmp(what, "servfail") != 0 &&
					    strcmp(what, "timeout") != 0))
			continue;
		fault = MR_NEW(zone->arena, struct fault);
		fault->what = mr_arena_strdup(zone->arena, what);
		fault->name =
			without_last_dot(mr_text_lower(zone->arena, name));
		fault->next = zone->faults;
		zone->faults = fault;
	}
	free(line);
}

int mr_dns_zone_open(const char *path, void **state_r, struct mr_error *error)
{
	FILE *file = fopen(path, "re");
	struct stat status;
	struct zone *zone;
	int result;

	if (file == NULL)
		return mr_error_set(error, "%s: %s", path, strerror(errno));
	if (fstat(fileno(file), &status) < 0 || !S_ISREG(status.st_mode)) {
		fclose(file);
		return mr_error_set(error, "%s is not a file", path);
	}
	zone = mr_calloc(1, sizeof(*zone));
	zone->arena = mr_arena_new(0);
	read_faults(zone, file);
	rewind(file);
	result = mr_dns_wire_zone(zone->arena, file, path, &zone->all, error);
	fclose(file);
	if (result < 0)
		mr_dns_zone.close(zone);
	else
		*state_r = zone;
	return result;
}

static void zone_close(void *state)
{
	struct zone *zone = state;

	mr_arena_free(&zone->arena);
	free(zone);
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), e = strlen(end);

	return n > e && name[n - e - 1] == '.' &&
	       strcmp(name + n - e, end) == 0;
}

static bool owns(const struct zone *zone, const char *name)
{
	for (size_t i = 0; i < zone->all.n; i++)
		if (strcmp(zone->all.records[i].owner, name) == 0)
			return true;
	return false;
}

/* A name also exists if there is something below it (RFC 4592 section 2.2.2).
 */
static bool exists(const struct zone *zone, const char *name)
{
	for (size_t i = 0; i < zone->all.n; i++)
		if (strcmp(zone->all.records[i].owner, name) == 0 ||
			ends_with(zone->all.records[i].owner, name))
			return true;
	return false;
}

/* Whose records answer for `name`: its own, or those of the wildcard at its
 * closest ancestor (RFC 4592 section 3.3.1).  NULL: nobody's. */
static const char *owner_for(
	const struct zone *zone, struct mr_arena *arena, const char *name)
{
	const char *ancestor = name, *wildcard;

	if (exists(zone, name))
		return name;
	while ((ancestor = strchr(ancestor, '.')) != NULL) {
		ancestor++;
		wildcard = mr_arena_printf(arena, "*.%s", ancestor);
		if (owns(zone, wildcard))
			return wildcard;
		if (exists(zone, ancestor))
			return NULL;
	}
	return NULL;
}

static const struct fault *fault_of(const struct zone *zone, const char *name)
{
	const struct fault *fault = zone->faults;

	while (fault != NULL && strcmp(fault->name, name) != 0)
		fault = fault->next;
	return fault;
}

/* The record of `type` that `owner` has, from the one at `i` on. */
static const struct mr_dns_record *next_record(const struct zone *zone,
	const char *owner, enum mr_dns_type type, size_t *i)
{
	while (owner != NULL && *i < zone->all.n) {
		const struct mr_dns_record *record = &zone->all.records[(*i)++];

		if (record->type == type && strcmp(record->owner, owner) == 0)
			return record;
	}
	return NULL;
}

static void add(struct mr_arena *arena, const struct mr_dns_record *record,
	const char *name, struct mr_dns_answer *answer)
{
	struct mr_dns_record *records =
		MR_NEW_ARRAY(arena, struct mr_dns_record, answer->n + 1);

	if (answer->n > 0)
		memcpy(records, answer->records, answer->n * sizeof(*records));
	records[answer->n] = *record;
	records[answer->n++].owner = name;
	answer->records = records;
	if (record->ttl < answer->ttl)
		answer->ttl = record->ttl;
}

/* One link of the chain; returns where its CNAME leads, or NULL. */
static const char *answer_link(const struct zone *zone, struct mr_arena *arena,
	const char *name, enum mr_dns_type type, struct mr_dns_answer *answer)
{
	const char *owner = owner_for(zone, arena, name);
	const struct mr_dns_record *record, *alias = NULL;
	size_t i = 0;

	answer->exists = owner != NULL;
	if (type != MR_DNS_CNAME)
		alias = next_record(zone, owner, MR_DNS_CNAME, &i);
	if (alias != NULL) {
		if (alias->ttl < answer->ttl)
			answer->ttl = alias->ttl;
		return alias->target;
	}
	for (i = 0; (record = next_record(zone, owner, type, &i)) != NULL;)
		add(arena, record, name, answer);
	return NULL;
}

static enum mr_lookup zone_ask(void *state, struct mr_arena *arena,
	const char *name, enum mr_dns_type type, int64_t deadline_ms,
	struct mr_dns_answer *answer, struct mr_error *error)
{
	const struct zone *zone = state;
	const struct fault *fault;

	(void)deadline_ms;
	name = mr_arena_strdup(arena, name); /* some owner will be */
	answer->ttl = UINT32_MAX;
	for (unsigned i = 0; name != NULL && i <= LONGEST_CHAIN; i++) {
		fault = fault_of(zone, name);
		if (fault != NULL) {
			mr_error_set(error, "%s: the zone file says %s", name,
				fault->what);
			return MR_TEMPFAIL;
		}
		name = answer_link(zone, arena, name, type, answer);
	}
	return answer->n > 0 ? MR_FOUND : MR_NOTFOUND;
}

const struct mr_dns_source mr_dns_zone = { .ask = zone_ask,
	.close = zone_close };
