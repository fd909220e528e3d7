/* doctor_plugin - is Dovecot's plugin loaded, and what depends on it said? */
/* SPDX-License-Identifier: ISC */
#include "cli/doctor.h"
#include "common/base/arena.h"

#include <string.h>

/* The lines are read last, and printed by what knows all others. */
static const char *print_lines(struct mr_doctor *doctor)
{
	const char *path = mr_doctor_dovecot_conf(doctor);
	const char *config = doctor->cli->config;
	const char *ours =
		mr_doctor_text(doctor, "%.*s/conf.d/99-mailreeve.conf",
			(int)(strrchr(path, '/') - path), path);

	ours = mr_doctor_quote(doctor, ours);
	if (strcmp(config, MAILREEVE_CONFIG) == 0)
		config = "";
	else
		config = mr_doctor_text(
			doctor, " -c %s", mr_doctor_quote(doctor, config));
	return mr_doctor_text(
		doctor, "mailreeve setup dovecot --conf%s >%s", config, ours);
}

/* Of 2.4, where a section lists switches.  NULL: it does not say. */
static const char *switched(const struct mr_dovecot *dovecot,
	const struct mr_dovecot_section *in, const char *plugin)
{
	const struct mr_dovecot_section *s = dovecot->sections;
	const char *value = NULL;

	for (; s != NULL && value == NULL; s = s->next)
		if (s->in == in && strcmp(s->kind, "mail_plugins") == 0)
			value = mr_dovecot_get(dovecot, s, plugin);
	return value;
}

/* Does the section load the plugin?  `otherwise` if it does not say. */
static bool loads(const struct mr_dovecot *dovecot,
	const struct mr_dovecot_section *in, const char *plugin, bool otherwise)
{
	const char *list = mr_dovecot_get(dovecot, in, "mail_plugins");
	const char *value = switched(dovecot, in, plugin);

	if (value != NULL)
		return strcmp(value, "yes") == 0;
	return list == NULL ? otherwise : mr_dovecot_has_word(list, plugin);
}

static bool protocol_loads(const struct mr_dovecot *dovecot,
	const char *protocol, const char *plugin)
{
	const struct mr_dovecot_section *top = dovecot->sections, *s = top;
	bool loaded = loads(dovecot, top, plugin, false);

	for (; s != NULL; s = s->next)
		if (s->in == top && strcmp(s->kind, "protocol") == 0 &&
			strcmp(s->name, protocol) == 0)
			loaded = loads(dovecot, s, plugin, loaded);
	return loaded;
}

static void see_rule(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	bool *any = context;

	(void)scope, (void)value, (void)at;
	*any = true;
}

/* Does the policy say anything that the plugin would do? */
static bool is_wanted(struct mr_doctor *doctor)
{
	const struct mr_config *config = doctor->dovecot.policy->config;
	bool any = false;

	mr_config_each(config, &mr_section_mailbox,
		offsetof(struct mr_mailbox, quota), see_rule, &any);
	mr_config_each(config, &mr_section_purge,
		offsetof(struct mr_purge, after), see_rule, &any);
	return any;
}

/* The first module that is missing, or NULL. */
static const char *missing_module(struct mr_doctor *doctor)
{
	static const char *const modules[] = { "96_mailreeve", "10_quota" };

	for (size_t i = 0; i < 2; i++)
		if (!mr_setup_has_module(&doctor->dovecot, modules[i]))
			return modules[i];
	return NULL;
}

static void look_at_plugins(struct mr_doctor *doctor)
{
	const struct mr_setup *setup = &doctor->dovecot;
	const char *names = mr_setup_served(setup), *name, *missing = "";
	const char *module = missing_module(doctor);

	if (module != NULL) {
		if (is_wanted(doctor))
			mr_doctor_could_not(doctor, "Dovecot's plugin",
				mr_doctor_text(doctor,
					"lib%s_plugin.so is not in %s, so that "
					"there is no quota and no purge",
					module, setup->modules));
		return;
	}
	while ((name = mr_dovecot_next(doctor->arena, &names)) != NULL)
		if (!protocol_loads(setup->dovecot, name, "quota") ||
			!protocol_loads(setup->dovecot, name, "mailreeve"))
			missing = mr_doctor_text(doctor, "%s%s%s", missing,
				*missing == '\0' ? "" : ", ", name);
	if (*missing != '\0')
		mr_doctor_complain(doctor,
			mr_doctor_text(doctor, "%s: mail_plugins of %s",
				mr_doctor_dovecot_conf(doctor), missing),
			print_lines(doctor));
}

static void look_at_full(struct mr_doctor *doctor)
{
	const struct mr_dovecot *dovecot = doctor->dovecot.dovecot;
	const char *said = mr_dovecot_get(
		dovecot, dovecot->sections, "quota_full_tempfail");

	if (missing_module(doctor) != NULL)
		return; /* setup has no lines for it then */
	if (said == NULL)
		said = "no";
	if (strcmp(mr_setup_full(&doctor->dovecot), "yes") == 0 &&
		strcmp(said, "yes") != 0)
		mr_doctor_complain(doctor,
			mr_doctor_text(doctor, "%s: quota_full_tempfail = %s",
				mr_doctor_dovecot_conf(doctor), said),
			print_lines(doctor));
}

static const struct mr_ailment ailments[] = {
	{ "plugin_missing", MR_BYPASSES, look_at_plugins,
		"Without the plugin these protocols know no quota and no "
		"purge." },
	{ "full_mailbox", MR_LOSES, look_at_full,
		"Mail for a full mailbox is refused for good, and the policy "
		"says mailbox { full = defer }." },
	{ NULL },
};

const struct mr_subject mr_subject_plugin = { MR_ASKS_DOVECOT, ailments };
