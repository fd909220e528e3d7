/* plan - what a purge of a user would remove; see purge.h.
 *
 * The save date of a folder's first mail is in the list of folders, so that a
 * folder in which nothing is due is not opened.  Mail out of order (an older one
 * behind a younger) is found by looking at everything now and then. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/folders.h"
#include "dovecot-plugin/guard.h"
#include "dovecot-plugin/purge.h"
#include "dovecot-plugin/usage.h"
#include "dovecot-plugin/view.h"
#include "common/base/arena.h"
#include "common/base/clock.h"

/* The time is looked at once in so many mails. */
enum { LOOK_AT_CLOCK = 256 };

struct planning {
	struct mr_user *u;
	const struct mr_view *view;
	const struct mr_purge_how *how;
	struct mr_purge_plan *plan;
	const char *reported; /* read when first needed */
	bool all;             /* look at everything, this time */
	bool told_mbox;
};

static bool time_is_up(struct planning *p)
{
	if (p->how->until_ms == 0 || mr_clock_ms() < p->how->until_ms)
		return FALSE;
	p->plan->unfinished = TRUE;
	return TRUE;
}

/* What is due at `cutoff` now, and was saved later, is due later. */
static void note_next(struct planning *p, time_t saved, time_t cutoff)
{
	p->plan->next =
		I_MIN(p->plan->next, saved + (p->how->now - cutoff));
}

/* 0: nothing can be due; else look inside. */
static bool may_be_due(struct planning *p, struct mailbox *box, time_t cutoff)
{
	struct mailbox_metadata metadata;
	int result = mailbox_get_metadata(
		box, MAILBOX_METADATA_FIRST_SAVE_DATE, &metadata);

	/* asking makes Dovecot keep the answer in the list at the next sync,
	 * which a folder that nobody opens would never see */
	if (result == 0 && box->opened && !p->all)
		result = mailbox_sync(box, MAILBOX_SYNC_FLAG_FAST);
	/* one mail that cannot be read must not hide the others */
	if (p->all || result < 0)
		return 1;
	if (metadata.first_save_date == (time_t)-1)
		return FALSE;
	if (metadata.first_save_date <= cutoff)
		return TRUE;
	note_next(p, metadata.first_save_date, cutoff);
	return FALSE;
}

static void look_at(struct planning *p, struct mail *mail,
	struct mr_purge_item *item, time_t cutoff)
{
	time_t saved;
	uoff_t size;

	/* an age that is not known is kept, whatever the reason */
	if (mail_get_save_date(mail, &saved) <= 0) {
		if (!mail->expunged)
			p->plan->unknown++;
		return;
	}
	if (item->rule->keep_flagged &&
	    (mail_get_flags(mail) & MAIL_FLAGGED) != 0)
		return;
	if (saved > cutoff) {
		note_next(p, saved, cutoff);
		return;
	}
	if (item->messages == 0 || saved < item->oldest)
		item->oldest = saved;
	if (mail_get_virtual_size(mail, &size) == 0)
		item->bytes += size;
	seq_range_array_add(&item->uids, mail->uid);
	item->messages++;
}

static int scan(struct planning *p, struct mailbox *box,
	struct mr_purge_item *item, time_t cutoff)
{
	struct mailbox_transaction_context *t;
	struct mailbox_status status;
	struct mail *mail;

	if (mailbox_open(box) < 0 ||
	    mailbox_sync(box, MAILBOX_SYNC_FLAG_FAST) < 0)
		return -1;
	mailbox_get_open_status(
		box, STATUS_MESSAGES | STATUS_UIDVALIDITY, &status);
	item->uid_validity = status.uidvalidity;
	t = mailbox_transaction_begin(box, 0, "mailreeve purge plan");
	mail = mail_alloc(t, 0, NULL);
	for (uint32_t seq = 1; seq <= status.messages; seq++) {
		if (seq % LOOK_AT_CLOCK == 0 && time_is_up(p))
			break;
		mail_set_seq(mail, seq);
		look_at(p, mail, item, cutoff);
	}
	mail_free(&mail);
	/* nothing is changed, but save dates that were looked up are kept */
	return mailbox_transaction_commit(&t);
}

static bool is_reported(struct planning *p, const struct mr_purge_rule *rule)
{
	if (p->reported == NULL)
		p->reported = mr_guard_reported(p->plan->pool);
	return mr_purge_is_reported(p->reported, rule);
}

static const struct mr_purge_rule *copy_rule(
	pool_t pool, const struct mr_purge_rule *rule)
{
	struct mr_purge_rule *copy = p_new(pool, struct mr_purge_rule, 1);

	*copy = *rule;
	copy->folder = p_strdup(pool, rule->folder);
	copy->scope = p_strdup(pool, rule->scope);
	copy->at = p_strdup(pool, rule->at);
	return copy;
}

static void add_item(struct planning *p, struct mr_purge_item *item,
	const struct mr_folder *folder)
{
	struct mr_purge_plan *plan = p->plan;

	item->ns = folder->ns;
	item->folder = p_strdup(plan->pool, folder->name);
	item->unreported = !is_reported(p, item->rule);
	item->rule = copy_rule(plan->pool, item->rule);
	if (!item->unreported)
		plan->due += item->messages;
	array_push_back(&plan->items, item);
}

/* An index that cannot be read, or a folder that is nobody's: the next one. */
static void tell_trouble(struct planning *p, struct mailbox *box)
{
	enum mail_error error;
	const char *why = mailbox_get_last_internal_error(box, &error);

	if (error == MAIL_ERROR_NOTFOUND || error == MAIL_ERROR_NOTPOSSIBLE)
		return;
	e_error(p->u->event, "purge: cannot look into %s, its mail stays: %s",
		box->vname, why);
	p->plan->failed = TRUE;
}

/* That nothing ever goes must be known; of what is shown twice it need not. */
static void tell_without_dates(struct planning *p, struct mailbox *box)
{
	if (strcmp(box->storage->name, "mbox") != 0 || p->told_mbox)
		return;
	p->told_mbox = TRUE;
	p->plan->next = 0; /* the next run tells it, too */
	e_warning(p->u->event, "purge: %s is kept as mbox, which has no dates "
		"of saving: mail in mbox stays", box->vname);
}

static int plan_folder(const struct mr_folder *folder, void *context)
{
	struct planning *p = context;
	const struct mr_purge_folder names = { folder->name, folder->below,
		folder->special };
	struct mr_purge_item item = {
		.rule = mr_purge_find(p->view->rules, p->view->n_rules, &names)
	};
	struct mailbox *box;
	time_t cutoff;

	if (time_is_up(p))
		return -1;
	/* what was deleted is kept there on purpose: only its own name counts */
	if (item.rule == NULL ||
	    (folder->is_lazy && mr_purge_is_pattern(item.rule)))
		return 0;
	cutoff = mr_purge_cutoff(item.rule, p->how->now);
	box = mailbox_alloc(
		folder->ns->list, folder->name, MAILBOX_FLAG_IGNORE_ACLS);
	if (!mr_folder_keeps_dates(box)) {
		tell_without_dates(p, box);
		mailbox_free(&box);
		return 0;
	}
	p_array_init(&item.uids, p->plan->pool, 16);
	if (may_be_due(p, box, cutoff) && scan(p, box, &item, cutoff) < 0)
		tell_trouble(p, box);
	mailbox_free(&box);
	if (item.messages > 0)
		add_item(p, &item, folder);
	return 0;
}

/* --- the user ----------------------------------------------------------- */

static int count_messages(const struct mr_folder *folder, void *context)
{
	uint64_t *total = context;
	struct mailbox *box = mailbox_alloc(folder->ns->list, folder->name,
		MAILBOX_FLAG_READONLY | MAILBOX_FLAG_IGNORE_ACLS);
	struct mailbox_status status;

	if (mr_folder_keeps_dates(box) &&
	    mailbox_get_status(box, STATUS_MESSAGES, &status) == 0)
		*total += status.messages;
	mailbox_free(&box);
	return 0;
}

/* Rules with plain names need no list of all folders. */
static int each_folder(struct planning *p)
{
	const struct mr_purge_rule *rules = p->view->rules;
	const char **names = t_new(const char *, p->view->n_rules + 1);

	for (size_t i = 0; i < p->view->n_rules; i++) {
		if (mr_purge_is_pattern(&rules[i]))
			return mr_folders_each_own(
				p->u->user, plan_folder, p);
		names[i] = rules[i].folder;
	}
	return mr_folders_each_named(p->u->user, names, plan_folder, p);
}

static void add_rules(struct mr_purge_plan *plan, const struct mr_view *view)
{
	struct mr_arena *arena = mr_arena_new(1024);

	for (size_t i = 0; i < view->n_rules; i++) {
		const char *line = p_strdup(plan->pool,
			mr_purge_reported_line(arena, &view->rules[i]));

		array_push_back(&plan->rules, &line);
	}
	mr_arena_free(&arena);
}

/* When all folders were last looked at is in the user's file. */
static bool is_time_for_all(struct planning *p)
{
	bool wanted = FALSE;

	if (mr_usage_lock(p->u, MR_USAGE_WAIT) != MR_USAGE_LOCKED)
		return FALSE;
	wanted = mr_purge_wants_scan(p->u->user->username,
		p->u->usage->usage.scanned, p->how->now);
	mr_usage_unlock(p->u);
	return wanted;
}

void mr_purge_remember(struct mr_user *u, const struct mr_purge_plan *plan,
	const struct mr_purge_how *how)
{
	if (!plan->all || plan->unfinished || plan->failed ||
	    mr_usage_lock(u, MR_USAGE_WAIT) != MR_USAGE_LOCKED)
		return;
	u->usage->usage.scanned = how->now;
	mr_usage_write(u);
	mr_usage_unlock(u);
}

/* Mail that is saved from now on waits as long as the shortest rule says. */
static void begin_next(struct planning *p)
{
	time_t now = p->how->now;

	p->plan->next = mr_purge_next_scan(p->u->user->username, now);
	for (size_t i = 0; i < p->view->n_rules; i++)
		note_next(p, now, mr_purge_cutoff(&p->view->rules[i], now));
}

static struct mr_purge_plan *make_plan(struct mr_user *u,
	const struct mr_view *view, const struct mr_purge_how *how)
{
	struct planning p = { .u = u, .view = view, .how = how };
	pool_t pool = pool_alloconly_create("purge plan", 2048);

	p.plan = p_new(pool, struct mr_purge_plan, 1);
	p.plan->pool = pool;
	p.plan->policy = mr_view_sum(view);
	p_array_init(&p.plan->items, pool, 8);
	p_array_init(&p.plan->rules, pool, 8);
	add_rules(p.plan, p.view);
	begin_next(&p);
	p.all = how->all || (how->remember && view->n_rules > 0 &&
			     is_time_for_all(&p));
	if (each_folder(&p) < 0 && !p.plan->unfinished)
		p.plan->failed = TRUE;
	if (p.plan->due > 0)
		(void)mr_folders_each_own(
			u->user, count_messages, &p.plan->total);
	p.plan->all = p.all;
	return p.plan;
}

struct mr_purge_plan *mr_purge_plan(
	struct mr_user *u, const struct mr_purge_how *how)
{
	const struct mr_view *view = mr_user_hold(u);
	struct mr_purge_plan *plan = NULL;

	if (view != NULL && !view->unsure)
		plan = make_plan(u, view, how);
	mr_user_release(u);
	return plan;
}

void mr_purge_plan_free(struct mr_purge_plan **plan)
{
	pool_t pool;

	if (*plan == NULL)
		return;
	pool = (*plan)->pool;
	*plan = NULL;
	pool_unref(&pool);
}
