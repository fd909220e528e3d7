/* doctor_outside - who may pass for another client, and what else of Postfix's
 * undoes what the policy says. */
/* SPDX-License-Identifier: ISC */
#include "cli/doctor.h"
#include "common/base/arena.h"

#include <string.h>

/* Only this machine itself? */
static bool is_loopback(const char *pattern)
{
	static const char *const ours[] = { "127.", "[::1]", "::1",
		"[::ffff:127.", "localhost", NULL };

	for (size_t i = 0; ours[i] != NULL; i++)
		if (strncmp(pattern, ours[i], strlen(ours[i])) == 0)
			return true;
	return false;
}

static void see_clients(struct mr_doctor *doctor, const struct mr_told *told)
{
	const char *list = told->value, *word, *kept = "";
	bool open = false;

	while ((word = mr_postfix_next(doctor->arena, &list)) != NULL) {
		if (!is_loopback(word))
			open = true;
		else
			kept = mr_doctor_text(doctor, "%s%s%s", kept,
				*kept == '\0' ? "" : ",", word);
	}
	if (open)
		mr_doctor_complain(doctor, mr_doctor_where(doctor, told),
			*kept == '\0' ? mr_doctor_unset(doctor, told)
				      : mr_doctor_set(doctor, told, kept));
}

static void look_at_xclient(struct mr_doctor *doctor)
{
	mr_doctor_each_told(
		doctor, "smtpd_authorized_xclient_hosts", see_clients);
}

static void see_soft(struct mr_doctor *doctor, const struct mr_told *told)
{
	if (strcmp(told->value, "yes") == 0)
		mr_doctor_complain(doctor, mr_doctor_where(doctor, told),
			mr_doctor_unset(doctor, told));
}

static void look_at_soft(struct mr_doctor *doctor)
{
	mr_doctor_each_told(doctor, "soft_bounce", see_soft);
}

static const struct mr_ailment ailments[] = {
	{ "xclient", MR_BYPASSES, look_at_xclient,
		"By XCLIENT these hosts may claim any address, name and login, "
		"and the policy believes it." },
	{ "soft_bounce", MR_ADVICE, look_at_soft,
		"Every refusal becomes \"try again later\": senders try for "
		"days what the policy refuses for good." },
	{ NULL },
};

const struct mr_subject mr_subject_outside = { MR_ASKS_POSTFIX, ailments };
