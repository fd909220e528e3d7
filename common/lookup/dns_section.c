/* dns_section - from all that a reply says to what answers the question.  A
 * recursive server tells the whole chain of CNAMEs; nothing is asked again. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/lookup/dns_wire.h"

#include <string.h>

/* More CNAMEs than this lead nowhere. */
enum { LONGEST_CHAIN = 10 };

static const struct mr_dns_record *alias_of(
	const struct mr_dns_section *section, const char *name)
{
	for (size_t i = 0; i < section->n; i++)
		if (section->records[i].type == MR_DNS_CNAME &&
			section->records[i].target != NULL &&
			strcmp(section->records[i].owner, name) == 0)
			return &section->records[i];
	return NULL;
}

/* The name that the records have; *ttl becomes the least on the way. */
static const char *end_of_chain(
	const struct mr_dns_section *section, const char *name, uint32_t *ttl)
{
	for (unsigned i = 0; i < LONGEST_CHAIN; i++) {
		const struct mr_dns_record *alias = alias_of(section, name);

		if (alias == NULL)
			break;
		if (alias->ttl < *ttl)
			*ttl = alias->ttl;
		name = alias->target;
	}
	return name;
}

enum mr_lookup mr_dns_section_answer(struct mr_arena *arena,
	const struct mr_dns_section *section, const char *name,
	enum mr_dns_type type, struct mr_dns_answer *answer)
{
	struct mr_dns_record *records =
		MR_NEW_ARRAY(arena, struct mr_dns_record, section->n);

	answer->records = records;
	answer->n = 0;
	answer->exists = section->exists;
	answer->ttl = UINT32_MAX;
	if (type != MR_DNS_CNAME)
		name = end_of_chain(section, name, &answer->ttl);
	for (size_t i = 0; i < section->n; i++) {
		const struct mr_dns_record *record = &section->records[i];

		if (record->type != type || strcmp(record->owner, name) != 0)
			continue;
		records[answer->n++] = *record;
		if (record->ttl < answer->ttl)
			answer->ttl = record->ttl;
	}
	if (answer->n > 0) {
		answer->exists = true;
		return MR_FOUND;
	}
	if (section->negative_ttl < answer->ttl)
		answer->ttl = section->negative_ttl;
	return MR_NOTFOUND;
}
