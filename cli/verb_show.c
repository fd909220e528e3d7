/* verb_show - `mailreeve show`: what applies to an address, and the line of the
 * policy file that says so. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/members.h"
#include "cli/setting.h"
#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "common/policy/mailing.h"
#include "common/policy/own_quota.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { KEY_LISTENER = 256 };

static const struct mr_flag flags[] = {
	MR_FLAG_CONFIG,
	{ KEY_LISTENER, "listener", "PORT",
		"as on this port (or Postfix daemon_name)" },
	{ .name = NULL },
};

struct shown {
	struct mr_cli *cli;
	struct mr_policy *policy;
	const struct mr_chain *chain;
	bool everybody; /* no ADDRESS: the sections of all rungs' own, too */
	const char *own_quota; /* NAME=VALUE of the userdb, or NULL */
	struct mr_columns *columns;
};

/* --- the address -------------------------------------------------------- */

static const char *join(struct mr_arena *arena, const char *const *words)
{
	const char *text = "";

	for (; words != NULL && *words != NULL; words++)
		text = mr_arena_printf(arena, "%s%s%s", text,
			*text == '\0' ? "" : ", ", *words);
	return text;
}

static const char *describe_mailbox(struct mr_arena *arena, const char *address,
	const struct mr_recipient_answer *found)
{
	const char *via = found->via == NULL ? "alias" : found->via;
	const char *first = found->mailboxes[0];

	if (found->mailboxes[1] == NULL && strcmp(first, address) == 0)
		return "a mailbox";
	if (strcmp(via, "mailbox") == 0)
		return mr_arena_printf(arena, "the mailbox %s", first);
	return mr_arena_printf(
		arena, "%s to %s", via, join(arena, found->mailboxes));
}

static const char *describe_list(
	struct shown *shown, const struct mr_recipient_answer *found)
{
	struct mr_arena *arena = shown->cli->arena;
	const char *list = found->lists[0];
	struct mr_members members;
	struct mr_error error;

	if (mr_policy_members(shown->policy, list,
		    mr_cli_deadline(shown->policy->global->wait), arena,
		    &members, &error) < 0)
		return mr_arena_printf(arena,
			"the list %s, whose members cannot be told now: %s",
			list, error.text);
	return mr_arena_printf(arena, "%s%s of %s",
		strcmp(found->via, "list") == 0 ? "the list " : found->via,
		strcmp(found->via, "list") == 0
			? list
			: mr_arena_printf(arena, " to the list %s", list),
		mr_members_text(arena, &members));
}

static const char *describe(struct shown *shown, const char *address,
	const struct mr_recipient_answer *found)
{
	struct mr_arena *arena = shown->cli->arena;
	const char *remotes = join(arena, found->remotes);
	const char *dead = join(arena, found->dead), *text = "";

	switch (found->kind) {
	case MR_RECIPIENT_FOREIGN:
		return "not in a hosted domain";
	case MR_RECIPIENT_UNKNOWN:
		return "unknown: its domain is hosted, but nobody is there";
	case MR_RECIPIENT_MAILBOX:
		text = describe_mailbox(arena, address, found);
		break;
	case MR_RECIPIENT_REMOTE:
		text = "alias";
		break;
	case MR_RECIPIENT_LIST:
		text = describe_list(shown, found);
		break;
	}
	if (*remotes != '\0')
		text = mr_arena_printf(arena, "%s%s to %s on other hosts", text,
			found->kind == MR_RECIPIENT_REMOTE ? "" : ", and",
			remotes);
	if (*dead != '\0')
		text = mr_arena_printf(
			arena, "%s, and to %s, who does not exist", text, dead);
	return text;
}

static void add_recipient(struct shown *shown, struct mr_columns *head,
	const struct mr_address *address)
{
	struct mr_arena *arena = shown->cli->arena;
	struct mr_recipient_answer found = { 0 };
	struct mr_error error;
	struct mr_row *row;

	if (shown->policy->maps.n_domains == 0)
		return;
	row = mr_columns_row(head);
	row->cell[0] = "is";
	switch (mr_recipient_find(&shown->policy->maps, address->text,
		mr_cli_deadline(shown->policy->global->wait), arena, &found,
		&error)) {
	case MR_FOUND:
	case MR_NOTFOUND:
		row->cell[1] = describe(shown, address->text, &found);
		break;
	case MR_TEMPFAIL:
		row->cell[1] = mr_arena_printf(
			arena, "cannot tell now: %s", error.text);
		row->style = MR_STYLE_BAD;
		break;
	}
}

static void add_scopes(
	struct shown *shown, struct mr_columns *head, const struct mr_who *who)
{
	struct mr_arena *arena = shown->cli->arena;

	for (int rung = 0; rung < MR_GLOBAL; rung++) {
		const struct mr_scope *scope = who->chain.scope[rung];
		struct mr_row *row;

		if (scope == NULL)
			continue;
		row = mr_columns_row(head);
		row->cell[0] = mr_rung_text((enum mr_rung)rung);
		row->cell[1] = mr_arena_printf(arena, "%s (%s)", scope->title,
			mr_place_format(arena, &scope->at));
	}
	for (size_t i = 0; who->perhaps != NULL && who->perhaps[i] != NULL;
		i++) {
		struct mr_row *row = mr_columns_row(head);

		row->cell[0] = "perhaps";
		row->cell[1] = mr_arena_printf(arena,
			"group %s, whose table cannot be read now; until then "
			"the more generous rules count",
			who->perhaps[i]->title);
		row->style = MR_STYLE_BAD;
	}
}

static void find_own_quota(
	struct shown *shown, struct mr_columns *head, const char *user)
{
	struct mr_arena *arena = shown->cli->arena;
	struct mr_own_quota own;
	struct mr_error error;
	struct mr_row *row;

	shown->own_quota = NULL;
	switch (mr_own_quota(shown->policy, user,
		mr_cli_deadline(shown->policy->global->wait), arena, &own,
		&error)) {
	case MR_FOUND:
		shown->own_quota = own.field;
		break;
	case MR_NOTFOUND:
		break;
	case MR_TEMPFAIL:
		row = mr_columns_row(head);
		row->cell[0] = "perhaps";
		row->cell[1] = mr_arena_printf(arena,
			"a quota of the userdb's own, which cannot be asked "
			"now: %s",
			error.text);
		row->style = MR_STYLE_BAD;
		break;
	}
}

static const struct mr_chain *resolve(
	struct shown *shown, const char *text, const struct mr_scope *listener)
{
	struct mr_cli *cli = shown->cli;
	struct mr_who *who = MR_NEW(cli->arena, struct mr_who);
	struct mr_columns *head = mr_columns_new(cli->arena, 2, "  ");
	struct mr_address address;
	struct mr_error error;

	if (mr_address_parse(cli->arena, text, shown->policy->maps.delimiters,
		    &address, &error) < 0)
		mr_cli_misused(cli, "%s: %s", text, error.text);
	if (*address.domain == '\0')
		mr_cli_misused(cli,
			"%s: an address is written like "
			"somebody@example.net",
			text);
	mr_policy_who(shown->policy, address.plain, listener,
		mr_cli_deadline(shown->policy->global->wait), cli->arena, who);
	printf("%s%s%s\n", mr_style(MR_STYLE_HEAD, cli->colour), address.text,
		mr_style(MR_STYLE_PLAIN, cli->colour));
	add_recipient(shown, head, &address);
	add_scopes(shown, head, who);
	find_own_quota(shown, head, address.plain);
	mr_columns_print(head, stdout, cli->colour);
	putchar('\n');
	return &who->chain;
}

/* --- the settings ------------------------------------------------------- */

/* Which rung of the chain: "group beta", "global", "default". */
static const char *who_set(struct shown *shown, const struct mr_chain *chain,
	const struct mr_settings *settings, size_t option)
{
	const struct mr_scope *scope = NULL;

	if (settings->places[option].file == NULL)
		return "default";
	if (chain != NULL)
		scope = chain->scope[settings->from[option]];
	if (scope == NULL || *scope->title == '\0')
		return mr_rung_text(settings->from[option]);
	return mr_arena_printf(shown->cli->arena, "%s %s",
		mr_rung_text(settings->from[option]), scope->title);
}

/* Does what the userdb says beat this setting? */
static bool is_overruled(
	struct shown *shown, const struct mr_settings *settings, size_t option)
{
	return shown->own_quota != NULL &&
	       settings->section == &mr_section_mailbox &&
	       settings->section->options[option].offset ==
	               offsetof(struct mr_mailbox, quota) &&
	       settings->from[option] != MR_USER;
}

static void add_settings(struct shown *shown, const struct mr_chain *chain,
	const struct mr_section *section, const char *title,
	const char *shown_title)
{
	struct mr_arena *arena = shown->cli->arena;
	const struct mr_settings *settings = mr_config_get(
		shown->policy->config, chain, section, title, arena);

	for (size_t i = 0; section->options[i].name != NULL; i++) {
		struct mr_row *row = mr_columns_row(shown->columns);
		bool set = settings->places[i].file != NULL;

		row->cell[0] = mr_setting_text(
			arena, section, shown_title, &section->options[i]);
		row->cell[1] = mr_option_format(
			arena, &section->options[i], settings->values);
		row->cell[2] = who_set(shown, chain, settings, i);
		row->cell[3] =
			set ? mr_place_format(arena, &settings->places[i])
			    : NULL;
		row->style = set ? MR_STYLE_PLAIN : MR_STYLE_FAINT;
		if (is_overruled(shown, settings, i)) {
			row->cell[1] = strchr(shown->own_quota, '=') + 1;
			row->cell[2] = "userdb";
			row->cell[3] = mr_arena_strndup(arena, shown->own_quota,
				strcspn(shown->own_quota, "="));
			row->style = MR_STYLE_PLAIN;
		}
	}
}

/* listener, group, domain, user: their own settings. */
static void add_rung(struct shown *shown, const struct mr_section *section)
{
	const struct mr_scope *scope =
		shown->everybody ? mr_config_scopes(shown->policy->config,
					   (enum mr_rung)section->rung)
				 : shown->chain->scope[section->rung];

	for (; scope != NULL; scope = shown->everybody ? scope->next : NULL) {
		struct mr_chain *own =
			MR_NEW(shown->cli->arena, struct mr_chain);

		own->scope[section->rung] = scope;
		add_settings(shown, own, section, NULL, scope->title);
	}
}

static void add_section(struct shown *shown, const struct mr_section *section)
{
	const char *const *titles;

	if (section->rung != MR_UNSET) {
		add_rung(shown, section);
	} else if (section->title == NULL) {
		add_settings(shown, shown->chain, section, NULL, NULL);
	} else {
		titles = mr_config_titles(shown->policy->config, shown->chain,
			section, shown->cli->arena);
		for (; *titles != NULL; titles++)
			add_settings(
				shown, shown->chain, section, *titles, *titles);
	}
}

static const struct mr_scope *find_listener(
	struct shown *shown, const char *text)
{
	const struct mr_scope *scope;
	struct mr_error ignored;
	int64_t port;

	if (mr_number_parse(text, 1, 65535, &port, &ignored) == 0)
		scope = mr_policy_listener(shown->policy, (unsigned)port, NULL);
	else
		scope = mr_policy_listener(shown->policy, 0, text);
	if (scope == NULL)
		mr_cli_say(shown->cli,
			"the policy has no \"listener %s\"; the rules of the "
			"other rungs hold there",
			text);
	return scope;
}

static void print(struct shown *shown)
{
	const struct mr_section *const *s =
		mr_config_schema(shown->policy->config)->sections;
	struct mr_row *row;

	shown->columns = mr_columns_new(shown->cli->arena, 4, "");
	row = mr_columns_row(shown->columns);
	*row = (struct mr_row){ { "setting", "value", "set by", "at" },
		MR_STYLE_HEAD, row->next };
	for (; *s != NULL; s++)
		add_section(shown, *s);
	mr_columns_print(shown->columns, stdout, shown->cli->colour);
}

static void print_all(struct shown *shown, const char *port)
{
	struct mr_cli *cli = shown->cli;
	const struct mr_scope *listener =
		port == NULL ? NULL : find_listener(shown, port);
	struct mr_chain everybody = { .scope[MR_LISTENER] = listener };
	const char *address = mr_cli_operand(cli, 0, cli->argc);

	if (address == NULL) {
		shown->chain = &everybody;
		shown->everybody = port == NULL;
		print(shown);
	}
	for (int i = 1; address != NULL; i++) {
		shown->chain = resolve(shown, address, listener);
		print(shown);
		address = mr_cli_operand(cli, i, cli->argc);
		if (address != NULL)
			putchar('\n');
	}
}

static enum mr_exit run(struct mr_cli *cli)
{
	struct shown shown = { .cli = cli };
	const char *value, *port = NULL;

	while (mr_cli_next(cli, &value) != MR_CLI_END)
		port = value;
	shown.policy = mr_cli_policy(cli);
	if (shown.policy == NULL)
		return MR_EXIT_USAGE;
	print_all(&shown, port);
	mr_policy_release(&shown.policy);
	return MR_EXIT_FINE;
}

const struct mr_verb mr_verb_show = {
	.name = "show",
	.operands = "[ADDRESS]...",
	.summary = "what applies (to addresses), and which line says so",
	.help = "Shows every setting as it applies to each ADDRESS (without "
		"one: to everybody),\n"
		"with its value, who set it (user, userdb, group, domain, "
		"listener, global or the\n"
		"built-in default) and the place in the policy file.  Columns "
		"are two blanks or\n"
		"more apart.\n",
	.flags = flags,
	.run = run,
};
