/* cli - see cli.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "common/base/arena.h"
#include "common/base/text.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* getopt's own keys must differ from letters and from those of the verbs. */
enum { FLAGS = 40, KEY_HELP = 'h' };

/* --- saying what is wrong ----------------------------------------------- */

static void print_name(const struct mr_cli *cli)
{
	if (cli->verb == NULL)
		fputs("mailreeve: ", stderr);
	else
		fprintf(stderr, "mailreeve %s: ", cli->verb->name);
}

/* Arguments may come from anywhere; a terminal must not obey them. */
static void print_clean(const char *format, va_list ap)
{
	struct mr_arena *arena = mr_arena_new(1024);
	char *text = mr_arena_vprintf(arena, format, ap);

	for (char *line = text; line != NULL;) {
		char *end = strchr(line, '\n');

		mr_text_clean(line,
			end == NULL ? strlen(line) : (size_t)(end - line));
		line = end == NULL ? NULL : end + 1;
	}
	fputs(text, stderr);
	mr_arena_free(&arena);
}

static _Noreturn void give_up(const struct mr_cli *cli)
{
	if (cli->verb == NULL)
		fputs("See: mailreeve --help\n", stderr);
	else
		fprintf(stderr, "See: mailreeve %s --help\n", cli->verb->name);
	exit(MR_EXIT_USAGE);
}

void mr_cli_misused(const struct mr_cli *cli, const char *format, ...)
{
	va_list ap;

	print_name(cli);
	va_start(ap, format);
	print_clean(format, ap);
	va_end(ap);
	fputs("\n", stderr);
	give_up(cli);
}

void mr_cli_say(const struct mr_cli *cli, const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	print_name(cli);
	va_start(ap, format);
	print_clean(format, ap);
	va_end(ap);
	fputs("\n", stderr);
}

void mr_cli_no_such(const struct mr_cli *cli, const char *what,
	const char *word, const char *const *words)
{
	const char *nearest = mr_text_nearest(word, words);

	if (nearest != NULL)
		mr_cli_misused(cli,
			"there is no %s \"%s\"; did you mean \"%s\"?", what,
			word, nearest);
	mr_cli_say(cli, "there is no %s \"%s\"; there are:", what, word);
	for (; *words != NULL; words++)
		fprintf(stderr, "  %s\n", *words);
	give_up(cli);
}

/* --- options ------------------------------------------------------------ */

static void flags_of(const struct mr_verb *verb, struct option *options,
	char *letters, const char **words)
{
	size_t n = 0;

	for (const struct mr_flag *flag = verb->flags; flag->name != NULL;
		flag++, n++) {
		options[n] = (struct option){ flag->name,
			flag->value == NULL ? no_argument : required_argument,
			NULL, flag->key };
		words[n] = flag->name;
		if (flag->key < 128 && isalpha(flag->key)) {
			*letters++ = (char)flag->key;
			if (flag->value != NULL)
				*letters++ = ':';
		}
	}
	options[n] = (struct option){ "help", no_argument, NULL, KEY_HELP };
	words[n] = "help";
	*letters++ = KEY_HELP;
	*letters = '\0';
}

/* getopt says only "?": a long option it does not know leaves optopt 0. */
static _Noreturn void refuse(struct mr_cli *cli, const char *const *words)
{
	const char *given = cli->argv[optind - 1];
	const char *name = given + strspn(given, "-");
	char *bare = mr_arena_strndup(cli->arena, name, strcspn(name, "="));
	size_t same = 0;

	if (optopt != 0 && strchr(given, '=') != NULL)
		mr_cli_misused(cli, "--%s takes no value", bare);
	if (optopt != 0)
		mr_cli_misused(cli, "there is no option -%c", optopt);
	for (const char *const *word = words; *word != NULL; word++)
		same += strncmp(*word, bare, strlen(bare)) == 0;
	if (same > 1)
		mr_cli_misused(cli, "--%s may be several options", bare);
	mr_cli_no_such(cli, "option", name == given ? bare : given, words);
}

static _Noreturn void refuse_empty(struct mr_cli *cli)
{
	for (const struct mr_flag *flag = cli->verb->flags; flag->name != NULL;
		flag++)
		if (flag->key == optopt)
			mr_cli_misused(cli, "--%s needs a value: --%s %s",
				flag->name, flag->name, flag->value);
	mr_cli_misused(cli, "-%c needs a value", optopt);
}

int mr_cli_next(struct mr_cli *cli, const char **value)
{
	struct option options[FLAGS + 1] = { 0 };
	const char *words[FLAGS + 1] = { 0 };
	char letters[2 * FLAGS + 3] = ":";
	int key;

	flags_of(cli->verb, options, letters + 1, words);
	for (;;) {
		opterr = 0;
		key = getopt_long(cli->argc, cli->argv, letters, options, NULL);
		*value = optarg;
		switch (key) {
		case 'c':
			if (*optarg == '\0')
				mr_cli_misused(cli, "--config: which file?");
			cli->config = optarg;
			break;
		case KEY_HELP:
			mr_cli_print_help(cli->verb);
			exit(fflush(stdout) == 0 ? MR_EXIT_FINE
						 : MR_EXIT_LATER);
		case '?':
			refuse(cli, words);
		case ':':
			refuse_empty(cli);
		case MR_CLI_END:
			cli->position = optind;
			return MR_CLI_END;
		default:
			return key;
		}
	}
}

const char *mr_cli_operand(struct mr_cli *cli, int index, int most)
{
	if (cli->argc - cli->position > most)
		mr_cli_misused(cli, "\"%s\" is one operand too many",
			cli->argv[cli->position + most]);
	return cli->position + index < cli->argc
	               ? cli->argv[cli->position + index]
	               : NULL;
}

/* --- help --------------------------------------------------------------- */

static void print_flag(const struct mr_flag *flag)
{
	char head[64];
	int column = 24;

	if (flag->key < 128 && isalpha(flag->key))
		snprintf(head, sizeof(head), "  -%c, --%s", flag->key,
			flag->name);
	else
		snprintf(head, sizeof(head), "      --%s", flag->name);
	if (flag->value != NULL)
		snprintf(head + strlen(head), sizeof(head) - strlen(head),
			" %s", flag->value);
	printf("%-*s", column, head);
	if ((int)strlen(head) >= column)
		printf("\n%*s", column, "");
	for (const char *line = flag->help; line != NULL;) {
		const char *end = strchr(line, '\n');

		printf("%.*s\n",
			end == NULL ? (int)strlen(line) : (int)(end - line),
			line);
		if (end != NULL)
			printf("%*s", column, "");
		line = end == NULL ? NULL : end + 1;
	}
}

void mr_cli_print_help(const struct mr_verb *verb)
{
	printf("usage: mailreeve %s [OPTION]...%s%s\n\n%s\n", verb->name,
		verb->operands == NULL ? "" : " ",
		verb->operands == NULL ? "" : verb->operands, verb->help);
	for (const struct mr_flag *flag = verb->flags; flag->name != NULL;
		flag++)
		print_flag(flag);
	print_flag(&(struct mr_flag){ KEY_HELP, "help", NULL, "this text" });
}

/* --- the policy --------------------------------------------------------- */

struct mr_policy *mr_cli_policy(struct mr_cli *cli)
{
	struct mr_problems problems;
	struct mr_policy *policy = NULL;

	mr_problems_init(&problems, cli->arena);
	if (mr_policy_load(cli->config, &policy, &problems) < 0)
		policy = NULL;
	fflush(stdout);
	mr_problems_print(&problems, stderr);
	return policy;
}

int64_t mr_cli_deadline(int64_t wait)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((int64_t)now.tv_sec + wait) * 1000 + now.tv_nsec / 1000000;
}
