/* setup_autoexpunge - what Dovecot's autoexpunge and the policy's purge rules
 * would both do.  A mailbox section of Dovecot's may mean many folders, and so
 * may a rule: where the two meet one of them has to go. */
/* SPDX-License-Identifier: ISC */
#include "cli/setting.h"
#include "cli/setup.h"
#include "common/base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct rule {
	const char *folder, *text; /* "purge Trash, FILE:LINE" */
	const struct rule *next;
};

static void collect(const struct mr_setup *setup, enum mr_rung rung,
	const struct mr_scope *scope, const struct rule ***last)
{
	const struct mr_config *config = setup->policy->config;
	struct mr_chain chain = { 0 };
	const char *const *titles;

	chain.scope[rung] = scope;
	titles = mr_config_titles(
		config, &chain, &mr_section_purge, setup->arena);
	for (; *titles != NULL; titles++) {
		const struct mr_settings *purge = mr_config_get(config, &chain,
			&mr_section_purge, *titles, setup->arena);
		size_t after = offsetof(struct mr_purge, after);
		struct mr_place at = mr_settings_place(purge, after);
		struct rule *rule;

		if (mr_settings_rung(purge, after) != rung || at.file == NULL)
			continue;
		rule = MR_NEW(setup->arena, struct rule);
		rule->folder = *titles;
		rule->text = mr_arena_printf(setup->arena, "%s, %s:%d",
			mr_section_text(
				setup->arena, &mr_section_purge, *titles),
			at.file, at.line);
		**last = rule;
		*last = &rule->next;
	}
}

static const struct rule *all_rules(const struct mr_setup *setup)
{
	static const enum mr_rung rungs[] = { MR_GLOBAL, MR_DOMAIN, MR_GROUP,
		MR_USER };
	const struct rule *first = NULL, **last = &first;

	for (size_t i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++)
		for (const struct mr_scope *scope = mr_config_scopes(
			     setup->policy->config, rungs[i]);
			scope != NULL; scope = scope->next)
			collect(setup, rungs[i], scope, &last);
	return first;
}

/* Is there a name that both globs match? */
static bool meet(struct mr_arena *arena, const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	bool *now;

	if (strchr(a, '*') == NULL && strchr(b, '*') == NULL)
		return strcmp(a, b) == 0;
	now = MR_NEW_ARRAY(arena, bool, lb + 1);
	/* from the ends: now[j] says whether a[i...] and b[j...] meet */
	for (size_t i = la + 1; i-- > 0;) {
		bool below = false; /* what now[j + 1] was, a row earlier */

		for (size_t j = lb + 1; j-- > 0;) {
			bool before = now[j];

			if (i == la && j == lb)
				now[j] = true;
			else if (i < la && a[i] == '*')
				now[j] = before || (j < lb && now[j + 1]);
			else if (j < lb && b[j] == '*')
				now[j] = now[j + 1] || (i < la && before);
			else
				now[j] = i < la && j < lb && a[i] == b[j] &&
				         below;
			below = before;
		}
	}
	return now[0];
}

/* The folders that a mailbox section means, as in struct mr_purge_folder. */
struct folders {
	const struct mr_dovecot_section *section;
	const char *own, *name, *below; /* globs; `own` lacks the prefix */
	bool is_own;
};

static const char *get(const struct mr_dovecot *dovecot,
	const struct mr_dovecot_section *in, const char *name,
	const char *initial)
{
	const char *value =
		in == NULL ? NULL : mr_dovecot_get(dovecot, in, name);

	return value == NULL ? initial : value;
}

/* 2.4 has a setting for it. */
static const char *name_of(const struct mr_dovecot *dovecot,
	const struct mr_dovecot_section *mailbox)
{
	return get(dovecot, mailbox, "name", mailbox->name);
}

/* lazy_expunge names a mailbox, or a namespace by its prefix. */
static bool is_lazy(
	const struct mr_dovecot *dovecot, const char *name, const char *prefix)
{
	const struct mr_dovecot_setting *s = dovecot->settings;

	for (; s != NULL; s = s->next)
		if ((strcmp(s->name, "lazy_expunge") == 0 ||
			    strcmp(s->name, "lazy_expunge_mailbox") == 0) &&
			*s->value != '\0' &&
			(strcmp(s->value, name) == 0 ||
				strcmp(s->value, prefix) == 0))
			return true;
	return false;
}

/* The name of a mailbox section, as a glob of ours. */
static const char *glob_of(const struct mr_setup *setup, const char *name)
{
	char *glob = mr_arena_strdup(setup->arena, name);

	if (strpbrk(name, "*?") != NULL)
		for (char *p = glob; *p != '\0'; p++)
			if (*p == '?' || *p == '%')
				*p = '*';
	return glob;
}

static struct folders folders_of(
	const struct mr_setup *setup, const struct mr_dovecot_section *mailbox)
{
	const struct mr_dovecot *dovecot = setup->dovecot;
	const struct mr_dovecot_section *ns =
		mr_dovecot_around(mailbox, "namespace");
	const char *prefix = get(dovecot, ns, "prefix", "");
	struct folders folders = { .section = mailbox };

	folders.own = glob_of(setup, name_of(dovecot, mailbox));
	folders.name =
		mr_arena_printf(setup->arena, "%s%s", prefix, folders.own);
	folders.below = strcmp(get(dovecot, ns, "inbox", "no"), "yes") == 0
	                        ? folders.own
	                        : folders.name;
	folders.is_own =
		strcmp(get(dovecot, ns, "type", "private"), "private") == 0 &&
		!is_lazy(dovecot, folders.name, prefix);
	return folders;
}

static bool is_beside(
	const struct mr_dovecot_section *a, const struct mr_dovecot_section *b)
{
	a = mr_dovecot_around(a, "namespace");
	b = mr_dovecot_around(b, "namespace");
	return strcmp(a == NULL ? "" : a->name, b == NULL ? "" : b->name) == 0;
}

static bool has_special_use(const struct mr_setup *setup,
	const struct folders *folders, const char *use)
{
	const struct mr_dovecot_setting *s = setup->dovecot->settings;

	for (; s != NULL; s = s->next)
		if (strcmp(s->name, "special_use") == 0 &&
			strcmp(s->in->kind, "mailbox") == 0 &&
			mr_dovecot_has_word(s->value, use) &&
			is_beside(s->in, folders->section) &&
			meet(setup->arena, folders->own,
				name_of(setup->dovecot, s->in)))
			return true;
	return false;
}

static bool is_inbox(const char *name)
{
	return strcasecmp(name, "INBOX") == 0;
}

/* May the rule purge one of the folders?  As mr_purge_find says of one. */
static bool covers(const struct mr_setup *setup, const struct rule *rule,
	const struct folders *folders)
{
	const char *folder = rule->folder;

	if (!folders->is_own)
		return false;
	if (strcmp(folder, "*") == 0)
		return true;
	if (*folder == '\\')
		return has_special_use(setup, folders, folder);
	if (is_inbox(folders->name))
		return is_inbox(folder);
	if (is_inbox(folder))
		folder = "INBOX";
	return meet(setup->arena, folders->name, folder) ||
	       meet(setup->arena, folders->below, folder);
}

static const struct rule *rule_of(const struct mr_setup *setup,
	const struct rule *rule, const struct mr_dovecot_section *mailbox)
{
	struct folders folders = folders_of(setup, mailbox);

	while (rule != NULL && !covers(setup, rule, &folders))
		rule = rule->next;
	return rule;
}

/* The first rule that the setting would double, or NULL.  Dovecot 2.4 also
 * takes it outside of a mailbox section, for all of them. */
static const struct rule *find_rule(const struct mr_setup *setup,
	const struct rule *rules, const struct mr_dovecot_setting *setting)
{
	const struct mr_dovecot_section *mailbox =
		mr_dovecot_around(setting->in, "mailbox");
	const struct rule *rule = NULL;

	if (mailbox != NULL)
		return rule_of(setup, rules, mailbox);
	for (mailbox = setup->dovecot->sections;
		mailbox != NULL && rule == NULL; mailbox = mailbox->next)
		if (strcmp(mailbox->kind, "mailbox") == 0)
			rule = rule_of(setup, rules, mailbox);
	return rule;
}

static bool is_autoexpunge(const struct mr_dovecot_setting *s)
{
	const char *name = s->name;

	if (strncmp(name, "mailbox_", 8) == 0)
		name += 8;
	return (strcmp(name, "autoexpunge") == 0 ||
		       strcmp(name, "autoexpunge_max_mails") == 0) &&
	       *s->value != '\0' && strtol(s->value, NULL, 10) != 0;
}

void mr_setup_look_at_autoexpunge(struct mr_setup *setup)
{
	const struct mr_dovecot_setting *s = setup->dovecot->settings;
	const struct rule *rules = all_rules(setup);

	for (; s != NULL; s = s->next) {
		const struct rule *rule;

		if (!is_autoexpunge(s))
			continue;
		rule = find_rule(setup, rules, s);
		if (rule == NULL)
			mr_setup_explain(setup,
				"The policy has no rule for \"%s\"; Dovecot "
				"goes on with it alone.",
				mr_dovecot_show(setup->arena, s));
		else
			mr_setup_add_doubled(
				setup, MR_SETUP_AUTOEXPUNGE, s, rule->text);
	}
}
