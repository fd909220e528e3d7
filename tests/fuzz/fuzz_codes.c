/* fuzz_codes - a list's codes as somebody may write them. */
/* SPDX-License-Identifier: ISC */
#include "common/base/codes.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_ip code = { .family = AF_INET };
	char *text = malloc(size + 1);
	struct mr_codes codes;
	struct mr_error error;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (mr_codes_parse(text, &codes, &error) == 0) {
		for (int i = 0; i < 4; i++) {
			assert(codes.part[i].least <= codes.part[i].most);
			code.octets[i] = codes.part[i].least;
		}
		assert(code.octets[0] == 127);
		/* the first of them counts, but for a refusal */
		assert(mr_codes_match(&codes, &code) != mr_code_refuses(&code));
	} else {
		assert(error.text[0] != '\0');
	}
	free(text);
	return 0;
}
