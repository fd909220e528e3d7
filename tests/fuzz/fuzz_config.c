/* fuzz_config - any octets as a policy: no crash, bounded messages, and what
 * is accepted can be published and read back with the same meaning. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/config/tree.h"
#include "tests/every_type.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A problem's message, line, caret line and hint. */
enum { LONGEST_PROBLEM = 1600 };

static void print(const struct mr_problems *problems)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	mr_problems_print(problems, out);
	fclose(out);
	if (length > (size_t)LONGEST_PROBLEM * (MR_PROBLEMS_KEPT + 1))
		abort();
	free(text);
}

static void fuzz_tree(const char *text, size_t size)
{
	struct mr_arena *arena = mr_arena_new(4096);
	struct mr_problems problems;

	mr_problems_init(&problems, arena);
	mr_tree_read_text(arena, "fuzz", text, size, &problems);
	print(&problems);
	mr_arena_free(&arena);
}

static void fuzz_config(const char *text, size_t size)
{
	struct mr_arena *arena = mr_arena_new(4096);
	struct mr_config *config = NULL;
	struct mr_problems problems;
	const char *wrong;

	mr_problems_init(&problems, arena);
	if (mr_config_read_text(&every_schema, "fuzz", text, size, &config,
		    &problems) == 0) {
		wrong = every_compare_published(config, arena);
		if (wrong != NULL) {
			fprintf(stderr, "%s\n", wrong);
			abort();
		}
	}
	print(&problems);
	mr_config_free(&config);
	mr_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_tree((const char *)data, size);
	fuzz_config((const char *)data, size);
	return 0;
}
