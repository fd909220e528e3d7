/* filing - see filing.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/filing.h"
#include "dovecot-plugin/folders.h"
#include "dovecot-plugin/user.h"
#include "dovecot-plugin/view.h"
#include "common/base/mark.h"
#include "mail-deliver.h"

/* Of libdovecot-lda, which only lmtp and dovecot-lda have: elsewhere NULL, and
 * an unresolved symbol would stop every login. */
#pragma weak mail_deliver_hook_set
#pragma weak mail_deliver_save

struct delivery {
	struct mail_deliver_context *ctx;
	struct mail_storage **storage_r;
	struct mr_user *u;
	const struct mr_filing *filing;
	const char *folder; /* its whole name */
};

/* Dovecot's chain of hooks is one per process. */
static deliver_mail_func_t *next_hook;

/* What would be without us: Sieve, or 0, so that Dovecot saves the mail in
 * ctx->rcpt_default_mailbox. */
static int deliver_usually(
	struct mail_deliver_context *ctx, struct mail_storage **storage_r)
{
	return next_hook == NULL ? 0 : next_hook(ctx, storage_r);
}

/* --- the mark ----------------------------------------------------------- */

static bool is_marked(const char *const *marks, const char *scanner)
{
	for (; *marks != NULL; marks++)
		if (mr_mark_is(*marks, scanner))
			return TRUE;
	return FALSE;
}

static const struct mr_filing *find_filing(
	struct mail *mail, const struct mr_view *view)
{
	const char *const *marks;

	if (view == NULL || view->n_filings == 0 ||
	    mail_get_headers(mail, view->mark, &marks) <= 0)
		return NULL;
	for (size_t i = 0; i < view->n_filings; i++)
		if (is_marked(marks, view->filings[i].scanner))
			return &view->filings[i];
	return NULL;
}

/* --- the folder --------------------------------------------------------- */

static void complain(const struct delivery *d, const char *why)
{
	e_warning(d->u->event, "filing: not into %s, as scanner %s { folder } "
		"at %s says: %s", d->filing->folder, d->filing->scanner,
		d->filing->at, why);
}

/* Makes it and subscribes to it if it is not there, whatever
 * lda_mailbox_autocreate says. */
static int open_or_make(struct mailbox *box, const char **why_r)
{
	enum mail_error error;

	if (mailbox_open(box) == 0)
		return 0;
	*why_r = mailbox_get_last_internal_error(box, &error);
	if (error != MAIL_ERROR_NOTFOUND)
		return -1;
	if (mailbox_create(box, NULL, FALSE) == 0) {
		(void)mailbox_set_subscribed(box, TRUE);
	} else {
		*why_r = mailbox_get_last_internal_error(box, &error);
		if (error != MAIL_ERROR_EXISTS)
			return -1;
	}
	if (mailbox_open(box) == 0)
		return 0;
	*why_r = mailbox_get_last_internal_error(box, NULL);
	return -1;
}

static struct mailbox *alloc_folder(const struct delivery *d)
{
	return mailbox_alloc_for_user(d->ctx->rcpt_user, d->folder,
		MAILBOX_FLAG_POST_SESSION);
}

static bool has_folder(struct delivery *d)
{
	struct mailbox *box;
	const char *why;
	bool opened;

	d->folder = mr_folder_find(d->ctx->rcpt_user, d->filing->folder);
	if (d->folder == NULL) {
		complain(d, "the user has no such folder of his own");
		return FALSE;
	}
	box = alloc_folder(d);
	opened = open_or_make(box, &why) == 0;
	if (!opened)
		complain(d, why);
	mailbox_free(&box);
	return opened;
}

/* Would the mail go in, but for the quota?  It is not kept. */
static bool is_folder_well(const struct delivery *d)
{
	struct mailbox *box = alloc_folder(d);
	struct mailbox_transaction_context *t;
	struct mail_save_context *save;
	enum mail_error error;
	const char *why = NULL;

	if (mailbox_open(box) == 0) {
		t = mailbox_transaction_begin(box,
			MAILBOX_TRANSACTION_FLAG_EXTERNAL,
			"mailreeve filing trial");
		save = mailbox_save_alloc(t);
		if (mailbox_save_using_mail(&save, d->ctx->src_mail) < 0)
			why = mailbox_get_last_internal_error(box, &error);
		mailbox_transaction_rollback(&t);
	} else {
		why = mailbox_get_last_internal_error(box, &error);
	}
	if (why != NULL && error == MAIL_ERROR_NOQUOTA)
		why = NULL;
	if (why != NULL)
		complain(d, why);
	mailbox_free(&box);
	return why == NULL;
}

/* --- filing ------------------------------------------------------------- */

static void log_filing(const struct delivery *d, const char *how)
{
	const char *id = d->ctx->fields.message_id;

	e_info(d->u->event, "filing: %smsgid=%s scanner=%s folder=%s sieve=%s "
		"at=%s", how, id != NULL ? id : "unspecified",
		d->filing->scanner, d->filing->folder,
		d->filing->skips_sieve ? "skipped" : "first", d->filing->at);
}

/* 1: it is there; 0: Dovecot saves it in its default folder, where a full
 * mailbox is refused as ever; -1: it is to come again. */
static int save(struct delivery *d)
{
	enum mail_error error;
	const char *why;

	if (mail_deliver_save(d->ctx, d->folder, 0, NULL, d->storage_r) == 0)
		return 1;
	if (d->u->put_off)
		return -1;
	why = mail_storage_get_last_internal_error(*d->storage_r, &error);
	if (error != MAIL_ERROR_NOQUOTA)
		complain(d, why);
	*d->storage_r = NULL;
	return 0;
}

static bool is_tempfailed(const struct delivery *d)
{
	enum mail_error error;

	if (d->ctx->saved_mail || *d->storage_r == NULL)
		return FALSE;
	(void)mail_storage_get_last_error(*d->storage_r, &error);
	return error == MAIL_ERROR_TEMP;
}

/* A script's keep, and what Dovecot does when there is no script, is a delivery
 * to the default folder. */
static int file_behind_sieve(struct delivery *d)
{
	struct mail_deliver_context *ctx = d->ctx;
	const char *before = ctx->rcpt_default_mailbox;
	int result;

	ctx->rcpt_default_mailbox = d->folder;
	result = deliver_usually(ctx, d->storage_r);
	if (result == 0 && !ctx->saved_mail && !ctx->tried_default_save)
		result = save(d);
	ctx->rcpt_default_mailbox = before;
	/* what was tried was ours; Dovecot's is still to come */
	if (result <= 0)
		ctx->tried_default_save = FALSE;
	if (result < 0 && is_tempfailed(d) && !d->u->put_off &&
	    !is_folder_well(d)) {
		ctx->tempfail_error = NULL;
		*d->storage_r = NULL;
		result = deliver_usually(ctx, d->storage_r);
	}
	return result;
}

static int file(struct delivery *d)
{
	if (mr_user_view(d->u)->observe) {
		log_filing(d, "mode = observe, so not: ");
		return deliver_usually(d->ctx, d->storage_r);
	}
	if (!has_folder(d))
		return d->filing->skips_sieve
			? 0 : deliver_usually(d->ctx, d->storage_r);
	log_filing(d, "");
	return d->filing->skips_sieve ? save(d) : file_behind_sieve(d);
}

static int deliver(
	struct mail_deliver_context *ctx, struct mail_storage **storage_r)
{
	struct delivery d = {
		.ctx = ctx,
		.storage_r = storage_r,
		.u = mr_user_find(ctx->rcpt_user),
	};
	int result;

	/* Dovecot's chain of hooks is there for him, too */
	if (d.u == NULL)
		return deliver_usually(ctx, storage_r);
	d.filing = find_filing(ctx->src_mail, mr_user_hold(d.u));
	result = d.filing == NULL
		? deliver_usually(ctx, storage_r) : file(&d);
	mr_user_release(d.u);
	return result;
}

void mr_filing_init(void)
{
	if (mail_deliver_hook_set != NULL)
		next_hook = mail_deliver_hook_set(deliver);
}

void mr_filing_deinit(void)
{
	if (mail_deliver_hook_set != NULL)
		(void)mail_deliver_hook_set(next_hook);
}
