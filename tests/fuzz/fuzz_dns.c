/* fuzz_dns - answers of a DNS server.  The packet is given the id that we wait
 * for, or nothing would get past it. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/lookup/dns_wire.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct mr_dns_answer *answer)
{
	for (size_t i = 0; i < answer->n; i++) {
		const struct mr_dns_record *record = &answer->records[i];
		const char *target =
			record->target == NULL ? "" : record->target;

		assert(strlen(record->owner) < 256 && strlen(target) < 256);
		assert(strpbrk(target, " \r\n\t") == NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_dns_packet packet = { mr_arena_alloc(arena, size), size };
	struct mr_dns_answer answer;
	struct mr_error error;

	if (size > 0)
		memcpy(packet.octets, data, size);
	if (size >= 2)
		packet.octets[0] = packet.octets[1] = 0x11;
	if (mr_dns_wire_reply(arena, packet, 0x1111, "a.example", MR_DNS_A,
		    &answer, &error) == MR_DNS_ANSWERED)
		look(&answer);
	if (mr_dns_wire_reply(arena, packet, 0x1111, "1.2.0.192.in-addr.arpa",
		    MR_DNS_PTR, &answer, &error) == MR_DNS_ANSWERED)
		look(&answer);
	mr_arena_free(&arena);
	return 0;
}
