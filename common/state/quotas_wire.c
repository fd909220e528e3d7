/* quotas_wire - see quotas_wire.h. */
/* SPDX-License-Identifier: ISC */
#include "common/state/quotas_wire.h"
#include "common/base/arena.h"
#include "common/base/attributes.h"
#include "common/base/text.h"

#include <inttypes.h>
#include <string.h>

enum { WHY_LONGEST = 200 };

bool mr_quota_is_name(const char *mailbox)
{
	size_t length = strlen(mailbox);

	for (const char *p = mailbox; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == '\x7f')
			return false;
	return length > 0 && length <= MR_QUOTA_NAME;
}

/* --- the question */

enum { REQUEST, MAILBOX, QUESTION };

static const char *const question[QUESTION] = {
	[REQUEST] = "request",
	[MAILBOX] = "mailbox",
};

int mr_quota_question_parse(char *text, size_t length, const char **mailbox_r,
	struct mr_error *error)
{
	const char *values[QUESTION];

	if (mr_attributes_split(
		    text, length, question, QUESTION, values, error) < 0)
		return -1;
	if (values[REQUEST] == NULL ||
		strcmp(values[REQUEST], "mailreeve_quota") != 0)
		return mr_error_set(error, "it is no request=mailreeve_quota");
	if (values[MAILBOX] == NULL || !mr_quota_is_name(values[MAILBOX]))
		return mr_error_set(error, "mailbox is no name");
	*mailbox_r = values[MAILBOX];
	return 0;
}

const char *mr_quota_question(struct mr_arena *arena, const char *mailbox)
{
	return mr_arena_printf(
		arena, "request=mailreeve_quota\nmailbox=%s\n\n", mailbox);
}

/* --- the answer */

enum { KNOWN, BYTES, BOOKED, AGE, LEAST, WHY, ANSWER };

static const char *const answer[ANSWER] = {
	[KNOWN] = "known",
	[BYTES] = "bytes",
	[BOOKED] = "booked",
	[AGE] = "age",
	[LEAST] = "least",
	[WHY] = "error",
};

static int read_numbers(
	const char **values, struct mr_fill *fill, struct mr_error *error)
{
	int64_t number[ANSWER];

	if (values[LEAST] == NULL)
		values[LEAST] = values[BYTES];
	for (int i = BYTES; i <= LEAST; i++) {
		if (values[i] == NULL)
			return mr_error_set(error, "%s is missing", answer[i]);
		if (mr_attributes_number(
			    answer[i], values[i], &number[i], error) < 0)
			return -1;
	}
	*fill = (struct mr_fill){
		.bytes = (uint64_t)number[BYTES],
		.booked = (uint64_t)number[BOOKED],
		.age_ms = number[AGE],
		.least = (uint64_t)number[LEAST],
	};
	return 0;
}

enum mr_lookup mr_quota_answer_parse(
	char *text, size_t length, struct mr_fill *fill, struct mr_error *error)
{
	const char *values[ANSWER];

	if (mr_attributes_split(text, length, answer, ANSWER, values, error) <
		0)
		return MR_TEMPFAIL;
	if (values[WHY] != NULL) {
		mr_error_set(error, "%s", values[WHY]);
		return MR_TEMPFAIL;
	}
	if (values[KNOWN] != NULL && strcmp(values[KNOWN], "no") == 0)
		return MR_NOTFOUND;
	if (values[KNOWN] == NULL || strcmp(values[KNOWN], "yes") != 0) {
		mr_error_set(error, "known is neither yes nor no");
		return MR_TEMPFAIL;
	}
	return read_numbers(values, fill, error) < 0 ? MR_TEMPFAIL : MR_FOUND;
}

const char *mr_quota_answer(struct mr_arena *arena, enum mr_lookup found,
	const struct mr_fill *fill, const struct mr_error *error)
{
	switch (found) {
	case MR_TEMPFAIL:
		return mr_arena_printf(arena, "error=%s\n\n",
			mr_text_printable(arena, error->text, WHY_LONGEST));
	case MR_NOTFOUND:
		break;
	case MR_FOUND:
		return mr_arena_printf(arena,
			"known=yes\nbytes=%" PRIu64 "\nbooked=%" PRIu64
			"\nage=%" PRId64 "\nleast=%" PRIu64 "\n\n",
			fill->bytes, fill->booked,
			fill->age_ms < 0 ? 0 : fill->age_ms, fill->least);
	}
	return "known=no\n\n";
}
