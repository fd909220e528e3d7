/*
 * folders - the folders of a user, one after the other
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_FOLDERS_H
#define MR_PLUGIN_FOLDERS_H

#include "dovecot-plugin/compat.h"

struct mr_folder {
	struct mail_namespace *ns;
	const char *name;    /* as IMAP shows it */
	const char *below;   /* without the INBOX namespace's prefix */
	const char *special; /* special uses, separated by blanks, or NULL */
	bool is_lazy;        /* lazy_expunge keeps there what was deleted */
};

/* The namespace with the INBOX.  NULL: this user has none, as those whom Dovecot
 * makes for a delivery. */
struct mail_namespace *mr_folder_inbox(struct mail_user *user);

/* A name without the INBOX namespace's prefix. */
const char *mr_folder_below(struct mail_user *user, const char *name);

/* The whole name of the folder that a policy calls `name`: a name, with or
 * without the INBOX namespace's prefix, or a special use (\Junk), which is the
 * folder that has it or, if there is none yet, the one that dovecot.conf has for
 * it.  NULL: none that could be the user's own. */
const char *mr_folder_find(struct mail_user *user, const char *name);

/* Does it keep the dates of saving, and its own mail?  mbox has none, a virtual
 * folder shows other folders' mail, imapc's is another server's. */
MR_EXPORTED bool mr_folder_keeps_dates(const struct mailbox *box);

/* -1 stops. */
typedef int mr_folder_func_t(const struct mr_folder *folder, void *context);

/* Those that a purge may know: selectable, in the user's own private
 * namespaces; never shared or public ones, nor aliases.  -1: the list could not
 * be read, told in the log, or `func` stopped. */
MR_EXPORTED int mr_folders_each_own(
	struct mail_user *user, mr_folder_func_t *func, void *context);
/* Those with the given names only, without listing, whether they exist or
 * not. */
int mr_folders_each_named(struct mail_user *user, const char *const *names,
	mr_folder_func_t *func, void *context);
/* Those that a quota root counts. */
int mr_folders_each_counted(
	struct quota_root *root, mr_folder_func_t *func, void *context);

#endif
