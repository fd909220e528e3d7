/* setup_double - what in Dovecot's own configuration would do the plugin's work
 * a second time, or overrule the policy: here quota.  A limit of one user may
 * come from the userdb, which doveconf does not show, and that is meant. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"

#include <string.h>

void mr_setup_add_doubled(struct mr_setup *setup, enum mr_setup_double what,
	const struct mr_dovecot_setting *setting, const char *rule)
{
	struct mr_setup_doubled *doubled =
		MR_NEW(setup->arena, struct mr_setup_doubled);

	doubled->what = what;
	doubled->setting = setting;
	doubled->rule = rule;
	*setup->last_doubled = doubled;
	setup->last_doubled = &doubled->next;
}

/* quota, quota2, quota3... */
static bool is_numbered(const char *name, const char *stem)
{
	size_t n = strlen(stem);

	return strncmp(name, stem, n) == 0 &&
	       strspn(name + n, "0123456789") == strlen(name + n);
}

static void look_at_plugin_setting(
	struct mr_setup *setup, const struct mr_dovecot_setting *s)
{
	const char *value = s->value;

	if (is_numbered(s->name, "quota") && *value != '\0') {
		if (strcmp(s->name, "quota") == 0 &&
			strncmp(value, "mailreeve:", 10) == 0)
			return;
		mr_setup_add_doubled(setup, MR_SETUP_OTHER_ROOT, s, NULL);
	}
	if (is_numbered(s->name, "quota_rule") &&
		(strncmp(value, "*:", 2) == 0 ||
			strncmp(value, "?:", 2) == 0) &&
		(strstr(value, ":storage=") != NULL ||
			strstr(value, ":bytes=") != NULL))
		mr_setup_add_doubled(setup, MR_SETUP_OTHER_LIMIT, s, NULL);
}

/* Not the levels of quota_warning sections, nor the limit of a root that is
 * refused as a whole. */
static bool is_limit(const struct mr_dovecot_setting *s)
{
	if (strcmp(s->value, "0") == 0 || strcmp(s->value, "unlimited") == 0 ||
		mr_dovecot_around(s->in, "quota_warning") != NULL)
		return false;
	return strcmp(s->name, "quota_storage_size") == 0 ||
	       (strcmp(s->name, "storage_size") == 0 &&
		       strcmp(s->in->kind, "quota") == 0 &&
		       strcmp(s->in->name, MR_SETUP_QUOTA_ROOT) == 0);
}

static bool is_ours(const char *root, const char *driver)
{
	return strcmp(root, MR_SETUP_QUOTA_ROOT) == 0 &&
	       strcmp(driver, "mailreeve") == 0;
}

/* A root without a driver counts; inside of a protocol it is only more of the
 * one outside. */
static void look_at_roots(struct mr_setup *setup)
{
	const struct mr_dovecot_section *root = setup->dovecot->sections;

	for (; root != NULL; root = root->next) {
		const char *driver =
			mr_dovecot_get(setup->dovecot, root, "driver");
		struct mr_dovecot_setting *said;

		if (strcmp(root->kind, "quota") != 0)
			continue;
		if (driver == NULL && root->in->in != NULL)
			continue;
		if (driver == NULL)
			driver = "count";
		if (is_ours(root->name, driver))
			continue;
		said = MR_NEW(setup->arena, struct mr_dovecot_setting);
		said->in = root;
		said->name = "driver";
		said->text = driver;
		mr_setup_add_doubled(setup, MR_SETUP_OTHER_ROOT, said, NULL);
	}
}

static void look_at_quota(struct mr_setup *setup)
{
	const struct mr_dovecot_setting *s = setup->dovecot->settings;

	if (mr_setup_is_at_least(setup, 2, 4))
		look_at_roots(setup);
	for (; s != NULL; s = s->next)
		if (mr_setup_is_at_least(setup, 2, 4)) {
			if (is_limit(s))
				mr_setup_add_doubled(
					setup, MR_SETUP_OTHER_LIMIT, s, NULL);
		} else if (strcmp(s->in->kind, "plugin") == 0) {
			look_at_plugin_setting(setup, s);
		}
}

const struct mr_setup_doubled *mr_setup_doubled(struct mr_setup *setup)
{
	setup->doubled = NULL;
	setup->last_doubled = &setup->doubled;
	look_at_quota(setup);
	mr_setup_look_at_autoexpunge(setup);
	return setup->doubled;
}

/* --- in words ----------------------------------------------------------- */

static const char other_root[] =
	"as that counts a second quota beside the policy's.  Remove it, and "
	"its limits.";
static const char other_limit[] =
	"as that would be everybody's limit, whatever the policy says.  Remove "
	"it: the limit\n"
	"  is the policy's mailbox { quota }, and the userdb may still give a "
	"user another.";

static void print_doubled(
	struct mr_setup *setup, const struct mr_setup_doubled *doubled)
{
	const char *why = NULL, *word = doubled->setting->name;

	switch (doubled->what) {
	case MR_SETUP_OTHER_ROOT:
		why = other_root;
		if (strcmp(word, "driver") == 0)
			word = "quota";
		break;
	case MR_SETUP_OTHER_LIMIT:
		why = other_limit;
		break;
	case MR_SETUP_AUTOEXPUNGE:
		why = mr_arena_printf(setup->arena,
			"as the policy purges that folder, too (%s);\n"
			"  the earlier of the two would win.  Remove it, or "
			"the policy's rule.",
			doubled->rule);
		break;
	}
	mr_cli_say(setup->cli,
		"Dovecot's configuration must not have\n"
		"    %s\n"
		"  %s\n"
		"  This finds it: grep -rn %s /etc/dovecot",
		mr_dovecot_show(setup->arena, doubled->setting), why, word);
}

bool mr_setup_is_doubled(struct mr_setup *setup)
{
	const struct mr_setup_doubled *doubled = mr_setup_doubled(setup);

	for (const struct mr_setup_doubled *d = doubled; d != NULL; d = d->next)
		print_doubled(setup, d);
	return doubled != NULL;
}
