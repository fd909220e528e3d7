/*
 * user - what the plugin keeps for a Dovecot user, and the policy he is under
 *
 * One per mail_user, in its pool, never per process: lmtp and doveadm serve
 * many users in one.  Trouble of ours is logged and never made the user's
 * (user->error): mail goes on with the last good policy, or with Dovecot's own
 * settings where there was none.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_USER_H
#define MR_PLUGIN_USER_H

#include "dovecot-plugin/compat.h"

struct mr_view;
struct mr_usage_file;
struct mr_publish;

struct mr_user {
	union mail_user_module_context module_ctx;
	struct mail_user *user;
	struct event *event;

	struct mr_view *view; /* the last good one, or NULL */
	unsigned int held;    /* by those who need it to stay as it is */
	int64_t tried_ms;     /* when one was looked for */
	char *complaint;      /* what was last said to be wrong, or NULL */
	bool unsure_told;

	struct quota_root *root; /* ours, or NULL: no quota here */
	int64_t dovecot_quota; /* what Dovecot's settings say, octets, 0:
	                          unlimited */
	bool is_userdbs;       /* the userdb said so */
	uint64_t counted;      /* what Dovecot last counted */
	time_t counted_at;     /* when; 0: never */
	bool by_record; /* it was not asked to: what is on record is far below
	                   the limit, which then is for us alone to keep */
	bool counting;         /* it is at it: opens folders to look at them */
	unsigned int raised; /* open transactions that Dovecot's own check is
	                        to let through, as ours knows better */
	unsigned int deliveries; /* open transactions of them */
	bool warning;          /* our own mail goes in, however full it is */
	bool put_off; /* the last delivery, as others held the lock too long */
	struct mr_usage_file *usage; /* see usage.h; NULL: never locked */
	struct mr_publish *publish;  /* see publish.h */
};

/* Of any mail_user, made at the first call. */
MR_EXPORTED struct mr_user *mr_user_get(struct mail_user *user);
/* NULL: he does not have the plugin, as the userdb may say for some. */
struct mr_user *mr_user_find(struct mail_user *user);

/* The policy as it is now; looked for at most once a second.  NULL: there is
 * none that can be read, and there was none. */
MR_EXPORTED const struct mr_view *mr_user_view(struct mr_user *u);
/* The same, which then stays until it is released as often: any transaction may
 * load a newer one, and free the old. */
MR_EXPORTED const struct mr_view *mr_user_hold(struct mr_user *u);
MR_EXPORTED void mr_user_release(struct mr_user *u);

/* The mr_view_sum of the policy of somebody who is not here.  FALSE: it cannot be
 * read, or is not sure. */
MR_EXPORTED bool mr_user_policy_sum(const char *username, uint64_t *sum_r);

/* The socket for reports of usage, the same for all (in the data stack); NULL:
 * the policy cannot be read. */
MR_EXPORTED const char *mr_user_policy_usage(void);

/* What a mailbox may hold now, octets or MR_UNLIMITED; precedence: the policy's
 * `user`, the userdb's own, the rest of the policy, dovecot.conf.  *at_r:
 * FILE:LINE, or "userdb" or "dovecot.conf". */
MR_EXPORTED uint64_t mr_user_limit(struct mr_user *u, const char **at_r);

/* Makes Dovecot's own check, which comes before ours, go by the limit as it is
 * now: in observe mode dovecot.conf's, for the Trash with its allowance. */
void mr_user_set_limit(struct mr_user *u);

/* Whose quota a box counts for: its owner's; NULL: nobody's. */
struct mr_user *mr_user_of_box(struct mailbox *box);

void mr_user_created(struct mail_user *user);

#endif
