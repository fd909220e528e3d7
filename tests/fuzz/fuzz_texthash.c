/* fuzz_texthash - Postfix's table text; and inline: with the same octets. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/map/map.h"
#include "common/map/table.h"
#include "common/map/texthash.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mr_calloc(1, size + 1);
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_table *table = mr_table_new(text);
	struct mr_error error;
	size_t ignored, first, lines = 1;
	char *reference;

	if (size > 0)
		memcpy(text, data, size);
	reference = mr_arena_printf(arena, "inline:%s", text);
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	ignored = mr_texthash_parse(table, text, size, &first);
	assert(ignored + mr_table_count(table) <= lines);
	assert(first <= lines && (first > 0) == (ignored > 0));
	mr_table_release(&table);
	mr_map_check(reference, &error);
	mr_arena_free(&arena);
	return 0;
}
