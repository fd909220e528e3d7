/* setup_plugin - `setup dovecot`: the lines that let Dovecot's plugin in.
 *
 * Dovecot 2.3 has one list of plugins for each protocol, and fills in
 * $mail_plugins when it reads it: what is added to the global list later does
 * not reach a protocol that has its own.  So they are all printed, in full.
 * In 2.4 lists are merged, but one that was set with `=` stands for itself. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool mr_setup_has_module(const struct mr_setup *setup, const char *module)
{
	return access(mr_arena_printf(setup->arena, "%s/lib%s_plugin.so",
			      setup->modules, module),
		       F_OK) == 0;
}

/* Without it nobody could log in: a plugin that is missing is fatal. */
static bool has_imap_quota(const struct mr_setup *setup)
{
	return setup->modules == NULL ||
	       mr_setup_has_module(setup, "11_imap_quota");
}

static bool is_imap(const struct mr_dovecot_section *section)
{
	return strcmp(section->kind, "protocol") == 0 &&
	       strcmp(section->name, "imap") == 0;
}

/* Is no other section around it? */
static bool is_outermost(const struct mr_dovecot_section *section)
{
	return section->in != NULL && section->in->in == NULL;
}

/* Opens the section and all around it; the depth. */
static int open_sections(const struct mr_dovecot_section *section)
{
	int depth;

	if (section->in == NULL)
		return 0;
	depth = open_sections(section->in);
	printf("%*s%s {\n", 2 * depth, "", section->text);
	return depth + 1;
}

static void close_sections(int depth)
{
	while (depth-- > 0)
		printf("%*s}\n", 2 * depth, "");
}

/* --- 2.3 ---------------------------------------------------------------- */

/* The list with our plugins in it, each word once. */
static const char *with_ours(
	const struct mr_setup *setup, const char *list, bool imap)
{
	const char *all = mr_arena_printf(setup->arena, "%s quota mailreeve%s",
		list == NULL ? "" : list,
		imap && has_imap_quota(setup) ? " imap_quota" : "");
	const char *result = "", *word;

	while ((word = mr_dovecot_next(setup->arena, &all)) != NULL)
		if (!mr_dovecot_has_word(result, word))
			result = mr_arena_printf(setup->arena, "%s%s%s", result,
				*result == '\0' ? "" : " ", word);
	return result;
}

static void print_list(
	const struct mr_setup *setup, const char *protocol, const char *list)
{
	printf("protocol %s {\n"
	       "  mail_plugins = %s\n"
	       "}\n",
		protocol,
		with_ours(setup, list, strcmp(protocol, "imap") == 0));
}

static const struct mr_dovecot_setting *next_list(
	const struct mr_dovecot_setting *s)
{
	while (s != NULL &&
		(strcmp(s->name, "mail_plugins") != 0 || s->in->in == NULL))
		s = s->next;
	return s;
}

/* The list of the outermost section of a protocol, or NULL. */
static const char *list_of(
	const struct mr_dovecot *dovecot, const char *protocol)
{
	const struct mr_dovecot_setting *s = next_list(dovecot->settings);

	for (; s != NULL; s = next_list(s->next))
		if (is_outermost(s->in) &&
			strcmp(s->in->kind, "protocol") == 0 &&
			strcmp(s->in->name, protocol) == 0)
			return s->value;
	return NULL;
}

/* May the protocol have a list?  Only if no other section is about it: the
 * earlier of `protocol !pop3` and `protocol imap` would win, and beside
 * `remote NET { protocol imap` Dovecot 2.3 does not start. */
static bool may_have_list(
	const struct mr_dovecot *dovecot, const char *protocol)
{
	const struct mr_dovecot_setting *s = next_list(dovecot->settings);

	if (list_of(dovecot, protocol) != NULL)
		return true;
	for (; s != NULL; s = next_list(s->next))
		if (strcmp(s->in->kind, "protocol") == 0 &&
			(s->in->name[0] == '!' ||
				strcmp(s->in->name, protocol) == 0))
			return false;
	return true;
}

const char *mr_setup_served(const struct mr_setup *setup)
{
	const struct mr_dovecot *dovecot = setup->dovecot;
	const struct mr_dovecot_section *s = dovecot->sections;
	const char *list = mr_dovecot_get(dovecot, s, "protocols");
	const struct mr_dovecot_setting *p = dovecot->settings;

	if (list == NULL)
		list = "";
	for (; p != NULL; p = p->next) /* 2.4 lists switches */
		if (p->in->in == s && strcmp(p->in->kind, "protocols") == 0 &&
			strcmp(p->value, "yes") == 0)
			list = mr_arena_printf(
				setup->arena, "%s %s", list, p->name);
	return mr_arena_printf(setup->arena, "%s lda doveadm", list);
}

static void print_served_lists(const struct mr_setup *setup, const char *global)
{
	const struct mr_dovecot *dovecot = setup->dovecot;
	const char *names = mr_setup_served(setup), *name;

	while ((name = mr_dovecot_next(setup->arena, &names)) != NULL) {
		const char *own = list_of(dovecot, name);

		if (may_have_list(dovecot, name))
			print_list(setup, name, own == NULL ? global : own);
		else
			mr_setup_explain(setup,
				"No list for %s, as another section is about "
				"it, too; it gets that one or the global one.",
				name);
	}
}

static void print_other_lists(const struct mr_setup *setup)
{
	const struct mr_dovecot_setting *s =
		next_list(setup->dovecot->settings);
	const char *names = mr_setup_served(setup);

	for (; s != NULL; s = next_list(s->next)) {
		int depth;

		if (is_outermost(s->in) &&
			strcmp(s->in->kind, "protocol") == 0 &&
			mr_dovecot_has_word(names, s->in->name))
			continue;
		depth = open_sections(s->in);
		printf("%*smail_plugins = %s\n", 2 * depth, "",
			with_ours(setup, s->value, is_imap(s->in)));
		close_sections(depth);
	}
}

static void print_lists(const struct mr_setup *setup)
{
	const char *global = mr_dovecot_get(
		setup->dovecot, setup->dovecot->sections, "mail_plugins");

	printf("mail_plugins = %s\n", with_ours(setup, global, false));
	print_served_lists(setup, global);
	print_other_lists(setup);
}

/* Works behind any lines, but a word may be in a list twice. */
static void print_lists_unseen(const struct mr_setup *setup)
{
	static const char *const names[] = { "imap", "pop3", "lmtp", "lda",
		"doveadm" };

	printf("mail_plugins = $mail_plugins quota mailreeve\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		print_list(setup, names[i], "$mail_plugins");
}

static void print_2_3(const struct mr_setup *setup)
{
	if (setup->dovecot == NULL) {
		print_lists_unseen(setup);
	} else {
		mr_setup_explain(setup,
			"Each list says in full what it has now, and ours. So "
			"after a change of mail_plugins elsewhere empty this "
			"file and print these lines again. Dovecot warns if a "
			"protocol had its own list, as the global one does not "
			"reach it; here it does.");
		print_lists(setup);
	}
	printf("plugin {\n"
	       "  quota = mailreeve:" MR_SETUP_QUOTA_ROOT "\n"
	       "}\n");
}

/* --- 2.4 ---------------------------------------------------------------- */

/* Does the setting make a section have a list of its own, without ours? */
static const struct mr_dovecot_section *cut_off_by(
	const struct mr_dovecot_setting *s)
{
	if (strcmp(s->name, "mail_plugins") == 0)
		return s->in;
	if (strcmp(s->in->kind, "mail_plugins") == 0 &&
		(strcmp(s->name, "quota") == 0 ||
			strcmp(s->name, "mailreeve") == 0))
		return s->in->in;
	return NULL;
}

static void print_switches(
	const struct mr_setup *setup, int depth, bool ours, bool imap)
{
	int in = 2 * depth;

	printf("%*smail_plugins {\n", in, "");
	if (ours)
		printf("%*squota = yes\n%*smailreeve = yes\n", in + 2, "",
			in + 2, "");
	if (imap && has_imap_quota(setup))
		printf("%*simap_quota = yes\n", in + 2, "");
	printf("%*s}\n", in, "");
}

/* Was it `protocol imap`? */
static bool print_cut_off(
	const struct mr_setup *setup, const struct mr_dovecot_section *section)
{
	int depth = open_sections(section);

	print_switches(setup, depth, true, is_imap(section));
	close_sections(depth);
	return is_imap(section) && is_outermost(section);
}

static void print_2_4(const struct mr_setup *setup)
{
	const struct mr_dovecot_setting *s =
		setup->dovecot == NULL ? NULL : setup->dovecot->settings;
	const struct mr_dovecot_section *last = NULL;
	bool imap = false;

	mr_setup_explain(setup,
		"The global list also reaches the protocols; one that was set "
		"with \"mail_plugins = ...\" gets its own lines:");
	print_switches(setup, 0, true, false);
	for (; s != NULL; s = s->next) {
		const struct mr_dovecot_section *section = cut_off_by(s);

		if (section == NULL || section->in == NULL || section == last)
			continue;
		imap |= print_cut_off(setup, section);
		last = section;
	}
	if (!imap && has_imap_quota(setup)) {
		printf("protocol imap {\n");
		print_switches(setup, 1, false, true);
		printf("}\n");
	}
	printf("quota \"" MR_SETUP_QUOTA_ROOT "\" {\n"
	       "  driver = mailreeve\n"
	       "}\n");
}

/* ------------------------------------------------------------------------ */

const char *mr_setup_full(const struct mr_setup *setup)
{
	const struct mr_mailbox *mailbox = mr_config_get(setup->policy->config,
		NULL, &mr_section_mailbox, NULL, setup->arena)
	                                           ->values;

	return mailbox->full == MR_FULL_DEFER ? "yes" : "no";
}

static void print_full(const struct mr_setup *setup)
{
	const char *full = mr_setup_full(setup);

	mr_setup_explain(setup,
		"Mail for a full mailbox (mailbox { full = %s }):",
		strcmp(full, "yes") == 0 ? "defer" : "reject");
	printf("quota_full_tempfail = %s\n", full);
}

static void print_plugin(const struct mr_setup *setup)
{
	if (mr_setup_is_at_least(setup, 2, 4))
		print_2_4(setup);
	else
		print_2_3(setup);
}

static bool is_missing(const struct mr_setup *setup)
{
	static const char *const modules[] = { "96_mailreeve", "10_quota" };
	bool missing = false;

	for (size_t i = 0; i < 2; i++) {
		if (mr_setup_has_module(setup, modules[i]))
			continue;
		mr_setup_explain(setup,
			"lib%s_plugin.so is not in %s: the lines that need it "
			"are left out, as Dovecot would not work with them. "
			"Install it, then print them again.",
			modules[i], setup->modules);
		missing = true;
	}
	return missing;
}

/* What is not known to be harmless is for people only. */
static enum mr_exit print_unchecked(const struct mr_setup *setup)
{
	bool conf = setup->part == MR_SETUP_CONF;

	mr_cli_say(setup->cli,
		"%s, so that nobody looked for settings of Dovecot that would "
		"double the plugin's%s.\n"
		"Say `doveconf -n` to see why.",
		setup->no_answer, conf ? "; its lines are left out" : "");
	if (conf)
		return MR_EXIT_LATER;
	mr_setup_explain(setup,
		"Dovecot did not say what it has now (%s). These lines fit "
		"any configuration in which nothing doubles them:",
		setup->no_answer);
	print_plugin(setup);
	return MR_EXIT_FINE;
}

static enum mr_exit print_checked(struct mr_setup *setup)
{
	if (setup->dovecot != NULL && mr_setup_is_doubled(setup)) {
		mr_cli_say(setup->cli,
			"the plugin's lines are left out until that is gone");
		mr_setup_explain(setup,
			"The plugin's lines are left out: Dovecot's own "
			"configuration would double or overrule them. Standard "
			"error says where.");
		return MR_EXIT_USAGE;
	}
	print_plugin(setup);
	if (setup->part == MR_SETUP_CONF)
		print_full(setup);
	return MR_EXIT_FINE;
}

enum mr_exit mr_setup_plugin(struct mr_setup *setup)
{
	if (setup->part == MR_SETUP_ALL)
		print_full(setup);
	if (setup->modules == NULL)
		mr_setup_explain(setup,
			"The plugin's lines need lib96_mailreeve_plugin.so in "
			"Dovecot's mail_plugin_dir:");
	else if (is_missing(setup))
		return MR_EXIT_FINE;
	return setup->no_answer == NULL ? print_checked(setup)
	                                : print_unchecked(setup);
}
