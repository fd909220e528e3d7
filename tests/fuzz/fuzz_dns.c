/* fuzz_dns - answers of a DNS server.  The packet is given the id that we wait
 * for, or nothing would get past it. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/lookup/dns_cache.h"
#include "common/lookup/dns_wire.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *name;
	enum mr_dns_type type;
} asked[] = {
	{ "a.example", MR_DNS_A },
	{ "a.example", MR_DNS_MX },
	{ "a.example", MR_DNS_TXT },
	{ "1.2.0.192.in-addr.arpa", MR_DNS_PTR },
};

static void look(const struct mr_dns_record *record)
{
	const char *target = record->target == NULL ? "" : record->target;

	assert(strlen(record->owner) < 256 && strlen(target) < 256);
	assert(strpbrk(target, " \r\n\t") == NULL);
	if (record->type == MR_DNS_TXT)
		assert(record->text[record->length] == '\0');
}

/* What the cache says later is what was said. */
static void keep(struct mr_arena *arena, enum mr_lookup found,
	const struct mr_dns_answer *answer)
{
	struct mr_error error;
	struct mr_dns_kept *kept = mr_dns_kept_new(found, answer, &error, 0);
	struct mr_dns_answer later;

	assert(mr_dns_kept_tell(kept, 0, arena, &later, &error) == found);
	mr_dns_kept_release(kept);
	assert(later.n == answer->n && later.exists == answer->exists);
	for (size_t i = 0; i < later.n; i++) {
		const struct mr_dns_record *a = &answer->records[i];
		const struct mr_dns_record *b = &later.records[i];

		look(b);
		assert(strcmp(a->owner, b->owner) == 0);
		assert(a->length == b->length);
		if (a->text != NULL)
			assert(memcmp(a->text, b->text, a->length) == 0);
		if (a->target != NULL)
			assert(strcmp(a->target, b->target) == 0);
	}
}

static void answer(struct mr_arena *arena, const struct mr_dns_section *section,
	const char *name, enum mr_dns_type type)
{
	struct mr_dns_answer answer;
	enum mr_lookup found =
		mr_dns_section_answer(arena, section, name, type, &answer);

	assert((found == MR_FOUND) == (answer.n > 0));
	for (size_t i = 0; i < answer.n; i++) {
		assert(answer.records[i].type == type);
		look(&answer.records[i]);
	}
	keep(arena, found, &answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns_packet packet = { mr_arena_alloc(arena, size), size };
	struct mr_dns_section section;
	struct mr_error error;

	if (size > 0)
		memcpy(packet.octets, data, size);
	if (size >= 2)
		packet.octets[0] = packet.octets[1] = 0x11;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		if (mr_dns_wire_reply(arena, packet, 0x1111, asked[i].name,
			    asked[i].type, &section, &error) != MR_DNS_ANSWERED)
			continue;
		for (size_t r = 0; r < section.n; r++)
			look(&section.records[r]);
		answer(arena, &section, asked[i].name, asked[i].type);
	}
	mr_arena_free(&arena);
	return 0;
}
