/* fuzz_subject - a Subject as anybody may send it gets its tags once, keeps its
 * lines, and loses nothing. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/subject.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct mr_subject_tag tags[] = {
	{ "[SPAM]", true },
	{ "[VIRUS]", true },
	{ "*** X ***", false },
};
enum { TAGS = sizeof(tags) / sizeof(tags[0]) };

/* All but line ends and blanks, which may change. */
static void squeeze(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++)
		if (strchr(" \t\r\n", *text) == NULL)
			*to++ = *text;
	*to = '\0';
}

static void check_lines(const char *text)
{
	size_t first = strcspn(text, "\n");

	for (; *text != '\0'; text++)
		assert(*text != '\n' || text[1] == ' ' || text[1] == '\t');
	assert(first > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_arena *arena = mr_arena_new(0);
	char *value = mr_arena_strndup(arena, (const char *)data, size);
	char *tagged = mr_subject_tag(arena, value, tags, TAGS);

	if (tagged != NULL) {
		check_lines(tagged);
		assert(mr_subject_tag(arena, tagged, tags, TAGS) == NULL);
		squeeze(tagged);
		squeeze(value);
		assert(strlen(tagged) > strlen(value));
		assert(strcmp(tagged + strlen(tagged) - strlen(value), value) ==
			0);
	}
	mr_arena_free(&arena);
	return 0;
}
