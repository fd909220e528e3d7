/* doctor - see doctor.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/doctor.h"
#include "common/base/arena.h"

#include <ctype.h>
#include <string.h>

#define SUBJECT(name) extern const struct mr_subject mr_subject_##name;
#include "cli/subjects.def"
#undef SUBJECT

const struct mr_subject *const mr_subjects[] = {
#define SUBJECT(name) &mr_subject_##name,
#include "cli/subjects.def"
#undef SUBJECT
	NULL,
};

const char *mr_harm_name(enum mr_harm harm)
{
	static const char *const names[] = { "loses", "bypasses", "advice" };

	return names[harm];
}

/* --- what is found ------------------------------------------------------ */

void mr_doctor_complain(
	struct mr_doctor *doctor, const char *where, const char *cure)
{
	struct mr_complaint *complaint =
		MR_NEW(doctor->arena, struct mr_complaint);

	complaint->ailment = doctor->ailment;
	complaint->where = where;
	complaint->cure = cure;
	*doctor->last_complaint = complaint;
	doctor->last_complaint = &complaint->next;
}

void mr_doctor_could_not(
	struct mr_doctor *doctor, const char *what, const char *why)
{
	struct mr_unseen *unseen = MR_NEW(doctor->arena, struct mr_unseen);

	unseen->what = what;
	unseen->why = mr_arena_strdup(doctor->arena, why);
	*doctor->last_unseen = unseen;
	doctor->last_unseen = &unseen->next;
}

/* --- looking ------------------------------------------------------------ */

static bool ask_postfix(struct mr_doctor *doctor)
{
	struct mr_error error;

	if (mr_setup_ask_postfix(&doctor->postfix, &error) == 0)
		return true;
	doctor->postfix.postfix = NULL;
	mr_doctor_could_not(doctor, "Postfix", error.text);
	return false;
}

static bool ask_dovecot(struct mr_doctor *doctor)
{
	struct mr_error error;

	if (mr_setup_ask_dovecot(&doctor->dovecot, &error) < 0) {
		mr_doctor_could_not(doctor, "Dovecot", error.text);
		return false;
	}
	if (doctor->dovecot.no_answer != NULL)
		mr_doctor_could_not(
			doctor, "Dovecot", doctor->dovecot.no_answer);
	return doctor->dovecot.no_answer == NULL;
}

void mr_doctor_look(struct mr_doctor *doctor, const struct mr_policy *policy)
{
	const struct mr_setup setup = { .cli = doctor->cli,
		.arena = doctor->arena,
		.policy = policy,
		.part = MR_SETUP_CONF };
	bool answers[] = { false, false, true };

	doctor->postfix = doctor->dovecot = setup;
	doctor->last_complaint = &doctor->complaints;
	doctor->last_unseen = &doctor->unseen;
	answers[MR_ASKS_POSTFIX] = ask_postfix(doctor);
	answers[MR_ASKS_DOVECOT] = ask_dovecot(doctor);
	for (const struct mr_subject *const *subject = mr_subjects;
		*subject != NULL; subject++) {
		const struct mr_ailment *ailment = (*subject)->ailments;

		if (!answers[(*subject)->asks])
			continue;
		for (; ailment->name != NULL; ailment++) {
			doctor->ailment = ailment;
			ailment->look(doctor);
		}
	}
}

/* --- for the subjects --------------------------------------------------- */

const char *mr_doctor_text(struct mr_doctor *doctor, const char *format, ...)
{
	const char *text;
	va_list ap;

	va_start(ap, format);
	text = mr_arena_vprintf(doctor->arena, format, ap);
	va_end(ap);
	return text;
}

const char *mr_doctor_quote(struct mr_doctor *doctor, const char *text)
{
	const char *quoted = "'";
	size_t length;

	for (; text[length = strcspn(text, "'")] != '\0'; text += length + 1)
		quoted = mr_doctor_text(
			doctor, "%s%.*s'\\''", quoted, (int)length, text);
	return mr_doctor_text(doctor, "%s%s'", quoted, text);
}

const char *mr_doctor_dovecot_conf(const struct mr_doctor *doctor)
{
	const char *path = doctor->dovecot.dovecot->path;

	return path == NULL ? "/etc/dovecot/dovecot.conf" : path;
}

struct mr_told mr_doctor_told(struct mr_doctor *doctor,
	const struct mr_postfix_service *service, const char *name)
{
	const struct mr_postfix *postfix = doctor->postfix.postfix;
	struct mr_told told = { .name = name };

	if (service != NULL)
		told.value = mr_postfix_option(postfix, service, name);
	if (told.value != NULL)
		told.service = service;
	else
		told.value = mr_postfix_expand(postfix, name);
	if (told.value == NULL)
		told.value = ""; /* a parameter that this Postfix has not */
	return told;
}

/* Does a content filter give mail back there that the policy wants to see again
 * (scanner { trust = reinjected ADDRESS:PORT })? */
static bool takes_back(
	struct mr_doctor *doctor, const struct mr_postfix_service *service)
{
	const struct mr_config *config = doctor->postfix.policy->config;
	const struct mr_chain nobody = { 0 };
	const char *const *titles = mr_config_titles(
		config, &nobody, &mr_section_scanner, doctor->arena);

	for (; *titles != NULL; titles++) {
		const struct mr_scanner *scanner = mr_config_get(config, NULL,
			&mr_section_scanner, *titles, doctor->arena)
		                                           ->values;
		const char *address = strchr(scanner->trust, ' ');

		if (strncmp(scanner->trust, "reinjected ", 11) == 0 &&
			strcmp(service->name,
				mr_doctor_text(doctor, "%s/inet",
					address + strspn(address, " "))) == 0)
			return true;
	}
	return false;
}

void mr_doctor_each_told(struct mr_doctor *doctor, const char *name,
	void (*see)(struct mr_doctor *doctor, const struct mr_told *told))
{
	const struct mr_postfix_service *service =
		mr_postfix_services(doctor->postfix.postfix);
	struct mr_told told = mr_doctor_told(doctor, NULL, name);

	see(doctor, &told);
	for (; service != NULL; service = service->next) {
		if (!service->outside && !takes_back(doctor, service))
			continue;
		told = mr_doctor_told(doctor, service, name);
		if (told.service != NULL)
			see(doctor, &told);
	}
}

bool mr_doctor_is_said(struct mr_doctor *doctor, const struct mr_told *told)
{
	return told->service != NULL ||
	       mr_postfix_sets(doctor->postfix.postfix, told->name);
}

const char *mr_doctor_where(
	struct mr_doctor *doctor, const struct mr_told *told)
{
	const char *directory =
		mr_postfix_expand(doctor->postfix.postfix, "config_directory");

	if (directory == NULL)
		directory = "/etc/postfix";
	if (told->service != NULL)
		return mr_doctor_text(doctor, "%s/master.cf: %s: -o %s=%s",
			directory, told->service->name, told->name,
			told->value);
	return mr_doctor_text(doctor, "%s/main.cf: %s =%s%s%s", directory,
		told->name, *told->value == '\0' ? "" : " ", told->value,
		mr_doctor_is_said(doctor, told) ? "" : " (the default)");
}

/* "mailreeve_submission_inet_smtpd_milters": a parameter of main.cf for a
 * service, as postconf -P takes no value with blanks. */
static const char *parameter_of(
	struct mr_doctor *doctor, const struct mr_told *told)
{
	char *name = mr_arena_printf(doctor->arena, "mailreeve_%s_%s",
		told->service->name, told->name);

	for (char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p))
			*p = '_';
	return name;
}

static const char *option(
	struct mr_doctor *doctor, const struct mr_told *told, const char *value)
{
	return mr_doctor_quote(
		doctor, mr_doctor_text(doctor, "%s/%s%s", told->service->name,
				told->name, value));
}

const char *mr_doctor_set(
	struct mr_doctor *doctor, const struct mr_told *told, const char *value)
{
	const char *name = told->name;

	if (told->service != NULL && strpbrk(value, " \t") == NULL)
		return mr_doctor_text(doctor, "postconf -P %s",
			option(doctor, told,
				mr_doctor_text(doctor, "=%s", value)));
	if (told->service != NULL)
		name = parameter_of(doctor, told);
	value = mr_doctor_text(doctor, "postconf -e %s",
		mr_doctor_quote(doctor,
			mr_doctor_text(doctor, "%s = %s", name, value)));
	if (told->service == NULL)
		return value;
	return mr_doctor_text(doctor, "%s\npostconf -P %s", value,
		option(doctor, told, mr_doctor_text(doctor, "=$%s", name)));
}

const char *mr_doctor_unset(
	struct mr_doctor *doctor, const struct mr_told *told)
{
	if (told->service != NULL)
		return mr_doctor_text(
			doctor, "postconf -PX %s", option(doctor, told, ""));
	return mr_doctor_text(doctor, "postconf -X %s", told->name);
}
