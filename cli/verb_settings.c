/* verb_settings - `mailreeve settings`: every setting, from the same option
 * tables that parse the policy. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/setting.h"
#include "common/base/arena.h"

#include <stdio.h>
#include <string.h>

enum { KEY_NAMES = 256, WIDTH = 78, WORDS = 64 };

static const struct mr_flag flags[] = {
	{ KEY_NAMES, "names", NULL, "only the names, one on a line" },
	{ .name = NULL },
};

/* What an admin may call a section: "check helo", "check" for all of them, or
 * "helo"; the top level is "global". */
static bool is_called(const struct mr_section *section, const char *name,
	struct mr_arena *arena)
{
	if (section->name == NULL)
		return strcmp(name, "global") == 0;
	return strcmp(name, section->name) == 0 ||
	       (section->kind != NULL && strcmp(name, section->kind) == 0) ||
	       strcmp(name, mr_section_text(arena, section, NULL)) == 0;
}

static void require_section(struct mr_cli *cli, const char *name)
{
	const struct mr_section *const *s = mr_policy_schema()->sections;
	const char *words[WORDS] = { NULL };

	for (size_t i = 0; *s != NULL && i < WORDS - 1; s++) {
		if (is_called(*s, name, cli->arena))
			return;
		words[i++] = (*s)->kind != NULL   ? (*s)->kind
		             : (*s)->name == NULL ? "global"
		                                  : (*s)->name;
	}
	mr_cli_no_such(cli, "section", name, words);
}

static void print_wrapped(const char *text, int indent)
{
	int column = WIDTH;

	for (const char *word = text; *word != '\0';) {
		int length = (int)strcspn(word, " ");

		if (column + 1 + length > WIDTH) {
			printf("%s%*s", word == text ? "" : "\n", indent, "");
			column = indent;
		} else {
			putchar(' ');
			column++;
		}
		printf("%.*s", length, word);
		column += length;
		word += length;
		word += strspn(word, " ");
	}
	putchar('\n');
}

/* Where a section may stand, if that is not the file's top alone. */
static void print_places(unsigned where, struct mr_arena *arena)
{
	const char *text = "";

	if ((where & ~MR_IN(MR_GLOBAL)) == 0)
		return;
	where &= ~MR_IN(MR_GLOBAL);
	for (int rung = 0; rung < MR_GLOBAL; rung++)
		if (where & MR_IN(rung)) {
			where &= ~MR_IN(rung);
			text = mr_arena_printf(arena, "%s%s%s", text,
				*text == '\0' ? ""
				: where == 0  ? " and "
					      : ", ",
				mr_rung_text((enum mr_rung)rung));
		}
	print_wrapped(
		mr_arena_printf(arena,
			"May stand at the top, and in %s sections.", text),
		4);
}

static void print_option(struct mr_cli *cli, const struct mr_option *option)
{
	const char *initial = option->initial;

	printf("\n    %s%s%s", mr_style(MR_STYLE_HEAD, cli->colour),
		option->name, mr_style(MR_STYLE_PLAIN, cli->colour));
	if (initial != NULL)
		printf(" = %s", *initial == '\0' ? "\"\"" : initial);
	else
		printf("%*s(by default not set)", 2, "");
	printf("\n        %s\n", mr_setting_values(cli->arena, option));
	if (option->help != NULL)
		print_wrapped(option->help, 8);
}

static void print_section(struct mr_cli *cli, const struct mr_section *section)
{
	const char *name = mr_section_text(cli->arena, section, NULL);

	printf("%s%s%s%s%s%s\n", mr_style(MR_STYLE_HEAD, cli->colour),
		*name == '\0' ? "at the top of the file" : name,
		section->title == NULL ? "" : " ",
		section->title == NULL ? "" : section->title,
		section->title == NULL || section->one_title ? "" : "...",
		mr_style(MR_STYLE_PLAIN, cli->colour));
	if (section->help != NULL)
		print_wrapped(section->help, 4);
	print_places(section->where, cli->arena);
	for (const struct mr_option *o = section->options; o->name != NULL; o++)
		print_option(cli, o);
	putchar('\n');
}

static void print_names(struct mr_cli *cli, const struct mr_section *section)
{
	for (const struct mr_option *o = section->options; o->name != NULL; o++)
		puts(mr_setting_text(cli->arena, section, NULL, o));
}

static enum mr_exit run(struct mr_cli *cli)
{
	const struct mr_section *const *s = mr_policy_schema()->sections;
	bool names = false;
	const char *value, *wanted;

	while (mr_cli_next(cli, &value) != MR_CLI_END)
		names = true;
	wanted = mr_cli_operand(cli, 0, 2);
	if (mr_cli_operand(cli, 1, 2) != NULL)
		wanted = mr_arena_printf(
			cli->arena, "%s %s", wanted, mr_cli_operand(cli, 1, 2));
	if (wanted != NULL)
		require_section(cli, wanted);
	for (; *s != NULL; s++) {
		if (wanted != NULL && !is_called(*s, wanted, cli->arena))
			continue;
		if (names)
			print_names(cli, *s);
		else
			print_section(cli, *s);
	}
	return MR_EXIT_FINE;
}

const struct mr_verb mr_verb_settings = {
	.name = "settings",
	.operands = "[SECTION]",
	.summary = "every setting: values, default, meaning",
	.help = "Lists what may stand in the policy file.  SECTION is one of "
		"its "
		"sections\n"
		"(message, helo, check); global is the file's top level.\n",
	.flags = flags,
	.run = run,
};
