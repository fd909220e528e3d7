/* fuzz_report - datagrams that the policy daemon's usage socket may get. */
/* SPDX-License-Identifier: ISC */
#include "policyd/report.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* exactly as long: no octet behind it */
	struct mr_report report;
	struct mr_error error = { "" };

	memcpy(text, size > 0 ? (const char *)data : "", size);
	if (mr_report_parse(text, size, &report, &error) < 0) {
		assert(error.text[0] != '\0');
	} else {
		size_t length = strlen(report.mailbox);

		assert(report.mailbox > text &&
			report.mailbox + length < text + size);
		assert(length > 0 && length <= MR_REPORT_MAILBOX);
		assert(strpbrk(report.mailbox, "\r\n\t ") == NULL);
		assert(report.bytes >= 0 &&
			report.messages >= MR_REPORT_NOT_COUNTED &&
			report.limit >= 0 && report.saved >= 0 &&
			report.time >= 0);
	}
	free(text);
	return 0;
}
