/* doveadm_show - `doveadm mailreeve show`: a user's folders, and what goes when */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/doveadm.h"
#include "dovecot-plugin/folders.h"
#include "dovecot-plugin/purge.h"
#include "dovecot-plugin/view.h"
#include "common/base/arena.h"
#include "common/base/units.h"

#include <time.h>

struct showing {
	struct doveadm_mail_cmd_context *ctx;
	struct mr_user *u;
	const struct mr_view *view;
	struct mr_purge_plan *plan; /* NULL: there is no rule */
	time_t now;
};

static const struct mr_purge_item *find_item(
	const struct showing *s, const char *folder)
{
	const struct mr_purge_item *item;

	if (s->plan != NULL)
		array_foreach(&s->plan->items, item)
			if (strcmp(item->folder, folder) == 0)
				return item;
	return NULL;
}

static const char *duration(int64_t seconds)
{
	struct mr_arena *arena = mr_arena_new(64);
	const char *text = t_strdup(mr_duration_format(arena, seconds));

	mr_arena_free(&arena);
	return text;
}

/* What holds a rule back stands beside what it would do. */
static const char *when(const struct showing *s,
	const struct mr_purge_rule *rule, const struct mr_purge_item *item,
	time_t oldest)
{
	time_t next;

	if (rule == NULL)
		return "never";
	if (item != NULL)
		return item->unreported ? "after a -n report" :
			s->view->observe ? "not in observe mode" : "now";
	if (oldest == 0)
		return "-";
	next = oldest + (s->now - mr_purge_cutoff(rule, s->now));
	/* flagged mail, or of an age that is not known */
	return next <= s->now ? "kept" : mr_doveadm_time(next);
}

static int show_folder(const struct mr_folder *folder, void *context)
{
	const struct showing *s = context;
	const struct mr_purge_folder names = { folder->name, folder->below,
		folder->special };
	const struct mr_purge_rule *rule = mr_purge_find(
		s->view->rules, s->view->n_rules, &names);
	const struct mr_purge_item *item = find_item(s, folder->name);
	struct mailbox *box = mailbox_alloc(folder->ns->list, folder->name,
		MAILBOX_FLAG_READONLY | MAILBOX_FLAG_IGNORE_ACLS);
	struct mailbox_metadata metadata;
	struct mailbox_status status;
	time_t oldest;

	if (mailbox_get_status(box, STATUS_MESSAGES, &status) < 0 ||
	    mailbox_get_metadata(box, MAILBOX_METADATA_VIRTUAL_SIZE |
		    MAILBOX_METADATA_FIRST_SAVE_DATE, &metadata) < 0) {
		doveadm_mail_failed_mailbox(s->ctx, box);
		e_error(s->u->event, "%s: %s", folder->name,
			mailbox_get_last_internal_error(box, NULL));
		mailbox_free(&box);
		return 0;
	}
	if (!mr_folder_keeps_dates(box) ||
	    (folder->is_lazy && rule != NULL && mr_purge_is_pattern(rule)))
		rule = NULL;
	mailbox_free(&box);
	oldest = metadata.first_save_date == (time_t)-1
		? 0 : metadata.first_save_date;
	if (item != NULL && (oldest == 0 || item->oldest < oldest))
		oldest = item->oldest;
	doveadm_print(folder->name);
	doveadm_print_num(status.messages);
	doveadm_print_num(metadata.virtual_size);
	doveadm_print(mr_doveadm_time(oldest));
	doveadm_print(rule == NULL ? "-" :
		t_strconcat("purge ", rule->folder, NULL));
	doveadm_print(rule == NULL ? "-" : duration(
		s->now - mr_purge_cutoff(rule, s->now)));
	doveadm_print_num(item == NULL ? 0 : item->messages);
	doveadm_print(when(s, rule, item, oldest));
	doveadm_print(rule == NULL ? "-" : rule->at);
	return 0;
}

static int run(struct doveadm_mail_cmd_context *ctx, struct mail_user *user)
{
	struct mr_user *u = mr_user_get(user);
	const struct mr_purge_how how = { .now = time(NULL), .all = TRUE };
	struct showing s = { .ctx = ctx, .u = u, .view = mr_user_hold(u),
		.now = how.now };
	int result;

	if (s.view == NULL) {
		mr_user_release(u);
		doveadm_mail_failed_error(ctx, MAIL_ERROR_TEMP);
		return -1;
	}
	mr_doveadm_user(ctx, user);
	s.plan = mr_purge_plan(u, &how);
	result = mr_folders_each_own(user, show_folder, &s);
	mr_purge_plan_free(&s.plan);
	mr_user_release(u);
	if (result < 0)
		doveadm_mail_failed_error(ctx, MAIL_ERROR_TEMP);
	return result < 0 || ctx->exit_code != 0 ? -1 : 0;
}

static void number_header(const char *key, const char *title)
{
	doveadm_print_header(key, title,
		DOVEADM_PRINT_HEADER_FLAG_RIGHT_JUSTIFY |
		DOVEADM_PRINT_HEADER_FLAG_NUMBER);
}

static void init(MR_DOVEADM_INIT(ctx))
{
	mr_doveadm_user_header(ctx);
	doveadm_print_header("folder", "Folder", 0);
	number_header("messages", "Messages");
	number_header("bytes", "Bytes");
	doveadm_print_header("oldest", "Oldest", 0);
	doveadm_print_header("rule", "Rule", 0);
	doveadm_print_header("after", "After", 0);
	number_header("due", "Due");
	doveadm_print_header("goes", "Goes", 0);
	doveadm_print_header("at", "At", 0);
}

static struct doveadm_mail_cmd_context *alloc(void)
{
	struct doveadm_mail_cmd_context *ctx =
		doveadm_mail_cmd_alloc(struct doveadm_mail_cmd_context);

	mr_doveadm_prepare(ctx);
	ctx->v.init = init;
	ctx->v.run = run;
	doveadm_print_init(DOVEADM_PRINT_TYPE_TABLE);
	return ctx;
}

struct doveadm_cmd_ver2 mr_doveadm_show = {
	.name = "mailreeve show",
	.usage = DOVEADM_CMD_MAIL_USAGE_PREFIX "[-F <file>]",
	.mail_cmd = alloc,
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_MAIL_COMMON
DOVEADM_CMD_PARAMS_END
};
