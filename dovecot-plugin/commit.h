/*
 * commit - the last word before mail is in a folder: does it fit?
 *
 * Dovecot's own check is made when a save begins, by what it last counted, so
 * that parallel sessions all see the same free octets.  This one is made under
 * the user's lock (usage.h) and holds it until the mail is there.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_COMMIT_H
#define MR_PLUGIN_COMMIT_H

struct mailbox;

/* The hook of every folder. */
void mr_commit_mailbox_allocated(struct mailbox *box);

#endif
