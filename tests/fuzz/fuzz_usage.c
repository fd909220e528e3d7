/* fuzz_usage - a user's record, and the list of reported rules: what is taken
 * is written the same, and nothing that is no whole line reports a rule. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/mailbox/purge.h"
#include "common/mailbox/quota.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct mr_purge_rule rule = { .folder = "Trash",
	.after = 86400,
	.minimum = 0,
	.keep_flagged = true,
	.scope = "global" };

static void fuzz_record(const char *text, size_t size)
{
	struct mr_usage usage, again;
	char line[MR_USAGE_SIZE];

	if (!mr_usage_parse(text, size, &usage)) {
		assert(usage.bytes == UINT64_MAX && usage.level == 0);
		return;
	}
	mr_usage_format(&usage, line);
	assert(mr_usage_parse(line, sizeof(line), &again));
	assert(again.bytes == usage.bytes && again.level == usage.level &&
		again.scanned == usage.scanned &&
		again.counted == usage.counted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* without a NUL behind, for a sanitizer to see who reads on */
	char *octets = mr_calloc(1, size > 0 ? size : 1);
	char *text = mr_calloc(1, size + 1);

	if (size > 0) {
		memcpy(octets, data, size);
		memcpy(text, data, size);
	}
	fuzz_record(octets, size);
	if (mr_purge_is_reported(text, &rule))
		assert(strstr(text, "global\tTrash\t") != NULL &&
			strchr(text, '\n') != NULL);
	free(octets);
	free(text);
	return 0;
}
