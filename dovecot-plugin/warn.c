/* warn - see warn.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/warn.h"
#include "dovecot-plugin/folders.h"
#include "dovecot-plugin/quota.h"
#include "dovecot-plugin/view.h"
#include "dovecot-plugin/warn_text.h"
#include "common/base/arena.h"
#include "common/base/units.h"
#include "istream.h"
#include "ioloop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program that takes longer is ended. */
enum { PROGRAM_SECONDS = 60 };

static bool is_watched(const struct mr_view *view)
{
	return view != NULL && view->n_levels > 0 && !view->observe;
}

static int level_of(struct mr_user *u, uint64_t used)
{
	const struct mr_view *view = mr_user_view(u);
	const char *at;

	return mr_quota_level(mr_user_limit(u, &at), used, view->levels,
		view->n_levels);
}

/* Remembers the level that the mailbox is at; the one to tell of, or 0. */
static int move_level(struct mr_user *u, int before, int now)
{
	if (u->usage->usage.level != now) {
		u->usage->usage.level = now;
		mr_usage_write(u);
	}
	return now > before ? now : 0;
}

static int find_crossed(struct mr_user *u)
{
	int before, then;
	uint64_t bytes, messages;

	before = u->usage->usage.level;
	/* what the record says is at least what is there */
	if (before == 0 && level_of(u, u->usage->usage.bytes) == 0)
		return 0;
	if (mr_quota_used(u, &bytes, &messages) < 0)
		return 0;
	/* it may have fallen, unseen, before this save */
	then = level_of(u, u->counted);
	return move_level(u, I_MIN(before, then), level_of(u, bytes));
}

int mr_warn_crossed(struct mr_user *u)
{
	int level = 0;

	/* the owner of a shared folder is told in a session of his own */
	if (is_watched(mr_user_hold(u)) && !u->user->autocreated &&
	    mr_folder_inbox(u->user) != NULL)
		level = find_crossed(u);
	mr_user_release(u);
	return level;
}

static int check_level(struct mr_user *u)
{
	uint64_t bytes, messages;
	int level = 0;

	if (mr_usage_lock(u, MR_USAGE_WAIT) != MR_USAGE_LOCKED)
		return 0;
	/* nobody was told, and what it holds at most is no reason to: most
	 * mailboxes need not be counted */
	if ((!u->usage->known || u->usage->usage.level > 0 ||
	     level_of(u, u->usage->usage.bytes) > 0) &&
	    mr_quota_used(u, &bytes, &messages) == 0)
		level = move_level(
			u, u->usage->usage.level, level_of(u, bytes));
	mr_usage_unlock(u);
	return level;
}

void mr_warn_check(struct mr_user *u)
{
	int level = 0;

	if (u->root == NULL || mr_folder_inbox(u->user) == NULL)
		return;
	if (is_watched(mr_user_hold(u)))
		level = check_level(u);
	if (level > 0)
		mr_warn_owner(u, level);
	mr_user_release(u);
}

/* --- a program ---------------------------------------------------------- */

static const char *distrust_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *directory = slash == path
		? "/" : t_strdup_until(path, slash);
	struct stat st;

	if (stat(directory, &st) < 0)
		return t_strdup_printf("%s: %m", directory);
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return t_strdup_printf("its directory %s must belong to root "
			"and be written by nobody else", directory);
	return NULL;
}

/* Root alone may say what runs here: the file, the directory it is in, and that
 * of a link to it.  *real_r: the file itself. */
static const char *distrust(const char *path, const char **real_r)
{
	char *real = realpath(path, NULL);
	const char *why;
	struct stat st;

	if (real == NULL)
		return t_strdup_printf("%s: %m", path);
	*real_r = t_strdup(real);
	free(real);
	if (stat(*real_r, &st) < 0)
		return t_strdup_printf("%s: %m", *real_r);
	if (!S_ISREG(st.st_mode) || (st.st_mode & S_IXUSR) == 0)
		return t_strdup_printf("%s is not a program", path);
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return t_strdup_printf("%s must belong to root and be written "
			"by nobody else", *real_r);
	why = distrust_directory(path);
	return why != NULL ? why : distrust_directory(*real_r);
}

/* Nothing of a root that only put its rights aside, as doveadm -A does. */
static void become_user_for_good(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (getuid() == uid && getgid() == gid)
		return;
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(126);
}

/* A child of a child, so that nobody need wait for it.  The signals that
 * Dovecot handles are the program's own again. */
static void run_program(struct mr_user *u, const struct mr_warning *w,
	const char *path)
{
	const char *real = path, *why = distrust(path, &real);
	char *argv[] = { (char *)path, (char *)w->user, (char *)w->percent,
		(char *)w->used, (char *)w->limit, NULL };
	char search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *envp[] = { search, NULL };
	sigset_t none;
	pid_t pid;

	if (why != NULL) {
		e_error(u->event, "warn_command was not run: %s", why);
		return;
	}
	pid = fork();
	if (pid < 0) {
		e_error(u->event, "warn_command was not run: fork: %m");
		return;
	}
	if (pid == 0) {
		if (fork() != 0)
			_exit(0);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		become_user_for_good();
		if (chdir("/") < 0 || setsid() < 0)
			_exit(126);
		closefrom(STDERR_FILENO + 1);
		alarm(PROGRAM_SECONDS);
		execve(real, argv, envp);
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	e_info(u->event, "quota: ran %s at %s%%", path, w->percent);
}

/* --- a mail ------------------------------------------------------------- */

static int save_octets(struct mail_save_context *save, struct istream *input)
{
	ssize_t got;

	if (mailbox_save_begin(&save, input) < 0)
		return -1;
	do {
		got = i_stream_read(input);
		if (mailbox_save_continue(save) < 0) {
			mailbox_save_cancel(&save);
			return -1;
		}
	} while (got > 0);
	return mailbox_save_finish(&save);
}

static int save_into(struct mailbox *box, const char *text)
{
	struct istream *input = i_stream_create_from_data(text, strlen(text));
	struct mailbox_transaction_context *t;
	int result = -1;

	if (mailbox_open(box) == 0) {
		t = mailbox_transaction_begin(box,
			MAILBOX_TRANSACTION_FLAG_EXTERNAL, "quota warning");
		result = save_octets(mailbox_save_alloc(t), input);
		if (result < 0)
			mailbox_transaction_rollback(&t);
		else
			result = mailbox_transaction_commit(&t);
	}
	i_stream_unref(&input);
	return result;
}

static void send_mail(struct mr_user *u, const struct mr_warning *w,
	const char *template)
{
	struct mr_arena *arena = mr_arena_new(4096);
	struct mail_namespace *ns = mr_folder_inbox(u->user);
	struct mailbox *box = mailbox_alloc(ns->list, "INBOX",
		MAILBOX_FLAG_POST_SESSION | MAILBOX_FLAG_IGNORE_ACLS);
	struct mr_error error;
	const char *text = mr_warn_mail(arena, template, w, &error);

	if (error.text[0] != '\0')
		e_error(u->event, "warn_mail: %s; the owner gets the text that "
			"is built in", error.text);
	/* the mailbox may be full, that is what it says */
	u->warning = TRUE;
	if (save_into(box, text) < 0)
		e_error(u->event, "the quota warning could not be saved: %s",
			mailbox_get_last_internal_error(box, NULL));
	else
		e_info(u->event, "quota: warned the owner at %s%%", w->percent);
	u->warning = FALSE;
	mailbox_free(&box);
	mr_arena_free(&arena);
}

void mr_warn_owner(struct mr_user *u, int level)
{
	const struct mr_view *view = mr_user_hold(u);
	struct mr_arena *arena = mr_arena_new(512);
	uint64_t bytes, messages, limit;
	const char *at;
	struct mr_warning w;

	if (mr_quota_used(u, &bytes, &messages) == 0) T_BEGIN {
		limit = mr_user_limit(u, &at);
		w = (struct mr_warning){
			.user = u->user->username,
			.level = t_strdup_printf("%d", level),
			.percent = t_strdup_printf(
				"%d", mr_quota_percent(limit, bytes)),
			.used = mr_size_for_people(arena, bytes),
			.limit = mr_size_for_people(arena, limit),
			.now = ioloop_time,
		};
		if (view->warn_command != NULL)
			run_program(u, &w, view->warn_command);
		else
			send_mail(u, &w, view->warn_mail);
	} T_END;
	mr_user_release(u);
	mr_arena_free(&arena);
}
