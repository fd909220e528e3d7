/* doctor_sizes - Postfix's own limits, against the policy's message.size. */
/* SPDX-License-Identifier: ISC */
#include "cli/doctor.h"
#include "common/base/arena.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const boxes[] = { "mailbox_size_limit",
	"virtual_mailbox_limit" };

enum { BOXES = sizeof(boxes) / sizeof(boxes[0]) };

static uint64_t box_limit(struct mr_doctor *doctor, int i)
{
	return mr_setup_number(
		&doctor->postfix, boxes[i], MR_SETUP_MAILBOX_SIZE);
}

static const char *set_to(
	struct mr_doctor *doctor, const char *name, uint64_t limit)
{
	const struct mr_told told = { .name = name };

	return mr_doctor_set(
		doctor, &told, mr_doctor_text(doctor, "%" PRIu64, limit));
}

/* With a larger message_size_limit those of mailboxes may have to follow. */
static const char *raise_all(struct mr_doctor *doctor, uint64_t wanted)
{
	const char *cure = set_to(doctor, "message_size_limit", wanted);

	for (int i = 0; i < BOXES; i++)
		if (!mr_setup_holds(box_limit(doctor, i), wanted))
			cure = mr_doctor_text(doctor, "%s\n%s", cure,
				set_to(doctor, boxes[i], wanted));
	return cure;
}

static void see_limit(struct mr_doctor *doctor, const struct mr_told *told)
{
	struct mr_setup_sizes sizes = mr_setup_sizes(&doctor->postfix);

	if (!sizes.any ||
		mr_setup_holds(strtoull(told->value, NULL, 10), sizes.wanted))
		return;
	mr_doctor_complain(doctor, mr_doctor_where(doctor, told),
		told->service != NULL ? mr_doctor_unset(doctor, told)
				      : raise_all(doctor, sizes.wanted));
}

static void look_at_messages(struct mr_doctor *doctor)
{
	mr_doctor_each_told(doctor, "message_size_limit", see_limit);
}

static void look_at_mailboxes(struct mr_doctor *doctor)
{
	struct mr_setup_sizes sizes = mr_setup_sizes(&doctor->postfix);

	if (sizes.too_small)
		return; /* its cure sees to these */
	for (int i = 0; i < BOXES; i++) {
		struct mr_told told = mr_doctor_told(doctor, NULL, boxes[i]);

		if (!mr_setup_holds(box_limit(doctor, i), sizes.now))
			mr_doctor_complain(doctor,
				mr_doctor_where(doctor, &told),
				set_to(doctor, boxes[i], sizes.now));
	}
}

static const struct mr_ailment ailments[] = {
	{ "message_size_limit", MR_LOSES, look_at_messages,
		"It is below the largest message.size of the policy (and 1 MB "
		"for what Postfix adds), so that Postfix refuses mail which "
		"the policy accepts." },
	{ "mailbox_size_limit", MR_LOSES, look_at_mailboxes,
		"It is below message_size_limit, and then Postfix delivers to "
		"none of its own mailboxes." },
	{ NULL },
};

const struct mr_subject mr_subject_sizes = { MR_ASKS_POSTFIX, ailments };
