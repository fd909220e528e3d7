/* verb_doctor - `mailreeve doctor`: what loses mail or bypasses the policy. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/doctor.h"
#include "common/base/arena.h"
#include "common/base/text.h"

#include <stdio.h>
#include <string.h>

enum { KEY_JSON = 256, KEY_NAMES, KEY_STATE };

static const struct mr_flag flags[] = {
	MR_FLAG_CONFIG,
	{ KEY_JSON, "json", NULL, "for programs" },
	{ KEY_NAMES, "names", NULL,
		"only the names of what is looked for, and how bad\n"
		"each is" },
	{ KEY_STATE, "state-dir", "DIR",
		"where mailbox.conf is published\n"
		"(default: " MAILREEVE_STATEDIR ")" },
	{ .name = NULL },
};

/* --- for people --------------------------------------------------------- */

enum { WIDTH = 78 };

static const struct {
	const char *words;
	enum mr_style style;
} harms[] = {
	[MR_LOSES] = { "loses mail", MR_STYLE_BAD },
	[MR_BYPASSES] = { "bypasses the policy", MR_STYLE_BAD },
	[MR_ADVICE] = { "advice", MR_STYLE_CAREFUL },
};

/* Lines of it, each behind `indent`.  A terminal must not obey what an admin's
 * file holds. */
static void print_lines(
	struct mr_cli *cli, const char *indent, const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		char *line = mr_arena_strndup(cli->arena, text, length);

		mr_text_clean(line, length);
		printf("%s%s\n", indent, line);
		text += length + (text[length] == '\n');
	}
}

static void print_wrapped(const char *indent, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (column > 0 && column + 1 + word > WIDTH) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf(
			"%s%.*s", column == 0 ? indent : " ", (int)word, text);
		text += word + strspn(text + word, " ");
	}
	putchar('\n');
}

static void print_complaint(
	struct mr_cli *cli, const struct mr_complaint *complaint)
{
	enum mr_harm harm = complaint->ailment->harm;

	printf("%s%s%s: %s\n", mr_style(harms[harm].style, cli->colour),
		harms[harm].words, mr_style(MR_STYLE_PLAIN, cli->colour),
		complaint->ailment->name);
	print_lines(cli, "  ", complaint->where);
	print_wrapped("  ", complaint->ailment->why);
	print_lines(cli, "    ", complaint->cure);
	putchar('\n');
}

static void print(struct mr_cli *cli, const struct mr_doctor *doctor)
{
	const struct mr_complaint *c = doctor->complaints;
	const struct mr_unseen *u = doctor->unseen;

	for (; c != NULL; c = c->next)
		print_complaint(cli, c);
	for (; u != NULL; u = u->next)
		print_lines(cli, "",
			mr_arena_printf(cli->arena, "could not look at %s: %s",
				u->what, u->why));
	if (doctor->complaints != NULL)
		puts("Each ends by the lines that stand under it, and a reload "
		     "of Postfix and Dovecot.");
	else if (doctor->unseen == NULL)
		puts("nothing found");
	else
		puts("nothing found in the rest");
}

/* ------------------------------------------------------------------------ */

static void print_names(void)
{
	for (const struct mr_subject *const *s = mr_subjects; *s != NULL; s++)
		for (const struct mr_ailment *a = (*s)->ailments;
			a->name != NULL; a++)
			printf("%s  %s\n", a->name, mr_harm_name(a->harm));
}

static enum mr_exit look(struct mr_cli *cli, const char *state, bool json)
{
	struct mr_doctor doctor = {
		.cli = cli, .arena = cli->arena, .state = state
	};
	struct mr_policy *policy = mr_cli_policy(cli);

	if (policy == NULL)
		return MR_EXIT_USAGE;
	mr_doctor_look(&doctor, policy);
	if (json)
		mr_doctor_print_json(&doctor);
	else
		print(cli, &doctor);
	mr_policy_release(&policy);
	if (doctor.complaints != NULL)
		return MR_EXIT_NEGATIVE;
	return doctor.unseen != NULL ? MR_EXIT_LATER : MR_EXIT_FINE;
}

static enum mr_exit run(struct mr_cli *cli)
{
	const char *value, *state = MAILREEVE_STATEDIR;
	bool json = false, names = false;
	int key;

	while ((key = mr_cli_next(cli, &value)) != MR_CLI_END)
		switch (key) {
		case KEY_JSON:
			json = true;
			break;
		case KEY_NAMES:
			names = true;
			break;
		default:
			state = value;
			break;
		}
	mr_cli_operand(cli, 0, 0);
	if (!names)
		return look(cli, state, json);
	print_names();
	return MR_EXIT_FINE;
}

const struct mr_verb mr_verb_doctor = {
	.name = "doctor",
	.summary = "what loses mail or bypasses the policy here",
	.help = "Looks at the installed Postfix and Dovecot, at the milter's "
		"socket and at the\n"
		"policy, and says what loses mail or bypasses the policy, why, "
		"and the commands\n"
		"that end it; it changes nothing.\n"
		"Exit status: 0 nothing found, 1 something found, 75 nothing "
		"found, but not all\n"
		"could be looked at.\n",
	.flags = flags,
	.run = run,
};
