/* fuzz_headers - headers as anybody may send them: what claims to be ours, what
 * says something in the name of a server, what is a scanner's mark. */
/* SPDX-License-Identifier: ISC */
#include "common/base/mark.h"
#include "common/policy/results.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *value = malloc(size + 1);
	bool says;

	if (value == NULL)
		return 0;
	if (size > 0)
		memcpy(value, data, size);
	value[size] = '\0';
	says = mr_results_say(value, "relay.example", "x-spam", "yes*");
	/* who is believed under a name would be stripped under it */
	assert(!says || mr_results_claims(value, "relay.example"));
	assert(!says || !mr_results_say(value, "other.example", "x-spam", "*"));
	assert(!says || mr_results_say(value, "relay.example", "x-spam", "*"));
	/* a mark is one scanner's, and no result */
	if (mr_mark_is(value, "spam"))
		assert(!says && !mr_mark_is(value, "virus"));
	mr_results_spf_claims(value, "relay.example");
	free(value);
	return 0;
}
