/* verb_reload - `mailreeve reload`: makes a changed policy file count.  First
 * it must be good; then its mailbox parts are published for Dovecot's plugin,
 * and the milter and the policy daemon are told. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/published.h"
#include "cli/service.h"
#include "common/base/arena.h"
#include "common/policy/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_STATE = 256 };

static const struct mr_flag flags[] = {
	MR_FLAG_CONFIG,
	{ KEY_STATE, "state-dir", "DIR",
		"where mailbox.conf is published\n"
		"(default: " MAILREEVE_STATEDIR ")" },
	{ .name = NULL },
};

static const struct mr_service *settings_of(
	const struct mr_policy *policy, const struct mr_cli_service *service)
{
	return service->judge == MR_JUDGE_MILTER ? policy->milter
	                                         : policy->policyd;
}

/* The file that the running program reads, if that is another one; else NULL,
 * also where nobody answers. */
static const char *other_file(struct mr_cli *cli,
	const struct mr_policy *policy, const struct mr_cli_service *service)
{
	static const char name[] = "\npolicy=";
	char *ours = realpath(cli->config, NULL), *theirs;
	struct mr_service_answer answer;
	struct mr_error ignored;
	const char *file = NULL;

	if (mr_service_ask(service, settings_of(policy, service)->control,
		    "status", cli->arena, &answer, &ignored) == 0)
		file = strstr(answer.pairs, name);
	if (file != NULL) {
		file += sizeof(name) - 1;
		file = mr_arena_strndup(cli->arena, file, strcspn(file, "\n"));
		theirs = realpath(file, NULL);
		if (ours == NULL || theirs == NULL || strcmp(ours, theirs) == 0)
			file = NULL;
		free(theirs);
	}
	free(ours);
	return file;
}

/* One that the policy does not need is told, too: it may run, and must stop
 * judging. */
static enum mr_exit tell(struct mr_cli *cli, const struct mr_policy *policy,
	const struct mr_cli_service *service)
{
	struct mr_service_answer answer;
	struct mr_error error;

	if (mr_service_ask(service, settings_of(policy, service)->control,
		    "reload", cli->arena, &answer, &error) < 0) {
		if (!mr_judge_is_used(policy, service->judge))
			return MR_EXIT_FINE;
		mr_cli_say(cli,
			"the %s was not told: %s\n"
			"If it is not running, it will read the policy when it "
			"starts.",
			service->name, error.text);
		return MR_EXIT_LATER;
	}
	if (answer.refused != NULL) {
		mr_cli_say(cli, "the %s keeps its policy: %s", service->name,
			answer.refused);
		return MR_EXIT_LATER;
	}
	printf("%s: reloaded; mails that began before keep the old policy\n",
		service->name);
	return MR_EXIT_FINE;
}

/* Who may have to judge more than before comes first: for a moment a mail is
 * then judged twice, and never by nobody. */
static enum mr_exit tell_all(struct mr_cli *cli, const struct mr_policy *policy)
{
	enum mr_judge first = mr_judge_is_used(policy, MR_JUDGE_POLICYD)
	                              ? MR_JUDGE_POLICYD
	                              : MR_JUDGE_MILTER;
	enum mr_exit one = tell(cli, policy, &mr_services[first]);
	enum mr_exit other = tell(cli, policy,
		&mr_services[first == MR_JUDGE_MILTER ? MR_JUDGE_POLICYD
						      : MR_JUDGE_MILTER]);

	return one != MR_EXIT_FINE ? one : other;
}

static enum mr_exit reload(
	struct mr_cli *cli, struct mr_policy *policy, const char *directory)
{
	struct mr_error error;
	const char *path, *other;

	for (int i = 0; i < MR_SERVICES; i++) {
		other = other_file(cli, policy, &mr_services[i]);
		if (other == NULL)
			continue;
		mr_cli_say(cli,
			"nothing was changed: the running %s reads %s, not "
			"%s\nStart it with -c %s, or reload without -c.",
			mr_services[i].name, other, cli->config, cli->config);
		return MR_EXIT_USAGE;
	}
	printf("%s: ok\n", cli->config);
	if (mr_published_write(
		    policy->config, directory, cli->arena, &path, &error) < 0) {
		mr_cli_say(cli, "nothing was changed; cannot publish: %s",
			error.text);
		return MR_EXIT_LATER;
	}
	printf("%s: published for Dovecot\n", path);
	return tell_all(cli, policy);
}

static enum mr_exit run(struct mr_cli *cli)
{
	const char *value, *directory = MAILREEVE_STATEDIR;
	struct mr_policy *policy;
	enum mr_exit status;

	while (mr_cli_next(cli, &value) != MR_CLI_END)
		directory = value;
	mr_cli_operand(cli, 0, 0);
	policy = mr_cli_policy(cli);
	if (policy == NULL) {
		mr_cli_say(cli, "nothing was changed");
		return MR_EXIT_USAGE;
	}
	status = reload(cli, policy, directory);
	mr_policy_release(&policy);
	return status;
}

const struct mr_verb mr_verb_reload = {
	.name = "reload",
	.summary = "make a changed policy file count",
	.help = "Checks the policy file, publishes its mailbox parts for Dovecot, "
		"and tells the\n"
		"milter and the policy daemon to read it.  With a mistake in it "
		"nothing changes.\n"
		"Exit status: 0 done, 2 mistakes (or a program reads another "
		"file), 75 a program\n"
		"or the directory could not be reached; mailreeve says what was "
		"done.\n",
	.flags = flags,
	.run = run,
};
