/* fuzz_quotas - questions that the policy daemon's query socket may get, and
 * answers that the milter may. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/state/quotas_wire.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly as long: no octet behind it. */
static char *copy_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + (size == 0));

	if (size > 0)
		memcpy(text, data, size);
	return text;
}

static void check_question(const uint8_t *data, size_t size)
{
	char *text = copy_of(data, size);
	struct mr_error error = { "" };
	const char *mailbox;

	if (mr_quota_question_parse(text, size, &mailbox, &error) < 0)
		assert(error.text[0] != '\0');
	else
		assert(mr_quota_is_name(mailbox) && mailbox > text &&
			mailbox + strlen(mailbox) < text + size);
	free(text);
}

/* What is understood can be said, and is understood again. */
static void check_answer(const uint8_t *data, size_t size)
{
	struct mr_arena *arena = mr_arena_new(1024);
	char *text = copy_of(data, size), *again;
	struct mr_error error = { "" };
	struct mr_fill fill = { 0 }, fill_again = { 0 };
	enum mr_lookup found = mr_quota_answer_parse(text, size, &fill, &error);

	assert(found == MR_TEMPFAIL || error.text[0] == '\0');
	again = mr_arena_strdup(
		arena, mr_quota_answer(arena, found, &fill, &error));
	assert(strlen(again) <= MR_QUOTA_WIRE);
	assert(mr_quota_answer_parse(
		       again, strlen(again), &fill_again, &error) == found);
	assert(fill.bytes == fill_again.bytes &&
		fill.booked == fill_again.booked &&
		fill.age_ms == fill_again.age_ms &&
		fill.least == fill_again.least);
	mr_arena_free(&arena);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_question(data, size);
	check_answer(data, size);
	return 0;
}
