/* report - see report.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/report.h"
#include "common/base/attributes.h"

#include <stdbool.h>
#include <string.h>

/* Those from MESSAGES on need not be there. */
enum { REQUEST, MAILBOX, BYTES, LIMIT, MESSAGES, SAVED, TIME, NAMES };

static const char *const names[NAMES] = {
	[REQUEST] = "request",
	[MAILBOX] = "mailbox",
	[BYTES] = "bytes",
	[LIMIT] = "limit",
	[MESSAGES] = "messages",
	[SAVED] = "saved",
	[TIME] = "time",
};

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text <= ' ' || *text == '\x7f')
			return false;
	return true;
}

static int read_number(const char *const *values, int name, int64_t *number_r,
	struct mr_error *error)
{
	return mr_attributes_number(names[name], values[name], number_r, error);
}

int mr_report_parse(char *text, size_t length, struct mr_report *report,
	struct mr_error *error)
{
	const char *values[NAMES];

	*report = (struct mr_report){ NULL };
	if (length > MR_REPORT_LONGEST)
		return mr_error_set(error, "it is too long");
	if (mr_attributes_split(text, length, names, NAMES, values, error) < 0)
		return -1;
	for (int i = 0; i < MESSAGES; i++)
		if (values[i] == NULL)
			return mr_error_set(error, "%s is missing", names[i]);
	if (strcmp(values[REQUEST], "mailreeve_usage") != 0)
		return mr_error_set(error, "it is no request=mailreeve_usage");
	if (values[MAILBOX][0] == '\0' || !is_printable(values[MAILBOX]) ||
		strlen(values[MAILBOX]) > MR_REPORT_MAILBOX)
		return mr_error_set(error, "mailbox is no name");
	if (read_number(values, BYTES, &report->bytes, error) < 0 ||
		read_number(values, MESSAGES, &report->messages, error) < 0 ||
		read_number(values, LIMIT, &report->limit, error) < 0 ||
		read_number(values, SAVED, &report->saved, error) < 0 ||
		read_number(values, TIME, &report->time, error) < 0)
		return -1;
	if (values[MESSAGES] == NULL)
		report->messages = MR_REPORT_NOT_COUNTED;
	report->mailbox = values[MAILBOX];
	return 0;
}
