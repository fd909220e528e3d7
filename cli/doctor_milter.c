/* doctor_milter - is our milter asked about every mail, in time, and what does
 * Postfix do without it? */
/* SPDX-License-Identifier: ISC */
#include "cli/doctor.h"
#include "common/base/arena.h"

#include <stdlib.h>
#include <string.h>

/* The same list, with ours in it as setup writes it. */
static const char *mend(struct mr_doctor *doctor, const struct mr_told *told)
{
	const struct mr_setup *setup = &doctor->postfix;

	return mr_doctor_set(doctor, told,
		told->service == NULL ? mr_setup_main_milters(setup, told->name)
				      : mr_setup_milters(setup, told->value));
}

static void complain(struct mr_doctor *doctor, const struct mr_told *told)
{
	mr_doctor_complain(
		doctor, mr_doctor_where(doctor, told), mend(doctor, told));
}

/* --- is it there? ------------------------------------------------------- */

static bool has_ours(struct mr_doctor *doctor, const struct mr_told *told)
{
	return mr_setup_our_milter(&doctor->postfix, told->value) != NULL;
}

static void see_main(struct mr_doctor *doctor, const struct mr_told *told)
{
	if (told->service == NULL && !has_ours(doctor, told))
		complain(doctor, told);
}

static void look_for_ours(struct mr_doctor *doctor)
{
	mr_doctor_each_told(doctor, "smtpd_milters", see_main);
}

static void see_service(struct mr_doctor *doctor, const struct mr_told *told)
{
	if (told->service == NULL || has_ours(doctor, told))
		return;
	if (*told->value == '\0')
		mr_doctor_complain(doctor, mr_doctor_where(doctor, told),
			mr_doctor_unset(doctor, told));
	else
		complain(doctor, told);
}

static void look_for_other_lists(struct mr_doctor *doctor)
{
	mr_doctor_each_told(doctor, "smtpd_milters", see_service);
}

static void look_at_local(struct mr_doctor *doctor)
{
	struct mr_told told = mr_doctor_told(doctor, NULL, "non_smtpd_milters");
	const char *raw =
		mr_postfix_get(doctor->postfix.postfix, "non_smtpd_milters");

	if (raw != NULL && strcmp(raw, "$smtpd_milters") == 0)
		return; /* what is wrong with that is said above */
	if (!has_ours(doctor, &told))
		complain(doctor, &told);
}

static void see_overrides(struct mr_doctor *doctor, const struct mr_told *told)
{
	const char *list = told->value, *word, *rest = "";
	bool found = false;

	while ((word = mr_postfix_next(doctor->arena, &list)) != NULL) {
		if (strcmp(word, "no_milters") == 0) {
			found = true;
			continue;
		}
		rest = mr_doctor_text(
			doctor, "%s%s%s", rest, *rest == '\0' ? "" : ",", word);
	}
	if (found)
		mr_doctor_complain(doctor, mr_doctor_where(doctor, told),
			*rest == '\0' ? mr_doctor_unset(doctor, told)
				      : mr_doctor_set(doctor, told, rest));
}

static void look_at_overrides(struct mr_doctor *doctor)
{
	mr_doctor_each_told(doctor, "receive_override_options", see_overrides);
}

static void see_set(struct mr_doctor *doctor, const struct mr_told *told)
{
	if (*told->value != '\0')
		mr_doctor_complain(doctor, mr_doctor_where(doctor, told),
			mr_doctor_unset(doctor, told));
}

static void look_at_maps(struct mr_doctor *doctor)
{
	mr_doctor_each_told(doctor, "smtpd_milter_maps", see_set);
}

static void see_order(struct mr_doctor *doctor, const struct mr_told *told)
{
	if (has_ours(doctor, told) &&
		!mr_setup_is_in_order(&doctor->postfix, told->value))
		complain(doctor, told);
}

static void look_at_order(struct mr_doctor *doctor)
{
	mr_doctor_each_told(doctor, "smtpd_milters", see_order);
}

/* --- without it, and in time -------------------------------------------- */

/* Of our element what it says, or else what holds for all milters there. */
static const char *holds(struct mr_doctor *doctor, const struct mr_told *list,
	const char *ours, const char *name, bool *said)
{
	const char *value =
		mr_setup_element_option(&doctor->postfix, ours, name);
	struct mr_told all = mr_doctor_told(doctor, list->service,
		mr_doctor_text(doctor, "milter_%s", name));

	*said = value != NULL || mr_doctor_is_said(doctor, &all);
	return value != NULL ? value : all.value;
}

/* Complains of each list in which something is wrong with our element.  A
 * service without a list of its own may still have milter_... of its own. */
static void each_ours(struct mr_doctor *doctor,
	bool (*is_wrong)(struct mr_doctor *doctor, const struct mr_told *list,
		const char *ours))
{
	static const char *const lists[] = { "smtpd_milters",
		"non_smtpd_milters" };
	const struct mr_postfix_service *service =
		mr_postfix_services(doctor->postfix.postfix);
	const char *local =
		mr_postfix_get(doctor->postfix.postfix, "non_smtpd_milters");
	bool same = local != NULL && strcmp(local, "$smtpd_milters") == 0;
	struct mr_told told;
	const char *ours;

	for (size_t i = 0; i < (same ? 1 : 2); i++) {
		told = mr_doctor_told(doctor, NULL, lists[i]);
		ours = mr_setup_our_milter(&doctor->postfix, told.value);
		if (ours != NULL && is_wrong(doctor, &told, ours))
			complain(doctor, &told);
	}
	for (; service != NULL; service = service->next) {
		bool own;

		if (!service->outside)
			continue;
		told = mr_doctor_told(doctor, service, lists[0]);
		own = told.service != NULL;
		ours = mr_setup_our_milter(&doctor->postfix, told.value);
		told.service = service;
		if (ours == NULL || !is_wrong(doctor, &told, ours))
			continue;
		if (!own)
			told.service = NULL;
		if (own || !is_wrong(doctor, &told, ours))
			complain(doctor, &told);
	}
}

static bool is_lossy(
	struct mr_doctor *doctor, const struct mr_told *list, const char *ours)
{
	bool said;
	const char *action = holds(doctor, list, ours, "default_action", &said);

	return strcmp(action, "reject") == 0 ||
	       strcmp(action, "quarantine") == 0;
}

static bool is_open(
	struct mr_doctor *doctor, const struct mr_told *list, const char *ours)
{
	bool said;
	const char *action = holds(doctor, list, ours, "default_action", &said);

	return strcmp(action, "accept") == 0 &&
	       strcmp(mr_setup_on_failure(&doctor->postfix), "accept") != 0;
}

static bool is_strict(
	struct mr_doctor *doctor, const struct mr_told *list, const char *ours)
{
	bool said;
	const char *action = holds(doctor, list, ours, "default_action", &said);

	return said && strcmp(action, "accept") != 0 &&
	       !is_lossy(doctor, list, ours) &&
	       strcmp(mr_setup_on_failure(&doctor->postfix), "accept") == 0;
}

static bool is_unsaid(
	struct mr_doctor *doctor, const struct mr_told *list, const char *ours)
{
	bool said;

	holds(doctor, list, ours, "default_action", &said);
	return !said;
}

/* Postfix's times: a number, and s m h d w behind it or nothing. */
static int64_t seconds(const char *text)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 } };
	char *end;
	int64_t value = strtoll(text, &end, 10);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*end == units[i].unit && value < INT64_MAX / 604800)
			value *= units[i].seconds;
	return value;
}

static bool is_hasty(
	struct mr_doctor *doctor, const struct mr_told *list, const char *ours)
{
	int64_t wait = doctor->postfix.policy->global->wait;
	const struct {
		const char *name;
		int64_t least;
	} times[] = { { "connect_timeout", MR_SETUP_CONNECT_S },
		{ "command_timeout", wait + 1 },
		{ "content_timeout", wait + 1 } };
	bool said;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (seconds(holds(doctor, list, ours, times[i].name, &said)) <
			times[i].least)
			return true;
	return false;
}

static void look_at_lossy(struct mr_doctor *doctor)
{
	each_ours(doctor, is_lossy);
}

static void look_at_open(struct mr_doctor *doctor)
{
	each_ours(doctor, is_open);
}

static void look_at_strict(struct mr_doctor *doctor)
{
	each_ours(doctor, is_strict);
}

static void look_at_unsaid(struct mr_doctor *doctor)
{
	each_ours(doctor, is_unsaid);
}

static void look_at_times(struct mr_doctor *doctor)
{
	each_ours(doctor, is_hasty);
}

static const struct mr_ailment ailments[] = {
	{ "milter_missing", MR_BYPASSES, look_for_ours,
		"Postfix does not ask Mailreeve about mail that comes by "
		"SMTP." },
	{ "milter_overridden", MR_BYPASSES, look_for_other_lists,
		"This service has a list of milters of its own, without "
		"Mailreeve." },
	{ "milter_local", MR_BYPASSES, look_at_local,
		"Postfix does not ask Mailreeve about mail from sendmail(1)." },
	{ "no_milters", MR_BYPASSES, look_at_overrides,
		"no_milters switches all milters off for what comes in "
		"here." },
	{ "milter_maps", MR_BYPASSES, look_at_maps,
		"This table gives some clients other milters, or none "
		"(DISABLE), instead of smtpd_milters." },
	{ "milter_order", MR_BYPASSES, look_at_order,
		"The policy trusts a header of a scanner that runs before "
		"(scanner { trust = before }), but Mailreeve is asked before "
		"all other milters." },
	{ "default_action_loses", MR_LOSES, look_at_lossy,
		"While Mailreeve does not answer, mail is refused for good or "
		"held." },
	{ "default_action_accepts", MR_BYPASSES, look_at_open,
		"While Mailreeve does not answer, mail is accepted unseen, and "
		"the policy does not say on_failure = accept." },
	{ "default_action_waits", MR_ADVICE, look_at_strict,
		"While Mailreeve does not answer, mail has to wait, though the "
		"policy says on_failure = accept." },
	{ "default_action_missing", MR_ADVICE, look_at_unsaid,
		"Nothing says what becomes of mail while Mailreeve does not "
		"answer, and versions of Postfix differ in what they do "
		"then." },
	{ "milter_timeout", MR_LOSES, look_at_times,
		"Postfix gives Mailreeve up before it may answer: each wait "
		"has to be longer than the policy's, and at least 5 s for the "
		"connection." },
	{ NULL },
};

const struct mr_subject mr_subject_milter = { MR_ASKS_POSTFIX, ailments };
