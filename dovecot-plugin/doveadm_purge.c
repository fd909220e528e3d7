/* doveadm_purge - `doveadm mailreeve purge`: what would go (-n), and its going */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/doveadm.h"
#include "dovecot-plugin/doveadm_due.h"
#include "dovecot-plugin/guard.h"
#include "dovecot-plugin/purge.h"
#include "dovecot-plugin/view.h"
#include "dovecot-plugin/warn.h"
#include "common/base/clock.h"
#include "hash.h"
#include "str.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_MS = 200 };

struct unreported {
	const char *folder, *at;
	uint64_t users, messages;
};

struct purge_cmd {
	struct doveadm_mail_cmd_context ctx;
	struct mr_purge_how how;
	const char *run; /* the name of this run */
	bool dry;    /* nothing goes: -n, or the policy only observes */
	bool report; /* -n: somebody wanted to see it */
	bool terminal, all_agreed, quit;
	bool progress, progress_shown;
	int64_t shown_ms;
	uint64_t users, not_due, messages, bytes, held, unknown;
	struct mr_dues *dues; /* NULL: a single user, or not root's */
	HASH_TABLE(char *, char *) rules; /* the lines of those that were met */
	HASH_TABLE(char *, struct unreported *) unreported;
};

/* --- the terminal ------------------------------------------------------- */

static void clear_progress(struct purge_cmd *cmd)
{
	if (cmd->progress_shown)
		fputs("\r\033[K", stderr);
	cmd->progress_shown = FALSE;
}

static void show_progress(struct purge_cmd *cmd, const char *user)
{
	int64_t now = mr_clock_ms();

	if (!cmd->progress || now - cmd->shown_ms < PROGRESS_MS)
		return;
	cmd->shown_ms = now;
	fprintf(stderr, "\r\033[K%"PRIu64" users, %"PRIu64" messages%s: %.40s",
		cmd->users, cmd->messages, cmd->dry ? " would go" : " gone",
		user);
	cmd->progress_shown = TRUE;
}

/* More than the policy lets go unasked: somebody at the terminal decides. */
static bool ask(struct purge_cmd *cmd, struct mail_user *user,
	const struct mr_purge_plan *plan)
{
	char answer[16];

	if (cmd->all_agreed)
		return TRUE;
	clear_progress(cmd);
	fprintf(stderr, "%s: %"PRIu64" of %"PRIu64" messages are due.  "
		"Purge them?  [y]es, [N]o, [a]ll such users, [q]uit: ",
		user->username, plan->due, plan->total);
	if (fgets(answer, sizeof(answer), stdin) == NULL)
		answer[0] = 'q';
	cmd->all_agreed = answer[0] == 'a';
	cmd->quit = answer[0] == 'q';
	return answer[0] == 'y' || answer[0] == 'a';
}

/* --- a user ------------------------------------------------------------- */

static void remember_rules(
	struct purge_cmd *cmd, const struct mr_purge_plan *plan)
{
	const char *line;

	array_foreach_elem(&plan->rules, line) {
		char *copy;

		/* one user's report is for his own rules only */
		if (cmd->ctx.iterate_single_user && 
		    strncmp(line, "user ", 5) != 0)
			continue;
		if (hash_table_lookup(cmd->rules, line) != NULL)
			continue;
		copy = p_strdup(cmd->ctx.pool, line);
		hash_table_insert(cmd->rules, copy, copy);
	}
}

static void remember_unreported(
	struct purge_cmd *cmd, const struct mr_purge_item *item)
{
	const char *key = t_strconcat(
		item->rule->at, "\t", item->rule->folder, NULL);
	struct unreported *u = hash_table_lookup(cmd->unreported, key);

	if (u == NULL) {
		u = p_new(cmd->ctx.pool, struct unreported, 1);
		u->folder = p_strdup(cmd->ctx.pool, item->rule->folder);
		u->at = p_strdup(cmd->ctx.pool, item->rule->at);
		hash_table_insert(
			cmd->unreported, p_strdup(cmd->ctx.pool, key), u);
	}
	u->users++;
	u->messages += item->messages;
}

static void print_item(struct purge_cmd *cmd, struct mail_user *user,
	const struct mr_purge_item *item)
{
	clear_progress(cmd);
	mr_doveadm_user(&cmd->ctx, user);
	doveadm_print(item->folder);
	doveadm_print_num(item->messages);
	doveadm_print_num(item->bytes);
	doveadm_print(mr_doveadm_time(item->oldest));
	doveadm_print(t_strconcat("purge ", item->rule->folder, NULL));
	doveadm_print(item->rule->at);
	cmd->messages += item->messages;
	cmd->bytes += item->bytes;
}

/* Of a dry run all, of a run what went. */
static void print_plan(struct purge_cmd *cmd, struct mail_user *user,
	const struct mr_purge_plan *plan)
{
	const struct mr_purge_item *item;

	array_foreach(&plan->items, item) {
		if (!cmd->dry && item->unreported)
			remember_unreported(cmd, item);
		else if (item->messages > 0)
			print_item(cmd, user, item);
	}
}

static bool may_run(struct purge_cmd *cmd, struct mr_user *u,
	const struct mr_purge_plan *plan)
{
	if (!mr_purge_plan_is_too_much(u, plan))
		return plan->due > 0;
	if (cmd->terminal)
		return ask(cmd, u->user, plan);
	clear_progress(cmd);
	e_warning(u->event, "purge: nothing is purged: %"PRIu64" of %"PRIu64" "
		"messages are due, more than keep { share } allows; \"doveadm "
		"mailreeve purge -u %s\" at a terminal asks", plan->due,
		plan->total, u->user->username);
	cmd->held++;
	return FALSE;
}

/* Is nothing left that only a full scan would find? */
static bool is_done(const struct mr_purge_plan *plan)
{
	const struct mr_purge_item *item;

	array_foreach(&plan->items, item)
		if (item->unreported)
			return FALSE;
	return TRUE;
}

/* Nothing goes: of what was planned, only what nobody has seen is of interest. */
static void leave(struct mr_purge_plan *plan)
{
	struct mr_purge_item *item;

	array_foreach_modifiable(&plan->items, item)
		if (!item->unreported)
			item->messages = 0;
}

/* The userdb may have another name for him, and that has the policy. */
static void remember_due(struct purge_cmd *cmd, struct mr_user *u,
	const struct mr_purge_plan *plan)
{
	const char *user = cmd->ctx.cctx->username;

	if (strcmp(user, u->user->username) == 0)
		mr_dues_remember(cmd->dues, user, plan);
}

static int carry_out(struct purge_cmd *cmd, struct mr_user *u,
	struct mr_purge_plan *plan)
{
	bool wanted = plan->due > 0;

	if (!may_run(cmd, u, plan)) {
		leave(plan);
		if (wanted)
			return 0;
	} else if (mr_purge_run(u, plan, &cmd->how, cmd->run) < 0) {
		return -1;
	}
	if (is_done(plan)) {
		mr_purge_remember(u, plan, &cmd->how);
		remember_due(cmd, u, plan);
	}
	return 0;
}

static int purge_user(struct purge_cmd *cmd, struct mr_user *u)
{
	struct mr_purge_plan *plan = mr_purge_plan(u, &cmd->how);
	int result = 0;

	if (plan == NULL)
		return 0;
	if (cmd->report)
		remember_rules(cmd, plan);
	cmd->unknown += plan->unknown;
	if (!cmd->dry)
		result = carry_out(cmd, u, plan);
	else if (array_count(&plan->items) == 0)
		remember_due(cmd, u, plan);
	if (plan->failed)
		result = -1;
	print_plan(cmd, u->user, plan);
	mr_purge_plan_free(&plan);
	return result;
}

static int run(struct doveadm_mail_cmd_context *ctx, struct mail_user *user)
{
	struct purge_cmd *cmd = container_of(ctx, struct purge_cmd, ctx);
	struct mr_user *u = mr_user_get(user);
	const struct mr_view *view = mr_user_view(u);
	int result;

	if (cmd->quit)
		return 0;
	cmd->users++;
	show_progress(cmd, user->username);
	if (view == NULL) {
		/* why has been said */
		doveadm_mail_failed_error(ctx, MAIL_ERROR_TEMP);
		return -1;
	}
	if (view->observe && !cmd->dry) {
		cmd->dry = TRUE;
		clear_progress(cmd);
		e_warning(u->event, "purge: mode = observe, so this is what "
			"would go");
	}
	result = purge_user(cmd, u);
	if (!cmd->dry)
		mr_warn_check(u);
	if (result < 0)
		doveadm_mail_failed_error(ctx, MAIL_ERROR_TEMP);
	return result;
}

/* Those of whom it is known that nothing is due are not even made. */
static int next_user(struct doveadm_mail_cmd_context *ctx, const char **user_r)
{
	struct purge_cmd *cmd = container_of(ctx, struct purge_cmd, ctx);
	bool later = TRUE;
	int result = 0;

	while (later && !cmd->quit) {
		result = mr_doveadm_next_user(ctx, user_r);
		if (result <= 0)
			break;
		T_BEGIN {
			later = !cmd->how.all &&
				mr_dues_is_later(cmd->dues, *user_r);
		} T_END;
		if (later) {
			cmd->users++;
			cmd->not_due++;
			show_progress(cmd, *user_r);
		}
	}
	return cmd->quit ? 0 : result;
}

/* --- the command -------------------------------------------------------- */

static void print_headers(struct doveadm_mail_cmd_context *ctx)
{
	mr_doveadm_user_header(ctx);
	doveadm_print_header("folder", "Folder", 0);
	doveadm_print_header("messages", "Messages",
		DOVEADM_PRINT_HEADER_FLAG_RIGHT_JUSTIFY |
		DOVEADM_PRINT_HEADER_FLAG_NUMBER);
	doveadm_print_header("bytes", "Bytes",
		DOVEADM_PRINT_HEADER_FLAG_RIGHT_JUSTIFY |
		DOVEADM_PRINT_HEADER_FLAG_NUMBER);
	doveadm_print_header("oldest", "Oldest", 0);
	doveadm_print_header("rule", "Rule", 0);
	doveadm_print_header("at", "At", 0);
}

static void init(MR_DOVEADM_INIT(ctx))
{
	struct purge_cmd *cmd = container_of(ctx, struct purge_cmd, ctx);
	struct mr_error error;

	cmd->report = cmd->dry = mr_doveadm_flag(ctx, "dry-run");
	cmd->how.now = time(NULL);
	cmd->how.all = cmd->dry || mr_doveadm_flag(ctx, "full");
	cmd->how.remember = !cmd->dry;
	cmd->terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	cmd->progress = isatty(STDERR_FILENO) && !ctx->iterate_single_user;
	cmd->run = p_strdup_printf(ctx->pool, "%"PRIdTIME_T".%ld",
		cmd->how.now, (long)getpid());
	hash_table_create(
		&cmd->rules, default_pool, 0, str_hash, strcmp);
	hash_table_create(
		&cmd->unreported, default_pool, 0, str_hash, strcmp);
	print_headers(ctx);
	if (!ctx->iterate_single_user)
		cmd->dues = mr_dues_open(cmd->how.now);
	if (mr_guard_clock(cmd->how.now, &error) == 0)
		return;
	if (!cmd->dry) {
		i_error("nothing is purged: %s", error.text);
		lib_exit(EX_TEMPFAIL);
	}
	i_warning("nothing would be purged: %s", error.text);
}

static void report_rules(struct purge_cmd *cmd)
{
	struct hash_iterate_context *iter =
		hash_table_iterate_init(cmd->rules);
	ARRAY_TYPE(const_string) lines;
	struct mr_error error;
	char *line, *value;
	const char *copy;

	t_array_init(&lines, 16);
	while (hash_table_iterate(iter, cmd->rules, &line, &value)) {
		copy = line;
		array_push_back(&lines, &copy);
	}
	hash_table_iterate_deinit(&iter);
	array_sort(&lines, i_strcmp_p);
	array_append_zero(&lines);
	if (array_count(&lines) > 1 && mr_guard_report(
		array_front(&lines), &error) < 0)
		i_warning("this report is not remembered, so that rules which "
			"are new will not purge: %s", error.text);
}

static void tell_unreported(struct purge_cmd *cmd)
{
	struct hash_iterate_context *iter =
		hash_table_iterate_init(cmd->unreported);
	struct unreported *u;
	char *key;

	while (hash_table_iterate(iter, cmd->unreported, &key, &u))
		i_warning("purge %s (%s) is new: %"PRIu64" messages of %"PRIu64
			" users stay until \"doveadm mailreeve purge -n -A\" "
			"has shown what would go", u->folder, u->at,
			u->messages, u->users);
	hash_table_iterate_deinit(&iter);
}

static void deinit(struct doveadm_mail_cmd_context *ctx)
{
	struct purge_cmd *cmd = container_of(ctx, struct purge_cmd, ctx);

	clear_progress(cmd);
	if (cmd->run == NULL)
		return; /* never begun */
	doveadm_print_flush();
	if (cmd->report)
		report_rules(cmd);
	if (!cmd->dry)
		tell_unreported(cmd);
	mr_dues_close(&cmd->dues);
	if (cmd->unknown > 0)
		i_info("%"PRIu64" messages stay as their age is not known",
			cmd->unknown);
	i_info("purge: run=%s%s users=%"PRIu64" not_due=%"PRIu64" messages=%"
		PRIu64" bytes=%"PRIu64" held=%"PRIu64, cmd->run,
		cmd->dry ? " dry" : "", cmd->users, cmd->not_due,
		cmd->messages, cmd->bytes, cmd->held);
	hash_table_destroy(&cmd->rules);
	hash_table_destroy(&cmd->unreported);
}

static struct doveadm_mail_cmd_context *alloc(void)
{
	struct purge_cmd *cmd = doveadm_mail_cmd_alloc(struct purge_cmd);

	mr_doveadm_prepare(&cmd->ctx);
	cmd->ctx.v.init = init;
	cmd->ctx.v.run = run;
	cmd->ctx.v.deinit = deinit;
	cmd->ctx.v.get_next_user = next_user;
	doveadm_print_init(DOVEADM_PRINT_TYPE_TABLE);
	return &cmd->ctx;
}

struct doveadm_cmd_ver2 mr_doveadm_purge = {
	.name = "mailreeve purge",
	.usage = DOVEADM_CMD_MAIL_USAGE_PREFIX "[-F <file>] [-n] [--full]",
	.mail_cmd = alloc,
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_MAIL_COMMON
DOVEADM_CMD_PARAM('n', "dry-run", CMD_PARAM_BOOL, 0)
DOVEADM_CMD_PARAM('f', "full", CMD_PARAM_BOOL, 0)
DOVEADM_CMD_PARAMS_END
};
