/*
 * doctor - what loses mail or bypasses the policy, on this host
 *
 * An ailment is a row of a table: its name, how bad it is, why, and a function
 * that looks for it.  A subject is a file, doctor_NAME.c, with such a table,
 * and a line in subjects.def.  What has to be right is not known here but in
 * setup, which prints it.
 *
 * Every complaint comes with the shell commands that end it.  What could not be
 * looked at is said, and is never the same as nothing found.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_DOCTOR_H
#define MR_CLI_DOCTOR_H

#include "cli/setup.h"

enum mr_harm { MR_LOSES, MR_BYPASSES, MR_ADVICE };

struct mr_doctor;

struct mr_ailment {
	const char *name; /* ends a table with NULL */
	enum mr_harm harm;
	void (*look)(struct mr_doctor *doctor);
	const char *why; /* one sentence */
};

/* Whom a subject's ailments are about. */
enum mr_asked { MR_ASKS_POSTFIX, MR_ASKS_DOVECOT, MR_ASKS_NOBODY };

struct mr_subject {
	enum mr_asked asks;
	const struct mr_ailment *ailments;
};

/* All subjects, in the order in which they are looked at; ends with NULL. */
extern const struct mr_subject *const mr_subjects[];

struct mr_complaint {
	const struct mr_ailment *ailment;
	const char *where;
	const char *cure; /* lines for sh */
	const struct mr_complaint *next;
};

struct mr_unseen {
	const char *what, *why;
	const struct mr_unseen *next;
};

struct mr_doctor {
	struct mr_cli *cli;
	struct mr_arena *arena;
	const char *state; /* the directory of mailbox.conf */
	struct mr_setup postfix, dovecot;
	const struct mr_ailment *ailment; /* that is being looked for */
	const struct mr_complaint *complaints, **last_complaint;
	const struct mr_unseen *unseen, **last_unseen;
};

/* Looks for everything; `doctor` has cli, arena and state. */
void mr_doctor_look(struct mr_doctor *doctor, const struct mr_policy *policy);
/* "loses", "bypasses", "advice" */
const char *mr_harm_name(enum mr_harm harm);

void mr_doctor_print_json(const struct mr_doctor *doctor);

/* --- for the subjects --------------------------------------------------- */

void mr_doctor_complain(
	struct mr_doctor *doctor, const char *where, const char *cure);
/* "Could not look at WHAT: WHY". */
void mr_doctor_could_not(
	struct mr_doctor *doctor, const char *what, const char *why);

/* printf into the arena. */
const char *mr_doctor_text(struct mr_doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* In single quotes, for sh. */
const char *mr_doctor_quote(struct mr_doctor *doctor, const char *text);

/* The path of dovecot.conf. */
const char *mr_doctor_dovecot_conf(const struct mr_doctor *doctor);

/* A parameter of Postfix, where it is said: in main.cf, or by an -o of a
 * service. */
struct mr_told {
	const struct mr_postfix_service *service; /* NULL: main.cf */
	const char *name;
	const char *value; /* with $names filled in */
};

/* main.cf's (or the default), then that of each smtpd that has its own, and
 * that the outside reaches or a scanner that the policy trusts. */
void mr_doctor_each_told(struct mr_doctor *doctor, const char *name,
	void (*see)(struct mr_doctor *doctor, const struct mr_told *told));
/* What holds for the service (NULL: where none says otherwise). */
struct mr_told mr_doctor_told(struct mr_doctor *doctor,
	const struct mr_postfix_service *service, const char *name);
/* Does main.cf (not only a default) or the service say it? */
bool mr_doctor_is_said(struct mr_doctor *doctor, const struct mr_told *told);
/* "/etc/postfix/master.cf: submission/inet: -o NAME=VALUE" */
const char *mr_doctor_where(
	struct mr_doctor *doctor, const struct mr_told *told);
/* The command that says `value` there, or nothing any more. */
const char *mr_doctor_set(struct mr_doctor *doctor, const struct mr_told *told,
	const char *value);
const char *mr_doctor_unset(
	struct mr_doctor *doctor, const struct mr_told *told);

#endif
