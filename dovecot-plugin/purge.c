/* purge - see purge.h: carries a plan out.  Making it is plan.c's. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/purge.h"
#include "dovecot-plugin/usage.h"
#include "dovecot-plugin/view.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "file-lock.h"

#include <time.h>

/* So many mails a commit. */
enum { BATCH = 200 };

bool mr_purge_plan_is_too_much(
	struct mr_user *u, const struct mr_purge_plan *plan)
{
	const struct mr_view *view = mr_user_view(u);

	return view != NULL && plan->due > 0 &&
		mr_purge_is_too_much(plan->due, plan->total, view->share);
}

/* Between plan and run flags may have changed, or the folder been replaced. */
static bool is_still_due(struct mail *mail, const struct mr_purge_rule *rule,
	time_t now)
{
	time_t saved;

	if (rule->keep_flagged && (mail_get_flags(mail) & MAIL_FLAGGED) != 0)
		return FALSE;
	return mail_get_save_date(mail, &saved) > 0 &&
		saved <= mr_purge_cutoff(rule, now);
}

struct gone {
	uint64_t messages, bytes;
};

/* The next batch of `uids` from *from on. */
static int expunge_batch(struct mailbox *box, const struct mr_purge_item *item,
	time_t now, struct seq_range_iter *iter, unsigned int *n,
	struct gone *gone)
{
	struct mailbox_transaction_context *t =
		mailbox_transaction_begin(box, 0, "mailreeve purge");
	struct mail *mail = mail_alloc(t, 0, NULL);
	struct gone batch = { 0, 0 };
	unsigned int first = *n;
	uint32_t uid;
	uoff_t size;
	int result;

	while (*n - first < BATCH && seq_range_array_iter_nth(iter, *n, &uid)) {
		(*n)++;
		if (!mail_set_uid(mail, uid) ||
		    !is_still_due(mail, item->rule, now))
			continue;
		if (mail_get_virtual_size(mail, &size) == 0)
			batch.bytes += size;
		batch.messages++;
		mail_expunge(mail);
	}
	mail_free(&mail);
	result = mailbox_transaction_commit(&t);
	if (result == 0 && batch.messages > 0)
		result = mailbox_sync(box, MAILBOX_SYNC_FLAG_EXPUNGE);
	if (result == 0) {
		gone->messages += batch.messages;
		gone->bytes += batch.bytes;
	}
	return result;
}

static bool time_is_up(const struct mr_purge_how *how)
{
	return how->until_ms != 0 && mr_clock_ms() >= how->until_ms;
}

static int expunge_folder(struct mailbox *box, struct mr_purge_plan *plan,
	struct mr_purge_item *item, const struct mr_purge_how *how,
	struct gone *gone)
{
	unsigned int n = 0, count = seq_range_count(&item->uids);
	struct mailbox_status status;
	struct seq_range_iter iter;

	if (mailbox_open(box) < 0 ||
	    mailbox_sync(box, MAILBOX_SYNC_FLAG_FAST) < 0)
		return -1;
	mailbox_get_open_status(box, STATUS_UIDVALIDITY, &status);
	if (status.uidvalidity != item->uid_validity)
		return 0; /* another folder has the name now */
	seq_range_array_iter_init(&iter, &item->uids);
	while (n < count) {
		if (time_is_up(how)) {
			plan->unfinished = TRUE;
			break;
		}
		if (expunge_batch(box, item, how->now, &iter, &n, gone) < 0)
			return -1;
	}
	return 0;
}

static const char *format_time(time_t when)
{
	struct tm tm;
	char text[32];

	localtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return t_strdup(text);
}

static void tell(struct mr_user *u, const struct mr_purge_item *item,
	const char *run)
{
	e_info(u->event, "purge: run=%s folder=%s messages=%"PRIu64" bytes=%"
		PRIu64" oldest=%s rule=\"purge %s\" at=%s", run, item->folder,
		item->messages, item->bytes, format_time(item->oldest),
		item->rule->folder, item->rule->at);
}

static int run_item(struct mr_user *u, struct mr_purge_plan *plan,
	struct mr_purge_item *item, const struct mr_purge_how *how,
	const char *run)
{
	struct mailbox *box = mailbox_alloc(item->ns->list, item->folder,
		MAILBOX_FLAG_IGNORE_ACLS);
	struct gone gone = { 0, 0 };
	enum mail_error error = MAIL_ERROR_NONE;
	int result = expunge_folder(box, plan, item, how, &gone);

	if (result < 0) {
		const char *why = mailbox_get_last_internal_error(box, &error);

		if (error == MAIL_ERROR_NOTFOUND)
			result = 0; /* deleted meanwhile */
		else
			e_error(u->event, "purge: run=%s folder=%s: %s", run,
				item->folder, why);
	}
	mailbox_free(&box);
	item->messages = gone.messages;
	item->bytes = gone.bytes;
	if (gone.messages > 0)
		tell(u, item, run);
	return result;
}

int mr_purge_run(struct mr_user *u, struct mr_purge_plan *plan,
	const struct mr_purge_how *how, const char *run)
{
	struct mr_purge_item *item;
	struct file_lock *lock = NULL;
	int locked = mr_usage_lock_purge(u, &lock);
	int result = plan->failed || locked < 0 ? -1 : 0;

	if (locked == 0)
		e_info(u->event, "purge: run=%s: another one is at work", run);
	plan->unfinished |= locked <= 0;
	array_foreach_modifiable(&plan->items, item) {
		if (item->unreported)
			continue;
		if (locked <= 0) {
			item->messages = item->bytes = 0;
			continue;
		}
		T_BEGIN {
			if (run_item(u, plan, item, how, run) < 0)
				result = -1;
		} T_END;
	}
	if (lock != NULL)
		file_unlock(&lock);
	return result;
}
