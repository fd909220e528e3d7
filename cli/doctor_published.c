/* doctor_published - do Dovecot's plugin and the running daemons know what the
 * policy file says now? */
/* SPDX-License-Identifier: ISC */
#include "cli/doctor.h"
#include "cli/service.h"
#include "common/base/arena.h"
#include "common/policy/judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* The copy that `mailreeve reload` would publish now; free it. */
static char *wanted(struct mr_doctor *doctor, struct mr_error *error)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int status;

	if (out == NULL) {
		mr_error_set(error, "%s", strerror(errno));
		return NULL;
	}
	status = mr_config_publish(doctor->dovecot.policy->config, out, error);
	if (fclose(out) != 0 && status == 0)
		status = mr_error_set(error, "%s", strerror(errno));
	if (status == 0)
		return text;
	free(text);
	return NULL;
}

/* Octet by octet, as copies may be large. */
static bool is_same(FILE *file, const char *text)
{
	int c;

	while ((c = getc(file)) != EOF && c == (unsigned char)*text &&
		c != '\0')
		text++;
	return c == EOF && *text == '\0';
}

static const char *reload(struct mr_doctor *doctor)
{
	const char *command = "mailreeve reload";

	if (strcmp(doctor->cli->config, MAILREEVE_CONFIG) != 0)
		command = mr_doctor_text(doctor, "%s -c %s", command,
			mr_doctor_quote(doctor, doctor->cli->config));
	if (strcmp(doctor->state, MAILREEVE_STATEDIR) != 0)
		command = mr_doctor_text(doctor, "%s --state-dir %s", command,
			mr_doctor_quote(doctor, doctor->state));
	return command;
}

static void look_at_copy(struct mr_doctor *doctor)
{
	const char *path =
		mr_doctor_text(doctor, "%s/mailbox.conf", doctor->state);
	struct mr_error error;
	char *text = wanted(doctor, &error);
	FILE *file;

	if (text == NULL) {
		mr_doctor_could_not(doctor, path, error.text);
		return;
	}
	file = fopen(path, "re");
	if (file == NULL && errno != ENOENT)
		mr_doctor_could_not(doctor, path, strerror(errno));
	else if (file == NULL || !is_same(file, text))
		mr_doctor_complain(doctor,
			file == NULL
				? mr_doctor_text(doctor, "%s is missing", path)
				: path,
			reload(doctor));
	if (file != NULL)
		fclose(file);
	free(text);
}

/* --- the daemons -------------------------------------------------------- */

static const char *field(
	struct mr_doctor *doctor, const char *pairs, const char *name)
{
	const char *start =
		strstr(pairs, mr_doctor_text(doctor, "\n%s=", name));

	if (start == NULL)
		return "";
	start += strlen(name) + 2;
	return mr_arena_strndup(doctor->arena, start, strcspn(start, "\n"));
}

static bool is_same_file(const char *a, const struct stat *b)
{
	struct stat st;

	return stat(a, &st) == 0 && st.st_dev == b->st_dev &&
	       st.st_ino == b->st_ino;
}

static bool was_found(const struct mr_doctor *doctor, const char *name)
{
	const struct mr_complaint *c = doctor->complaints;

	while (c != NULL && strcmp(c->ailment->name, name) != 0)
		c = c->next;
	return c != NULL;
}

/* `dead`: the ailment of which nobody is there to be asked. */
static void look_at_daemon(struct mr_doctor *doctor, enum mr_judge program,
	const struct mr_service *settings, const char *dead)
{
	const struct mr_cli_service *service = &mr_services[program];
	const char *config = doctor->cli->config, *loaded, *file;
	const char *what = mr_doctor_text(
		doctor, "the policy of the running %s", service->name);
	struct mr_service_answer answer;
	struct mr_error error;
	struct stat st;
	struct tm at = { 0 };

	if (!mr_judge_is_used(doctor->postfix.policy, program) ||
		was_found(doctor, dead))
		return;
	if (stat(config, &st) < 0) {
		mr_doctor_could_not(doctor, config, strerror(errno));
		return;
	}
	if (mr_service_ask(service, settings->control, "status", doctor->arena,
		    &answer, &error) < 0) {
		mr_doctor_could_not(doctor, what, error.text);
		return;
	}
	file = field(doctor, answer.pairs, "policy");
	loaded = field(doctor, answer.pairs, "loaded");
	if (!is_same_file(file, &st) ||
		strptime(loaded, "%Y-%m-%dT%H:%M:%SZ", &at) == NULL)
		mr_doctor_could_not(doctor, what,
			mr_doctor_text(doctor, "it reads %s, not %s",
				*file == '\0' ? "another file" : file, config));
	else if (st.st_mtime > timegm(&at))
		mr_doctor_complain(doctor,
			mr_doctor_text(
				doctor, "%s, read at %s", config, loaded),
			reload(doctor));
}

static void look_at_milter(struct mr_doctor *doctor)
{
	look_at_daemon(doctor, MR_JUDGE_MILTER, doctor->postfix.policy->milter,
		"socket_dead");
}

static void look_at_policyd(struct mr_doctor *doctor)
{
	look_at_daemon(doctor, MR_JUDGE_POLICYD,
		doctor->postfix.policy->policyd, "policy_socket_dead");
}

static const struct mr_ailment ailments[] = {
	{ "published", MR_BYPASSES, look_at_copy,
		"Dovecot's plugin does not read the policy as it is now: it "
		"has not been published since it was changed." },
	{ "milter_policy", MR_BYPASSES, look_at_milter,
		"The milter judges by the policy as it was before: the file "
		"has been changed since, and not reloaded." },
	{ "policyd_policy", MR_BYPASSES, look_at_policyd,
		"The policy daemon judges by the policy as it was before: the "
		"file has been changed since, and not reloaded." },
	{ NULL },
};

const struct mr_subject mr_subject_published = { MR_ASKS_NOBODY, ailments };
