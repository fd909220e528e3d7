/* judge - see judge.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/judge.h"
#include "dovecot-plugin/folders.h"
#include "dovecot-plugin/leaving.h"
#include "dovecot-plugin/publish.h"
#include "dovecot-plugin/quota.h"
#include "dovecot-plugin/usage.h"
#include "dovecot-plugin/view.h"
#include "common/base/units.h"
#include "ioloop.h"

/* Where so many as one save would fit there is much room. */
enum { AT_ONCE = 100 };

static bool is_trash(struct mailbox *box)
{
	return mailbox_has_special_use(box, "\\Trash") ||
		strcmp(mr_folder_below(box->storage->user, box->vname),
		       "Trash") == 0;
}

struct mr_user *mr_judge_payer(struct mailbox *box)
{
	struct mr_user *u = mr_user_of_box(box);

	return u == NULL || mr_quota_ignores(u, box) ? NULL : u;
}

static void tell_full(struct mr_user *u, const char *at, uint64_t limit,
	uint64_t used, uint64_t added, const char *what)
{
	e_info(u->event, "quota: %s: %"PRIu64" octets more than the "
		"%"PRIu64" that are there would exceed %"PRIu64" (%s)",
		what, added, used, limit, at);
}

/* What comes, on top of what goes for it. */
static uint64_t net(const struct mr_growth *growth)
{
	return growth->saved - I_MIN(growth->saved, growth->replaced);
}

/* mbox is locked while it is written, by a lock that a second opening in this
 * process would take away. */
static bool may_count(struct mailbox *box)
{
	return !mr_quota_is_mbox(box->storage);
}

/* What each folder holds, and what this process has on its way there. */
static int count(struct mr_user *u, uint64_t *used_r)
{
	if (mr_quota_count_exactly(u, used_r) < 0)
		return -1;
	if (u->usage != NULL && u->usage->depth > 0)
		*used_r += u->usage->pending;
	return 0;
}

/* Near the limit: what was to go, and was removed by somebody else, frees nothing.
 * Nobody else can move it before we have, as the lock is kept until then.  Where
 * its transaction is over, it was that which removed it. */
static bool drop_gone(struct mr_user *u, struct mr_growth *growth)
{
	struct mr_leaving_gone gone;

	if (growth->leaving == NULL || growth->removed)
		return FALSE;
	mr_leaving_gone(growth->leaving, u, &gone);
	growth->saved += gone.moved;
	growth->replaced -= gone.replaced;
	return gone.mails > 0;
}

/* The record agrees with a count: of just now, or of when this began, if nobody
 * has written it since.  The process of another user does not see all folders,
 * and a clock may have been ahead. */
static void set_counted(struct mr_user *u, bool exactly)
{
	struct mr_usage *usage = &u->usage->usage;

	if (usage->counted > ioloop_time || (u->user->autocreated && exactly))
		usage->counted = 0;
	if (u->user->autocreated)
		return;
	if (exactly)
		usage->counted = ioloop_time;
	else if (u->counted_at > usage->counted && !mr_publish_is_outdated(u))
		usage->counted = u->counted_at;
}

/* Under the lock; leaves in u->usage what the mailbox holds before the commit, or
 * at most holds: UINT64_MAX makes the next one count. */
static enum mr_box_verdict judge(struct mr_user *u, struct mailbox *box,
	struct mr_growth *growth, uint64_t limit)
{
	struct mr_usage_file *file = u->usage;
	uint64_t used = file->known ? file->usage.bytes : UINT64_MAX;
	bool sure = TRUE, gone = FALSE, exactly = FALSE;

	if (u->counted > used || (!file->known && !may_count(box)))
		used = u->counted;
	/* the record errs upwards, so what it lets in fits */
	if (may_count(box) && !mr_quota_fits(limit, used, growth->gross)) {
		gone = drop_gone(u, growth);
		if (net(growth) > 0 &&
		    !mr_quota_fits(limit, used, net(growth))) {
			sure = count(u, &used) == 0;
			exactly = TRUE;
		}
	}
	/* an expunge is on no record; what Dovecot counted when this began is
	 * true if nobody has saved since */
	if (!may_count(box) && file->known && net(growth) > 0 &&
	    !mr_quota_fits(limit, used, net(growth))) {
		if (mr_publish_is_outdated(u))
			return MR_BOX_TRY_LATER;
		used = u->counted + file->pending;
	}
	/* unsure: keep the mail, and look again */
	file->usage.bytes = sure ? used : UINT64_MAX;
	set_counted(u, exactly);
	if (!sure || net(growth) == 0 || mr_quota_fits(limit, used, net(growth)))
		return MR_BOX_FITS;
	return gone ? MR_BOX_GONE : MR_BOX_FULL;
}

/* There is no lock to be had; the log says why. */
static enum mr_box_verdict judge_unlocked(struct mr_user *u, struct mailbox *box,
	const struct mr_growth *growth, uint64_t limit)
{
	uint64_t used;

	if (net(growth) == 0 || !may_count(box) ||
	    mr_quota_count_exactly(u, &used) < 0)
		return MR_BOX_FITS;
	return mr_quota_fits(limit, used, net(growth)) ? MR_BOX_FITS : MR_BOX_FULL;
}

/* Only a temporary error makes Sieve and Dovecot ask for the mail again; by any
 * other it would go to INBOX, wherever it belongs. */
static void put_off(struct mailbox *box)
{
	bool delivery = (box->flags & MAILBOX_FLAG_POST_SESSION) != 0;

	mr_user_of_box(box)->put_off = delivery;
	mail_storage_set_error(box->storage,
		delivery ? MAIL_ERROR_TEMP : MAIL_ERROR_INUSE,
		"Many mails arrive at once, please try again");
}

void mr_judge_refuse(struct mailbox *box, enum mr_box_verdict verdict)
{
	if (verdict == MR_BOX_TRY_LATER)
		put_off(box);
	else if (verdict == MR_BOX_GONE)
		mail_storage_set_error(box->storage, MAIL_ERROR_EXPUNGED,
			"Some of the requested messages no longer exist");
	else
		mail_storage_set_error(box->storage, MAIL_ERROR_NOQUOTA,
			mr_compat_full_text(mr_user_of_box(box)->root, box));
}

/* The policy's limit; for what is only copied to the Trash it is more. */
static uint64_t limit_for(struct mr_user *u, struct mailbox *box,
	const struct mr_growth *growth, const char **at_r)
{
	const struct mr_view *view = mr_user_view(u);
	uint64_t limit = mr_user_limit(u, at_r);

	if (growth->copied == growth->saved && view != NULL && is_trash(box))
		limit = mr_quota_extended(limit, view->trash);
	return limit;
}

static const char *const told[] = {
	[MR_BOX_FULL] = "refused",
	[MR_BOX_GONE] = "refused, what was to go for it is gone already",
	[MR_BOX_TRY_LATER] = "put off, others are saving",
};

static enum mr_box_verdict check(struct mr_user *u, struct mailbox *box,
	struct mr_growth *growth, enum mr_usage_result locked)
{
	const struct mr_view *view = mr_user_view(u);
	const char *at;
	uint64_t limit = limit_for(u, box, growth, &at);
	enum mr_box_verdict verdict = locked == MR_USAGE_LOCKED
		? judge(u, box, growth, limit)
		: locked == MR_USAGE_BUSY ? MR_BOX_TRY_LATER
		: judge_unlocked(u, box, growth, limit);

	/* whether the quota is ignored in that folder is long to ask on 2.4 */
	if (verdict == MR_BOX_FITS || u->warning || mr_quota_ignores(u, box))
		return MR_BOX_FITS;
	tell_full(u, at, limit, locked == MR_USAGE_LOCKED
		? u->usage->usage.bytes : u->counted, net(growth),
		view != NULL && view->observe
			? "would be refused (mode = observe)" : told[verdict]);
	return view != NULL && view->observe ? MR_BOX_FITS : verdict;
}

/* A move is waited for, and so is what fits wherever others get to meanwhile;
 * nothing is let in without the lock, or the record would not know of it. */
static enum mr_usage_result lock(struct mr_user *u, struct mailbox *box,
	const struct mr_growth *growth)
{
	const char *at;
	uint64_t crowd = net(growth) > UINT64_MAX / AT_ONCE
		? UINT64_MAX : net(growth) * AT_ONCE;
	enum mr_usage_result result = mr_usage_lock(u, MR_USAGE_WAIT);

	if (result == MR_USAGE_BUSY && (crowd == 0 ||
	    mr_quota_fits(limit_for(u, box, growth, &at), u->counted, crowd)))
		result = mr_usage_lock(u, MR_USAGE_PATIENCE);
	return result;
}

/* What was let in is on the record before it is in its folder. */
static void record(struct mr_user *u, struct mr_growth *growth,
	enum mr_box_verdict verdict)
{
	struct mr_usage *usage = &u->usage->usage;

	if (verdict == MR_BOX_FITS) {
		usage->bytes = usage->bytes > UINT64_MAX - growth->gross
			? UINT64_MAX : usage->bytes + growth->gross;
		growth->admitted += growth->gross;
		u->usage->pending += growth->gross;
		growth->grew |= growth->saved > 0;
	}
	mr_usage_write(u);
}

static bool is_asked(
	struct mr_user *u, const struct mr_growth *growth)
{
	const char *at;

	return u != NULL && growth->gross > 0 && !u->user->dsyncing &&
		mr_compat_enforces(u->root) &&
		mr_user_limit(u, &at) != MR_UNLIMITED;
}

enum mr_box_verdict mr_judge_admit(
	struct mailbox *box, struct mr_growth *growth)
{
	struct mr_user *u = growth->gross == 0 ? NULL : mr_user_of_box(box);
	enum mr_usage_result locked = MR_USAGE_LOCKED;
	enum mr_box_verdict verdict = MR_BOX_FITS;

	if (is_asked(u, growth)) {
		(void)mr_user_hold(u);
		u->put_off = FALSE;
		if (growth->payer == NULL)
			locked = lock(u, box, growth);
		if (locked == MR_USAGE_LOCKED)
			growth->payer = u;
		T_BEGIN {
			verdict = check(u, box, growth, locked);
		} T_END;
		/* a refusal is no save, which would outdate others' counts */
		if (growth->payer != NULL &&
		    (verdict == MR_BOX_FITS || may_count(box)))
			record(u, growth, verdict);
		mr_user_release(u);
	} else if (u != NULL && growth->saved > 0) T_BEGIN {
		growth->unmeasured = TRUE;
		mr_usage_doubt(u, UINT64_MAX);
	} T_END;
	growth->gross = growth->saved = growth->copied = growth->replaced = 0;
	mr_leaving_free(&growth->leaving);
	return verdict;
}

/* Counting may make transactions, so the view is held. */
static bool looks_well(struct mr_user *u, struct mailbox *box,
	const struct mr_growth *growth, uint64_t wanted)
{
	const struct mr_view *view = mr_user_view(u);
	uint64_t limit, used;
	const char *at;

	if (u->warning || u->user->dsyncing || !mr_compat_enforces(u->root) ||
	    (view != NULL && view->observe) || !may_count(box))
		return TRUE;
	limit = limit_for(u, box, growth, &at);
	if (mr_quota_fits(limit, u->counted, wanted) || count(u, &used) < 0 ||
	    mr_quota_fits(limit, used, wanted))
		return TRUE;
	tell_full(u, at, limit, used, wanted, "refused");
	return FALSE;
}

bool mr_judge_foresee(struct mailbox *box, const struct mr_growth *growth,
	uint64_t more)
{
	uint64_t wanted = net(growth) + more;
	struct mr_user *u = wanted == 0 ? NULL : mr_judge_payer(box);
	bool well;

	if (u == NULL)
		return TRUE;
	(void)mr_user_hold(u);
	well = looks_well(u, box, growth, wanted);
	mr_user_release(u);
	return well;
}

/* --- the end of a transaction ------------------------------------------- */

void mr_judge_share(const struct mr_growth *growth, struct mr_growth *source)
{
	if (source->payer == NULL && growth->payer != NULL &&
	    mr_usage_lock(growth->payer, 0) == MR_USAGE_LOCKED)
		source->payer = growth->payer;
}

void mr_judge_end(struct mr_growth *growth)
{
	mr_leaving_free(&growth->leaving);
	if (growth->payer == NULL)
		return;
	growth->payer->usage->pending -= growth->admitted;
	mr_usage_unlock(growth->payer);
}
