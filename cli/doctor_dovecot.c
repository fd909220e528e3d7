/* doctor_dovecot - what of Dovecot's does the plugin's work beside it, or
 * overrules the policy.  doveconf does not tell where a setting stands, so that
 * the files are read again, for the place only. */
/* SPDX-License-Identifier: ISC */
#include "cli/doctor.h"
#include "common/base/arena.h"

#include <string.h>

/* --- places ------------------------------------------------------------- */

/* Makes comments of the lines. */
static const char *comment_out(
	struct mr_doctor *doctor, const char *file, int from, int to)
{
	return mr_doctor_text(doctor,
		"sed --follow-symlinks -i '%d,%ds/^/#/' %s", from, to,
		mr_doctor_quote(doctor, file));
}

/* The last that says it: once that is gone an earlier one may come to light,
 * which is found then. */
static void complain(
	struct mr_doctor *doctor, const struct mr_setup_doubled *doubled)
{
	const struct mr_dovecot *files = mr_dovecot_read_files(
		doctor->arena, mr_doctor_dovecot_conf(doctor));
	const struct mr_dovecot_setting *setting = doubled->setting, *at;
	const struct mr_dovecot_section *root = NULL;
	const char *shown = mr_dovecot_show(doctor->arena, setting);
	const char *where = mr_doctor_dovecot_conf(doctor), *cure;

	at = mr_dovecot_find_setting(files, setting);
	if (doubled->what == MR_SETUP_OTHER_ROOT &&
		strcmp(setting->name, "driver") == 0)
		root = mr_dovecot_find_section(files, setting->in);
	if (root != NULL) {
		where = mr_doctor_text(doctor, "%s:%d", root->file, root->line);
		cure = comment_out(
			doctor, root->file, root->line, root->last_line);
	} else if (at != NULL) {
		where = mr_doctor_text(doctor, "%s:%d", at->file, at->line);
		cure = comment_out(doctor, at->file, at->line, at->line);
	} else {
		cure = mr_doctor_text(doctor, "grep -rn %s /etc/dovecot",
			mr_doctor_quote(doctor, setting->name));
	}
	where = mr_doctor_text(doctor, "%s: %s", where, shown);
	if (doubled->rule != NULL)
		where = mr_doctor_text(doctor, "%s (%s)", where, doubled->rule);
	mr_doctor_complain(doctor, where, cure);
}

static void look_at_doubled(struct mr_doctor *doctor, enum mr_setup_double what)
{
	const struct mr_setup_doubled *doubled =
		mr_setup_doubled(&doctor->dovecot);

	for (; doubled != NULL; doubled = doubled->next)
		if (doubled->what == what)
			complain(doctor, doubled);
}

static void look_at_roots(struct mr_doctor *doctor)
{
	look_at_doubled(doctor, MR_SETUP_OTHER_ROOT);
}

static void look_at_limits(struct mr_doctor *doctor)
{
	look_at_doubled(doctor, MR_SETUP_OTHER_LIMIT);
}

static void look_at_autoexpunge(struct mr_doctor *doctor)
{
	look_at_doubled(doctor, MR_SETUP_AUTOEXPUNGE);
}

static const struct mr_ailment ailments[] = {
	{ "quota_root", MR_BYPASSES, look_at_roots,
		"It counts a second quota beside the policy's, which refuses "
		"by limits of its own." },
	{ "quota_limit", MR_BYPASSES, look_at_limits,
		"It is everybody's limit, whatever the policy's mailbox "
		"{ quota } says." },
	{ "autoexpunge", MR_LOSES, look_at_autoexpunge,
		"The policy purges that folder, too: the earlier of the two "
		"wins, and Dovecot's asks none of the policy's guards." },
	{ NULL },
};

const struct mr_subject mr_subject_dovecot = { MR_ASKS_DOVECOT, ailments };
