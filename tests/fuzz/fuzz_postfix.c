/* fuzz_postfix - requests that a policy daemon's socket may get. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "policyd/postfix.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A value ends within the request, and on one line. */
static void check(const char *value, const char *text, size_t length)
{
	assert(strchr(value, '\n') == NULL);
	assert(*value == '\0' ||
		(value > text && value + strlen(value) < text + length));
}

static void check_answer(struct mr_arena *arena, const char *action)
{
	const char *answer = mr_answer_write(arena, action);
	size_t length = strlen(answer);

	assert(strncmp(answer, "action=", 7) == 0);
	assert(length >= 9);
	assert(length <= MR_ANSWER_LONGEST + 9);
	assert(strchr(answer, '\n') == answer + length - 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_arena *arena = mr_arena_new(1024);
	char *text = malloc(size + 1);
	struct mr_request request;
	struct mr_error error;
	size_t length;

	memcpy(text, size > 0 ? (const char *)data : "", size);
	for (char *p = text; (length = mr_request_length(p, size)) > 0;
		p += length, size -= length) {
		assert(length <= size && p[length - 1] == '\n');
		if (mr_request_parse(p, length, &request, &error) < 0)
			break;
#define A(name) check(request.name, p, length);
		MR_ATTRIBUTES(A)
#undef A
		mr_request_number(request.size);
		check_answer(arena, request.helo_name);
	}
	free(text);
	mr_arena_free(&arena);
	return 0;
}
