/* verb_status - `mailreeve status`: what the running programs say of
 * themselves.
 */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/json.h"
#include "cli/service.h"
#include "common/base/arena.h"
#include "common/policy/judge.h"

#include <stdio.h>
#include <string.h>

enum { KEY_JSON = 256, KEY_RATES };

static const struct mr_flag flags[] = {
	MR_FLAG_CONFIG,
	{ KEY_JSON, "json", NULL, "for programs" },
	{ KEY_RATES, "rates", NULL, "who is near a limit of a rate" },
	{ .name = NULL },
};

static void print_pairs(struct mr_cli *cli, const char *pairs)
{
	struct mr_columns *columns = mr_columns_new(cli->arena, 2, "");

	while (*pairs != '\0') {
		size_t line = strcspn(pairs, "\n");
		size_t name = strcspn(pairs, "=\n");
		struct mr_row *row = mr_columns_row(columns);

		row->cell[0] = mr_arena_strndup(cli->arena, pairs, name);
		if (name < line)
			row->cell[1] = mr_arena_strndup(
				cli->arena, pairs + name + 1, line - name - 1);
		pairs += line + (pairs[line] == '\n');
	}
	mr_columns_print(columns, stdout, cli->colour);
}

/* What is asked, and what came of it. */
struct asked {
	bool expected; /* by the policy */
	const char *socket;
	const char *pairs; /* NULL: no answer */
};

static const char *default_socket(const struct mr_section *section)
{
	const struct mr_option *o = section->options;

	while (o->offset != offsetof(struct mr_service, control))
		o++;
	return o->initial;
}

/* The file on disk need not be what runs, nor be good: then the sockets are
 * looked for where they are by default. */
static void find_sockets(struct mr_cli *cli, struct asked asked[MR_SERVICES])
{
	struct mr_problems problems;
	struct mr_policy *policy;

	mr_problems_init(&problems, cli->arena);
	if (mr_policy_load(cli->config, &policy, &problems) < 0) {
		mr_cli_say(cli,
			"%s cannot be read or has mistakes (see: mailreeve "
			"check); the milter goes on with what it read before",
			cli->config);
		for (int i = 0; i < MR_SERVICES; i++)
			asked[i].socket =
				default_socket(mr_services[i].section);
		asked[MR_JUDGE_MILTER].expected = true;
		return;
	}
	asked[MR_JUDGE_MILTER].socket =
		mr_arena_strdup(cli->arena, policy->milter->control);
	asked[MR_JUDGE_POLICYD].socket =
		mr_arena_strdup(cli->arena, policy->policyd->control);
	for (int i = 0; i < MR_SERVICES; i++)
		asked[i].expected =
			mr_judge_is_used(policy, mr_services[i].judge);
	mr_policy_release(&policy);
}

/* One that the policy does not need may run, and then says so. */
static enum mr_exit ask(struct mr_cli *cli,
	const struct mr_cli_service *service, const char *request,
	struct asked *asked)
{
	struct mr_service_answer answer;
	struct mr_error error;

	if (mr_service_ask(service, asked->socket, request, cli->arena, &answer,
		    &error) < 0) {
		if (!asked->expected)
			return MR_EXIT_FINE;
		mr_cli_say(cli,
			"the %s does not answer: %s\n"
			"Is it running (systemctl status %s), and may you ask "
			"it (root, or a\nmember of its group)?",
			service->name, error.text, service->program);
		return MR_EXIT_LATER;
	}
	if (answer.refused != NULL) {
		mr_cli_say(
			cli, "the %s says: %s", service->name, answer.refused);
		return MR_EXIT_LATER;
	}
	asked->pairs = answer.pairs;
	return MR_EXIT_FINE;
}

static void print_all(struct mr_cli *cli, const struct asked asked[MR_SERVICES])
{
	bool several = asked[0].pairs != NULL && asked[1].pairs != NULL;

	for (int i = 0; i < MR_SERVICES; i++) {
		if (asked[i].pairs == NULL)
			continue;
		if (several)
			printf("%s%s:\n", i == 0 ? "" : "\n",
				mr_services[i].program);
		print_pairs(cli, asked[i].pairs);
	}
}

static enum mr_exit run(struct mr_cli *cli)
{
	struct asked asked[MR_SERVICES] = { 0 };
	enum mr_exit status = MR_EXIT_FINE;
	const char *value;
	bool json = false, rates = false;
	int key;

	while ((key = mr_cli_next(cli, &value)) != MR_CLI_END) {
		json |= key == KEY_JSON;
		rates |= key == KEY_RATES;
	}
	mr_cli_operand(cli, 0, 0);
	find_sockets(cli, asked);
	for (int i = 0; i < MR_SERVICES; i++)
		if ((!rates || i == MR_JUDGE_POLICYD) &&
			ask(cli, &mr_services[i], rates ? "rates" : "status",
				&asked[i]) != MR_EXIT_FINE)
			status = MR_EXIT_LATER;
	if (asked[0].pairs == NULL && asked[1].pairs == NULL)
		return status;
	if (json)
		mr_json_print_status(asked[MR_JUDGE_MILTER].pairs,
			asked[MR_JUDGE_POLICYD].pairs);
	else
		print_all(cli, asked);
	return status;
}

const struct mr_verb mr_verb_status = {
	.name = "status",
	.summary = "how the running milter and policy daemon do",
	.help = "Asks the running milter, and the policy daemon where the policy "
		"uses it, which\n"
		"policy they have and what they decided so far.  --rates: who is "
		"nearest to a\n"
		"limit of a rate section.\n"
		"Exit status: 0 they answered, 75 one of them is not running.\n",
	.flags = flags,
	.run = run,
};
