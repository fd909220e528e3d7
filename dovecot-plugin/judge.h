/*
 * judge - does what a transaction adds fit into the mailbox?
 *
 * Asked under the user's lock (usage.h), which is held from then on until the
 * transaction has ended, so that what was let in is there when the next one
 * asks.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_JUDGE_H
#define MR_PLUGIN_JUDGE_H

#include "dovecot-plugin/user.h"

struct mr_leaving;

/* What a transaction adds, all zero at first. */
struct mr_growth {
	/* since it was last asked whether they fit: */
	uint64_t gross;    /* octets that come, moved ones included */
	uint64_t saved;    /* of them what is measured: not what is moved */
	uint64_t copied;   /* of these by COPY: the Trash's allowance is theirs */
	uint64_t replaced; /* octets that go for it, by IMAP REPLACE */
	struct mr_leaving *leaving; /* what goes for it, or NULL */
	bool removed; /* and what removes it is over, so it is gone by that */

	/* in all: */
	uint64_t octets;
	unsigned int mails;

	struct mr_user *payer; /* whose lock is held, or NULL */
	uint64_t admitted;     /* octets that were let in under it */
	bool grew;             /* any of it was not only moved */
	bool unmeasured;       /* some of it is on no record */
};

enum mr_box_verdict {
	MR_BOX_FITS,
	MR_BOX_FULL,
	MR_BOX_GONE,     /* what was to go for it, somebody else has removed */
	MR_BOX_TRY_LATER /* somebody else holds the lock for too long */
};

/* Whose quota a box counts for; NULL: nobody's, also where it is ignored. */
struct mr_user *mr_judge_payer(struct mailbox *box);

/* Does what has come since the last time fit?  What does not is told in the log. */
enum mr_box_verdict mr_judge_admit(
	struct mailbox *box, struct mr_growth *growth);

/* Does it look as if `more` octets, which are on their way, could fit?  An upload
 * that cannot need not come to its end, and must not fill the disk. */
bool mr_judge_foresee(struct mailbox *box, const struct mr_growth *growth,
	uint64_t more);

/* Says why to the client. */
void mr_judge_refuse(
	struct mailbox *box, enum mr_box_verdict verdict);

/* What removes the mails that go keeps the lock of what has come, until it is
 * done. */
void mr_judge_share(const struct mr_growth *growth, struct mr_growth *source);

/* The end of a transaction, whichever. */
void mr_judge_end(struct mr_growth *growth);

#endif
