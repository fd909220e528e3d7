/* doctor_policyd - Postfix's restrictions that ask a policy service, ours or
 * another: in which order, for how long, and what if it does not answer. */
/* SPDX-License-Identifier: ISC */
#include "cli/doctor.h"
#include "common/base/arena.h"

#include <stdlib.h>
#include <string.h>

/* --- before reject_unauth_destination ----------------------------------- */

static bool has_guard(struct mr_doctor *doctor, const char *list)
{
	const char *word;

	while ((word = mr_postfix_next(doctor->arena, &list)) != NULL)
		if (mr_setup_is_guard(word))
			return true;
	return false;
}

/* Is a policy service asked before the guard, or without one? */
static bool is_early(struct mr_doctor *doctor, const char *list)
{
	const char *word;

	while ((word = mr_postfix_next(doctor->arena, &list)) != NULL &&
		!mr_setup_is_guard(word))
		if (mr_setup_asks_service(word))
			return true;
	return false;
}

static const char *join(
	struct mr_doctor *doctor, const char *list, const char *more)
{
	if (*list == '\0' || *more == '\0')
		return *list == '\0' ? more : list;
	return mr_doctor_text(doctor, "%s, %s", list, more);
}

/* The list with its early policy services right behind the guard. */
static const char *reorder(struct mr_doctor *doctor, const char *list)
{
	const char *before = "", *services = "", *word;

	while ((word = mr_postfix_next(doctor->arena, &list)) != NULL) {
		const char **part = &before;

		if (mr_setup_asks_service(word)) {
			const char *service =
				mr_postfix_next(doctor->arena, &list);

			part = &services;
			word = mr_doctor_text(doctor, "%s %s", word,
				service == NULL ? "" : service);
		}
		*part = join(doctor, *part, word);
		if (mr_setup_is_guard(word))
			break;
	}
	return join(doctor, join(doctor, before, services),
		list + strspn(list, ", \t"));
}

static const char guards[] = "permit_mynetworks, permit_sasl_authenticated, "
			     "reject_unauth_destination";

/* smtpd_relay_restrictions are asked before smtpd_recipient_restrictions, so
 * that the order there only matters where these have no guard. */
static void see_order(struct mr_doctor *doctor,
	const struct mr_postfix_service *service, bool *of_main)
{
	struct mr_told relay =
		mr_doctor_told(doctor, service, "smtpd_relay_restrictions");
	struct mr_told rcpt =
		mr_doctor_told(doctor, service, "smtpd_recipient_restrictions");
	const struct mr_told *said = NULL;
	const char *cure;

	if (has_guard(doctor, relay.value)) {
		if (is_early(doctor, relay.value)) {
			said = &relay;
			cure = reorder(doctor, relay.value);
		}
	} else if (is_early(doctor, rcpt.value)) {
		said = &rcpt;
		cure = guards;
	}
	if (said == NULL)
		return;
	if (relay.service == NULL && rcpt.service == NULL) {
		if (*of_main)
			return; /* said already */
		*of_main = true;
	}
	mr_doctor_complain(doctor, mr_doctor_where(doctor, said),
		mr_doctor_set(doctor, &relay, cure));
}

static void look_at_order(struct mr_doctor *doctor)
{
	const struct mr_postfix_service *service =
		mr_postfix_services(doctor->postfix.postfix);
	bool of_main = false;

	see_order(doctor, NULL, &of_main);
	for (; service != NULL; service = service->next)
		if (service->outside)
			see_order(doctor, service, &of_main);
}

/* --- time and failure --------------------------------------------------- */

static const char *const restrictions[] = { "smtpd_client_restrictions",
	"smtpd_helo_restrictions", "smtpd_sender_restrictions",
	"smtpd_relay_restrictions", "smtpd_recipient_restrictions",
	"smtpd_data_restrictions", "smtpd_end_of_data_restrictions" };

enum { RESTRICTIONS = sizeof(restrictions) / sizeof(restrictions[0]) };

/* Is a service asked that lacks the option? */
static bool lacks(
	struct mr_doctor *doctor, const char *list, const char *option)
{
	const char *word;

	while ((word = mr_postfix_next(doctor->arena, &list)) != NULL) {
		if (!mr_setup_asks_service(word))
			continue;
		word = mr_postfix_next(doctor->arena, &list);
		if (word != NULL && mr_setup_element_option(&doctor->postfix,
					    word, option) == NULL)
			return true;
	}
	return false;
}

static bool is_lacking(struct mr_doctor *doctor, const char *option)
{
	const struct mr_postfix_service *s =
		mr_postfix_services(doctor->postfix.postfix);

	for (size_t i = 0; i < RESTRICTIONS; i++)
		if (lacks(doctor,
			    mr_doctor_told(doctor, NULL, restrictions[i]).value,
			    option))
			return true;
	for (; s != NULL; s = s->next)
		for (size_t i = 0; s->outside && i < RESTRICTIONS; i++)
			if (lacks(doctor,
				    mr_doctor_told(doctor, s, restrictions[i])
					    .value,
				    option))
				return true;
	return false;
}

static void look_for(
	struct mr_doctor *doctor, const char *option, const char *value)
{
	struct mr_told told = mr_doctor_told(doctor, NULL,
		mr_doctor_text(doctor, "smtpd_policy_service_%s", option));

	if (!mr_doctor_is_said(doctor, &told) && is_lacking(doctor, option))
		mr_doctor_complain(doctor, mr_doctor_where(doctor, &told),
			mr_doctor_set(doctor, &told, value));
}

static void look_at_failure(struct mr_doctor *doctor)
{
	look_for(doctor, "default_action",
		strcmp(mr_setup_on_failure(&doctor->postfix), "accept") == 0
			? "DUNNO"
			: "451 4.3.5 The policy service does not answer, try "
			  "again later");
}

static void look_at_time(struct mr_doctor *doctor)
{
	look_for(doctor, "timeout", "30s");
}

static const struct mr_ailment ailments[] = {
	{ "policy_service_first", MR_BYPASSES, look_at_order,
		"A policy service is asked before reject_unauth_destination: "
		"if it ever answers OK, anybody may relay." },
	{ "policy_service_action", MR_ADVICE, look_at_failure,
		"A policy service that does not answer makes Postfix say "
		"\"Server configuration problem\", whatever on_failure says." },
	{ "policy_service_timeout", MR_LOSES, look_at_time,
		"A policy service that hangs holds each mail twice for 100 s, "
		"and senders give up." },
	{ NULL },
};

const struct mr_subject mr_subject_policyd = { MR_ASKS_POSTFIX, ailments };
