/*
 * cli - what all verbs of `mailreeve` share: options, errors, the policy
 *
 * A verb is one file, verb_NAME.c, and one line of verbs.def.  Its table of
 * flags makes the parser, the help text and "did you mean".  Results go to
 * standard output, everything else to standard error.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_CLI_H
#define MR_CLI_CLI_H

#include "common/config/problem.h"
#include "common/policy/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_arena;

enum mr_exit {
	MR_EXIT_FINE = 0,
	MR_EXIT_NEGATIVE = 1, /* explain: deferred, refused; clock: no purge;
	                         spf: fail, permerror; doctor: found */
	MR_EXIT_USAGE = 2,    /* usage or configuration */
	MR_EXIT_LATER = 75,   /* sysexits' EX_TEMPFAIL */
};

/* One option of a verb. */
struct mr_flag {
	int key;           /* of mr_cli_next; a letter is the short option */
	const char *name;  /* without the dashes; NULL ends a table */
	const char *value; /* what help calls the value; NULL: takes none */
	const char *help;  /* a line or more, each ending without a blank */
};

/* Every verb that reads the policy has it; see mr_cli_next. */
#define MR_FLAG_CONFIG                                                    \
	{                                                                 \
		'c', "config", "FILE",                                    \
			"the policy file (default: " MAILREEVE_CONFIG ")" \
	}
#define MAILREEVE_CONFIG MAILREEVE_SYSCONFDIR "/mailreeve/mailreeve.conf"

struct mr_cli {
	const struct mr_verb *verb;
	struct mr_arena *arena;
	int argc; /* of the verb; argv[0] is its name */
	char **argv;
	int position; /* of the first operand, once mr_cli_next gave END */
	const char *config; /* -c */
	bool colour;        /* may standard output be coloured? */
};

struct mr_verb {
	const char *name;
	const char *operands; /* "[ADDRESS]...", or NULL */
	const char *summary; /* for the list of verbs: a clause, no full stop */
	const char *help;    /* whole lines, above the options */
	const struct mr_flag *flags;
	enum mr_exit (*run)(struct mr_cli *cli);
};

/* All verbs, ends with NULL. */
extern const struct mr_verb *const mr_verbs[];

/* The next option's key and value; MR_CLI_END when only operands are left.
 * --help and mistakes end the program; -c is taken here and not returned. */
enum { MR_CLI_END = -1 };
int mr_cli_next(struct mr_cli *cli, const char **value);
/* The operand `index`, or NULL; more than `most` of them are a mistake. */
const char *mr_cli_operand(struct mr_cli *cli, int index, int most);

/* Ends the program with MR_EXIT_USAGE: "mailreeve VERB: MESSAGE" and where to
 * read on. */
_Noreturn void mr_cli_misused(const struct mr_cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same for a word that is none of `words` (ends with NULL): says which
 * there are, and which was probably meant. */
_Noreturn void mr_cli_no_such(const struct mr_cli *cli, const char *what,
	const char *word, const char *const *words);
/* "mailreeve VERB: MESSAGE" on standard error. */
void mr_cli_say(const struct mr_cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Loads the policy of -c, and prints mistakes and warnings to standard error.
 * NULL: there were mistakes, or it cannot be read; exit with MR_EXIT_USAGE. */
struct mr_policy *mr_cli_policy(struct mr_cli *cli);

/* Milliseconds on CLOCK_MONOTONIC, `wait` seconds from now. */
int64_t mr_cli_deadline(int64_t wait);

void mr_cli_print_help(const struct mr_verb *verb);

#endif
