/* fuzz_due - the file of users of whom nothing is due yet; what is taken of it
 * is written as it was read. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/mailbox/due.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* without a NUL behind, for a sanitizer to see who reads on */
	char *text = mr_calloc(1, size > 0 ? size : 1);
	struct mr_arena *arena = mr_arena_new(0);
	const char *once, *twice;
	size_t length, again;
	struct mr_due *due;
	uint64_t policy;

	if (size > 0)
		memcpy(text, data, size);
	due = mr_due_read(arena, text, size, 1795632000);
	(void)mr_due_find(due, "bob@alpha.example", &policy);
	mr_due_set(due, "bob@alpha.example", 7, 1795632001);
	once = mr_due_format(due, &length);
	assert(strlen(once) == length);
	due = mr_due_read(arena, once, length, 1795632000);
	assert(mr_due_find(due, "bob@alpha.example", &policy) && policy == 7);
	twice = mr_due_format(due, &again);
	assert(again == length && strlen(twice) == length);
	mr_arena_free(&arena);
	free(text);
	return 0;
}
