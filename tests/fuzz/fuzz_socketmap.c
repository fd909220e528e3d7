/* fuzz_socketmap - what a socketmap server may reply, and references. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/map/map.h"
#include "common/map/socketmap.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct mr_arena *arena, const char *payload, size_t length)
{
	struct mr_error error = { "" };
	const char *value = NULL;

	switch (mr_socketmap_reply(arena, payload, length, &value, &error)) {
	case MR_FOUND:
		assert(length >= 3 && memcmp(payload, "OK ", 3) == 0);
		assert(strlen(value) == length - 3);
		break;
	case MR_NOTFOUND:
		assert(length >= 8 && memcmp(payload, "NOTFOUND", 8) == 0);
		break;
	case MR_TEMPFAIL:
		assert(error.text[0] != '\0');
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_arena *arena = mr_arena_new(0);
	const char *octets = (const char *)data, *payload;
	size_t length, used, more;
	struct mr_error error;

	switch (mr_netstring_parse(octets, size, &payload, &length, &used)) {
	case MR_NETSTRING_WHOLE:
		assert(used <= size && length < used);
		assert(length <= MR_SOCKETMAP_LONGEST);
		assert(payload + length < octets + used);
		/* whole with nothing behind it, short with one less */
		assert(mr_netstring_parse(octets, used, &payload, &length,
			       &more) == MR_NETSTRING_WHOLE);
		assert(more == used);
		judge(arena, payload, length);
		assert(mr_netstring_parse(octets, used - 1, &payload, &length,
			       &more) == MR_NETSTRING_SHORT);
		break;
	case MR_NETSTRING_SHORT:
		assert(size < MR_SOCKETMAP_LONGEST + 8);
		break;
	case MR_NETSTRING_GARBAGE:
		break;
	}
	mr_map_check(mr_arena_printf(arena, "socketmap:%s",
			     mr_arena_strndup(arena, octets, size)),
		&error);
	mr_arena_free(&arena);
	return 0;
}
