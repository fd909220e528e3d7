/* main - the `mailreeve` command: finds the verb and runs it. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "common/base/arena.h"
#include "common/base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERB(name) extern const struct mr_verb mr_verb_##name;
#include "cli/verbs.def"
#undef VERB

const struct mr_verb *const mr_verbs[] = {
#define VERB(name) &mr_verb_##name,
#include "cli/verbs.def"
#undef VERB
	NULL,
};

enum { VERBS = sizeof(mr_verbs) / sizeof(mr_verbs[0]) };

static void print_usage(FILE *out)
{
	fputs("usage: mailreeve VERB [OPTION]... [OPERAND]...\n"
	      "       mailreeve --help | --version\n"
	      "\n"
	      "One policy for Postfix and Dovecot.\n"
	      "\n",
		out);
	for (const struct mr_verb *const *verb = mr_verbs; *verb != NULL;
		verb++)
		fprintf(out, "  %-12s%s\n", (*verb)->name, (*verb)->summary);
	fputs("  help VERB   shows a verb's options\n"
	      "\n"
	      "Exit status: 0 fine, 1 the mail would be refused (explain), the "
	      "host may not\n"
	      "send it (spf), something was found (doctor), or no mail is "
	      "purged (clock),\n"
	      "2 wrong usage or policy file, 75 try again later.\n"
	      "The policy file is " MAILREEVE_CONFIG
	      " unless -c FILE is given.\n",
		out);
}

/* Ends the program if `name` is no verb. */
static const struct mr_verb *find_verb(const char *name)
{
	struct mr_cli nobody = { 0 };
	const char *words[VERBS];

	for (size_t i = 0; mr_verbs[i] != NULL; i++) {
		if (strcmp(mr_verbs[i]->name, name) == 0)
			return mr_verbs[i];
		words[i] = mr_verbs[i]->name;
	}
	words[VERBS - 1] = NULL;
	mr_cli_no_such(&nobody, *name == '-' ? "option" : "verb", name, words);
}

static enum mr_exit print_help(const char *name)
{
	if (name == NULL)
		print_usage(stdout);
	else
		mr_cli_print_help(find_verb(name));
	return MR_EXIT_FINE;
}

static bool may_colour(void)
{
	const char *none = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (none == NULL || *none == '\0') &&
	       term != NULL && strcmp(term, "dumb") != 0;
}

static enum mr_exit run_verb(int argc, char **argv)
{
	struct mr_cli cli = {
		.verb = find_verb(argv[0]),
		.arena = mr_arena_new(16 * 1024),
		.argc = argc,
		.argv = argv,
		.config = MAILREEVE_CONFIG,
		.colour = may_colour(),
	};
	enum mr_exit status = cli.verb->run(&cli);

	mr_arena_free(&cli.arena);
	return status;
}

static enum mr_exit run(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return MR_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("mailreeve " MAILREEVE_VERSION);
		return MR_EXIT_FINE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0)
		return print_help(argc > 2 ? argv[2] : NULL);
	return run_verb(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	enum mr_exit status;

	/* A reader that has seen enough (`| head`) ends us without a word. */
	signal(SIGPIPE, SIG_DFL);
	status = run(argc, argv);
	if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE) {
		fprintf(stderr, "mailreeve: cannot write the output: %s\n",
			strerror(errno));
		return MR_EXIT_LATER;
	}
	return (int)status;
}
