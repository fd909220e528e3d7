/* fuzz_clock - the file with the mark of the host's clock; what is taken has
 * one spelling only. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/mailbox/clock.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* without a NUL behind, for a sanitizer to see who reads on */
	char *text = mr_calloc(1, size > 0 ? size : 1);
	struct mr_clock_mark mark = { .wall = -1 }, now;
	struct mr_arena *arena;
	struct mr_error error;

	if (size > 0)
		memcpy(text, data, size);
	if (mr_clock_mark_parse(text, size, &mark, &error) < 0) {
		assert(mark.wall == -1 && error.text[0] != '\0');
		free(text);
		return 0;
	}
	arena = mr_arena_new(0);
	assert(size <= MR_CLOCK_LINE);
	assert(strlen(mr_clock_mark_format(arena, &mark)) == size);
	assert(memcmp(mr_clock_mark_format(arena, &mark), text, size) == 0);
	assert(mr_clock_mark_is_near(&mark, mark.wall));
	assert(!mr_clock_mark_is_near(&mark, mark.wall + MR_CLOCK_NEAR + 1));
	now = mark;
	assert(mr_clock_mark_may_advance(&mark, &now, false, &error) == 0);
	now.wall = mark.wall > MR_CLOCK_LAST / 2 ? 0 : MR_CLOCK_LAST;
	assert(mr_clock_mark_may_advance(&mark, &now, false, &error) < 0);
	assert(mr_clock_mark_may_advance(&mark, &now, true, &error) == 0);
	mr_arena_free(&arena);
	free(text);
	return 0;
}
