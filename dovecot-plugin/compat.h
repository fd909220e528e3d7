/*
 * compat - where Dovecot 2.3 and 2.4 differ, in one place
 *
 * Included first, instead of lib.h: 2.3 has a `bool` of its own, which must come
 * before <stdbool.h>.  Everything else in this folder is written
 * once; `MR_DOVECOT_24` elsewhere is for what is not a name or a signature.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_COMPAT_H
#define MR_PLUGIN_COMPAT_H

#include "lib.h"

#define MR_DOVECOT_24 (DOVECOT_VERSION_MAJOR > 2 || DOVECOT_VERSION_MINOR >= 4)

#include "array.h"
#include "mailbox-list-private.h"
#include "mail-user.h"
#include "mail-namespace.h"
#include "mail-storage-private.h"
#include "quota-private.h"
#if MR_DOVECOT_24
#include "settings.h"
#endif

/* What the doveadm module uses of the mail plugin. */
#define MR_EXPORTED __attribute__((visibility("default")))

/* Is a box's mail counted by a root? */
static inline bool mr_compat_counts(
	struct quota_root *root, struct mailbox *box)
{
#if MR_DOVECOT_24
	struct mail_namespace *ns = box->list->ns;

	/* an alias is not among the root's namespaces, what it is for is */
	while (ns->alias_for != NULL)
		ns = ns->alias_for;
	if (ns != box->list->ns)
		return array_lsearch_ptr(&root->namespaces, ns) != NULL;
	return quota_root_is_visible(root, box);
#else
	return quota_root_is_namespace_visible(root, box->list->ns);
#endif
}

/* Does dovecot.conf want the quota only to be shown? */
static inline bool mr_compat_enforces(const struct quota_root *root)
{
#if MR_DOVECOT_24
	return root->set->quota_enforce;
#else
	return !root->no_enforcing;
#endif
}

/* Has dovecot.conf warnings, or rules of single folders, which Dovecot itself looks
 * after?  It wants to know each octet then. */
static inline bool mr_compat_has_more(const struct quota_root *root)
{
#if MR_DOVECOT_24
	return array_is_created(&root->set->quota_warnings) &&
		array_count(&root->set->quota_warnings) > 0;
#else
	return array_count(&root->set->warning_rules) > 0 ||
		array_count(&root->set->rules) > 0;
#endif
}

/* What dovecot.conf has for a user whose mailbox is full. */
static inline const char *mr_compat_full_text(
	struct quota_root *root, struct mailbox *box)
{
#if MR_DOVECOT_24
	const struct quota_settings *set;
	const char *text = "Quota exceeded (mailbox for user is full)", *error;

	(void)root;
	if (settings_get(box->event, &quota_setting_parser_info, 0, &set,
			 &error) == 0) {
		text = t_strdup(set->quota_exceeded_message);
		settings_free(set);
	}
	return text;
#else
	(void)box;
	return root->quota->set->quota_exceeded_msg;
#endif
}

/* The mail that the saved one replaces (IMAP REPLACE), if any. */
static inline struct mail *mr_compat_replaced(struct mail_save_context *ctx)
{
#if MR_DOVECOT_24
	return ctx->expunged_mail;
#else
	(void)ctx;
	return NULL;
#endif
}

#endif
