/* verb_setup - `mailreeve setup`: prints what Postfix or Dovecot has to be
 * told, for the version that is installed.  It changes nothing. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/setup.h"

#include <stdio.h>
#include <string.h>

enum {
	KEY_MAIN_CF = 256,
	KEY_MASTER_CF,
	KEY_ALIASES,
	KEY_CONF,
	KEY_POSTFIX,
	KEY_DOVECOT,
};

static const struct mr_flag flags[] = {
	MR_FLAG_CONFIG,
	{ KEY_MAIN_CF, "main-cf", NULL,
		"postfix: only lines to append to main.cf" },
	{ KEY_MASTER_CF, "master-cf", NULL,
		"postfix: only lines to append to master.cf" },
	{ KEY_ALIASES, "aliases", NULL,
		"postfix: only lines to append to a table of\n"
		"virtual_alias_maps, for lists" },
	{ KEY_CONF, "conf", NULL,
		"dovecot: only the lines, for a file in conf.d" },
	{ KEY_POSTFIX, "postfix-version", "VERSION",
		"for that version, without looking at what is\n"
		"installed here" },
	{ KEY_DOVECOT, "dovecot-version", "VERSION", "the same for Dovecot" },
	{ .name = NULL },
};

static const char *const programs[] = { "postfix", "dovecot", NULL };

static void take_part(struct mr_setup *setup, enum mr_setup_part part)
{
	if (setup->part != MR_SETUP_ALL && setup->part != part)
		mr_cli_misused(setup->cli,
			"--main-cf, --master-cf, --aliases and --conf exclude "
			"each other");
	setup->part = part;
}

static void read_version(
	struct mr_setup *setup, const char *flag, const char *version)
{
	if (!mr_setup_read_version(setup, version))
		mr_cli_misused(setup->cli,
			"--%s %s: a version begins like 3.7 or 2.4", flag,
			version);
}

static enum mr_exit not_installed(struct mr_setup *setup, const char *program,
	const struct mr_error *error)
{
	mr_cli_say(setup->cli,
		"%s\nIs %s installed here?  Otherwise say for which version: "
		"--%s-version VERSION",
		error->text, program, program);
	return MR_EXIT_LATER;
}

static enum mr_exit set_up_postfix(struct mr_setup *setup, const char *version)
{
	struct mr_error error;

	if (version != NULL)
		read_version(setup, "postfix-version", version);
	else if (mr_setup_ask_postfix(setup, &error) < 0)
		return not_installed(setup, "postfix", &error);
	if (!mr_setup_is_at_least(setup, 3, 0))
		mr_cli_misused(setup->cli,
			"Postfix %s is too old; it has to be 3.0 or newer",
			setup->version);
	mr_setup_postfix(setup);
	return MR_EXIT_FINE;
}

static enum mr_exit set_up_dovecot(struct mr_setup *setup, const char *version)
{
	struct mr_error error;

	if (version != NULL)
		read_version(setup, "dovecot-version", version);
	else if (mr_setup_ask_dovecot(setup, &error) < 0)
		return not_installed(setup, "dovecot", &error);
	if (!mr_setup_is_at_least(setup, 2, 3))
		mr_cli_misused(setup->cli,
			"Dovecot %s is too old; it has to be 2.3 or newer",
			setup->version);
	return mr_setup_dovecot(setup);
}

struct versions {
	const char *postfix, *dovecot;
};

static void read_options(struct mr_setup *setup, struct versions *versions)
{
	const char *value;
	int key;

	while ((key = mr_cli_next(setup->cli, &value)) != MR_CLI_END)
		switch (key) {
		case KEY_MAIN_CF:
			take_part(setup, MR_SETUP_MAIN_CF);
			break;
		case KEY_MASTER_CF:
			take_part(setup, MR_SETUP_MASTER_CF);
			break;
		case KEY_ALIASES:
			take_part(setup, MR_SETUP_ALIASES);
			break;
		case KEY_CONF:
			take_part(setup, MR_SETUP_CONF);
			break;
		case KEY_POSTFIX:
			versions->postfix = value;
			break;
		default:
			versions->dovecot = value;
			break;
		}
}

/* "postfix" or "dovecot", with the options that fit it. */
static bool is_postfix(struct mr_setup *setup)
{
	const char *program = mr_cli_operand(setup->cli, 0, 1);
	bool postfix;

	if (program == NULL)
		mr_cli_misused(setup->cli, "what for, postfix or dovecot?");
	postfix = strcmp(program, "postfix") == 0;
	if (!postfix && strcmp(program, "dovecot") != 0)
		mr_cli_no_such(setup->cli, "setup", program, programs);
	if (postfix && setup->part == MR_SETUP_CONF)
		mr_cli_misused(setup->cli,
			"--conf is for dovecot; postfix has "
			"--main-cf, --master-cf and --aliases");
	if (!postfix && setup->part != MR_SETUP_ALL &&
		setup->part != MR_SETUP_CONF)
		mr_cli_misused(setup->cli,
			"--main-cf, --master-cf and --aliases are for "
			"postfix; dovecot has --conf");
	return postfix;
}

static enum mr_exit run(struct mr_cli *cli)
{
	struct mr_setup setup = { .cli = cli, .arena = cli->arena };
	struct versions versions = { NULL, NULL };
	struct mr_policy *policy;
	enum mr_exit status;
	bool postfix;

	read_options(&setup, &versions);
	postfix = is_postfix(&setup);
	policy = mr_cli_policy(cli);
	if (policy == NULL)
		return MR_EXIT_USAGE;
	setup.policy = policy;
	status = postfix ? set_up_postfix(&setup, versions.postfix)
	                 : set_up_dovecot(&setup, versions.dovecot);
	mr_policy_release(&policy);
	return status;
}

const struct mr_verb mr_verb_setup = {
	.name = "setup",
	.operands = "postfix|dovecot",
	.summary = "the lines that Postfix and Dovecot need",
	.help = "Prints what to put into Postfix's or Dovecot's files for this "
		"policy, with\n"
		"explanations; it changes nothing.  With an option only the "
		"lines, for a script:\n"
		"\n"
		"  mailreeve setup postfix --main-cf | xargs -d '\\n' postconf "
		"-e\n",
	.flags = flags,
	.run = run,
};
