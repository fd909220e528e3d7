/* verb_status - `mailreeve status`: what the running milter says of itself. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/json.h"
#include "cli/milter.h"
#include "common/base/arena.h"

#include <stdio.h>
#include <string.h>

enum { KEY_JSON = 256 };

static const struct mr_flag flags[] = {
	MR_FLAG_CONFIG,
	{ KEY_JSON, "json", NULL, "for programs" },
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

/* The file on disk need not be what runs, nor be good: then the socket is
 * looked for where it is by default. */
static const char *find_socket(struct mr_cli *cli)
{
	struct mr_problems problems;
	struct mr_config *config;
	const struct mr_option *o = mr_section_milter.options;
	const char *socket = NULL;

	mr_problems_init(&problems, cli->arena);
	if (mr_config_read(
		    mr_policy_schema(), cli->config, &config, &problems) == 0) {
		const struct mr_milter *milter = mr_config_get(
			config, NULL, &mr_section_milter, NULL, cli->arena)
		                                         ->values;

		socket = mr_arena_strdup(cli->arena, milter->control);
		mr_config_free(&config);
		return socket;
	}
	mr_cli_say(cli,
		"%s cannot be read or has mistakes (see: mailreeve check); the "
		"milter goes on with what it read before",
		cli->config);
	for (; socket == NULL; o++)
		if (o->offset == offsetof(struct mr_milter, control))
			socket = o->initial;
	return socket;
}

static enum mr_exit run(struct mr_cli *cli)
{
	struct mr_milter_answer answer;
	struct mr_error error;
	const char *value;
	bool json = false;

	while (mr_cli_next(cli, &value) != MR_CLI_END)
		json = true;
	mr_cli_operand(cli, 0, 0);
	if (mr_milter_ask(find_socket(cli), "status", cli->arena, &answer,
		    &error) < 0) {
		mr_cli_say(cli,
			"the milter does not answer: %s\n"
			"Is it running (systemctl status mailreeve-milter), "
			"and "
			"may you ask it (root, or a\nmember of its group)?",
			error.text);
		return MR_EXIT_LATER;
	}
	if (answer.refused != NULL) {
		mr_cli_say(cli, "the milter says: %s", answer.refused);
		return MR_EXIT_LATER;
	}
	if (json)
		mr_json_print_pairs(answer.pairs);
	else
		print_pairs(cli, answer.pairs);
	return MR_EXIT_FINE;
}

const struct mr_verb mr_verb_status = {
	.name = "status",
	.summary = "how the running milter does",
	.help = "Asks the running milter which policy it has and what it "
		"decided "
		"so far.\n"
		"Exit status: 0 it answered, 75 it is not running.\n",
	.flags = flags,
	.run = run,
};
