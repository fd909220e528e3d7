/* commit - see commit.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/commit.h"
#include "dovecot-plugin/judge.h"
#include "dovecot-plugin/leaving.h"
#include "dovecot-plugin/publish.h"
#include "dovecot-plugin/usage.h"
#include "dovecot-plugin/warn.h"
#include "istream.h"

/* Of a folder, and of a transaction in it. */
struct commit_box {
	union mailbox_module_context module_ctx;
};

struct commit_transaction {
	union mailbox_transaction_module_context module_ctx;
	struct mr_growth growth;
	/* the transaction that removes what goes, and the one for which it does;
	 * NULL: there is none, or it is over */
	struct commit_transaction *source, *target;
	bool raised;   /* Dovecot's own limit */
	bool delivery; /* of those in u->deliveries */
};

static MODULE_CONTEXT_DEFINE_INIT(
	mr_commit_module, &mail_storage_module_register);
#define BOX(obj) \
	((struct commit_box *)MODULE_CONTEXT_REQUIRE(obj, mr_commit_module))
#define TRANSACTION(obj) \
	((struct commit_transaction *) \
		MODULE_CONTEXT_REQUIRE(obj, mr_commit_module))

/* A copy, of whichever kind, but neither an upload nor a delivery. */
static bool is_copy(const struct mail_save_context *ctx)
{
	return ctx->copying_or_moving && !ctx->saving;
}

/* --- what a transaction adds -------------------------------------------- */

static bool is_delivery(const struct mailbox *box)
{
	return (box->flags & MAILBOX_FLAG_POST_SESSION) != 0;
}

/* Plugins that are loaded later are further in: the quota plugin's functions call
 * ours, and it asks for the limit before it calls copy.  This is the one place
 * where we come first.  It knows nothing of the Trash's allowance, and 2.4's
 * refuses a move in a mailbox that holds more than it may: so what is no
 * delivery is left to us. */
static struct mailbox_transaction_context *transaction_begin(
	struct mailbox *box, enum mailbox_transaction_flags flags,
	const char *reason)
{
	struct commit_transaction *ours = i_new(struct commit_transaction, 1);
	struct mr_user *u = mr_user_of_box(box);
	struct mailbox_transaction_context *t =
		BOX(box)->module_ctx.super.transaction_begin(
			box, flags, reason);

	MODULE_CONTEXT_SET(t, mr_commit_module, ours);
	if (u == NULL)
		return t;
	ours->delivery = is_delivery(box);
	if (ours->delivery) {
		u->deliveries++;
	} else {
		ours->raised = TRUE;
		u->raised++;
	}
	mr_user_set_limit(u);
	return t;
}

/* The end of a transaction, whichever. */
static void forget(struct mr_user *u, struct commit_transaction *ours)
{
	if (ours->source != NULL)
		ours->source->target = NULL;
	if (ours->target != NULL)
		ours->target->source = NULL;
	mr_judge_end(&ours->growth);
	if (ours->delivery && --u->deliveries == 0) {
		u->by_record = FALSE;
		mr_user_set_limit(u);
	}
	if (ours->raised && --u->raised == 0)
		mr_user_set_limit(u);
	i_free(ours);
}

static uint64_t size_of(struct mail *mail)
{
	uoff_t size;

	if (mail_get_virtual_size(mail, &size) < 0 &&
	    mail_get_physical_size(mail, &size) < 0)
		return 0; /* the quota plugin has said so in the log */
	return size;
}

/* What is shown by a virtual folder is where it really is. */
static struct mail *real_mail(struct mail *mail)
{
	struct mail *real = NULL;

	if (mail_get_backend_mail(mail, &real) < 0 || real == NULL)
		return mail;
	return real;
}

/* The mail goes for what comes.  What removes it, when all that comes is there,
 * is the transaction that it was read by. */
static void leave(
	struct commit_transaction *ours, struct mail *mail, uint64_t octets,
	bool moves)
{
	struct commit_transaction *source =
		MODULE_CONTEXT(mail->transaction, mr_commit_module);

	mr_leaving_add(&ours->growth.leaving, real_mail(mail), octets, moves);
	if (ours->source == NULL && source != NULL && source != ours &&
	    source->target == NULL) {
		ours->source = source;
		source->target = ours;
	}
}

/* Of a move the quota knows both ends, if they are the same user's. */
static bool is_within(struct mail_save_context *ctx, struct mail *mail)
{
	return mail != NULL && mr_judge_payer(real_mail(mail)->box) ==
		mr_judge_payer(ctx->transaction->box);
}

static void add_pending(struct mail_save_context *ctx)
{
	struct commit_transaction *ours = TRANSACTION(ctx->transaction);
	struct mail *replaced = mr_compat_replaced(ctx);
	uint64_t size = size_of(ctx->dest_mail), old;

	ours->growth.gross += size;
	ours->growth.octets += size;
	ours->growth.mails++;
	if (ctx->moving && is_within(ctx, ctx->copy_src_mail)) {
		leave(ours, ctx->copy_src_mail, size, TRUE);
		return;
	}
	ours->growth.saved += size;
	if (is_copy(ctx)) {
		ours->growth.copied += size;
	} else if (is_within(ctx, replaced)) {
		old = size_of(replaced);
		ours->growth.replaced += old;
		leave(ours, replaced, old, FALSE);
	}
}

static enum mr_box_verdict admit(
	struct mailbox *box, struct commit_transaction *ours)
{
	ours->growth.removed = ours->source == NULL;
	return mr_judge_admit(box, &ours->growth);
}

static int foresee(struct mail_save_context *ctx, uint64_t more)
{
	struct mailbox *box = ctx->transaction->box;
	struct commit_transaction *ours = TRANSACTION(ctx->transaction);

	if (mr_judge_foresee(box, &ours->growth, more))
		return 0;
	mr_judge_refuse(box, MR_BOX_FULL);
	return -1;
}

/* A delivery is asked at once: Pigeonhole takes a mail that the commit refuses
 * for one that it has stored, and the mail would be lost.  Its commit comes
 * soon.  An upload of several mails may take its time, so that is asked at the
 * commit, and the lock is not held meanwhile. */
static int admit_delivery(struct mail_save_context *ctx)
{
	struct mailbox *box = ctx->transaction->box;
	enum mr_box_verdict verdict =
		admit(box, TRANSACTION(ctx->transaction));

	if (verdict == MR_BOX_FITS)
		return 0;
	if (verdict == MR_BOX_FULL)
		mr_publish_weighed(mr_user_of_box(box));
	mr_judge_refuse(box, verdict);
	return -1;
}

/* --- the hooks ---------------------------------------------------------- */

static int save_begin(struct mail_save_context *ctx, struct istream *input)
{
	struct mailbox *box = ctx->transaction->box;
	uoff_t size;

	if (!is_delivery(box) && !ctx->moving && !is_copy(ctx) &&
	    mr_compat_replaced(ctx) == NULL &&
	    i_stream_get_size(input, TRUE, &size) > 0 &&
	    foresee(ctx, size) < 0)
		return -1;
	return BOX(box)->module_ctx.super.save_begin(ctx, input);
}

/* Behind each mail of a transaction. */
static int finish_mail(struct mail_save_context *ctx)
{
	add_pending(ctx);
	return is_delivery(ctx->transaction->box) ? admit_delivery(ctx)
						  : foresee(ctx, 0);
}

static int save_finish(struct mail_save_context *ctx)
{
	struct commit_box *ours = BOX(ctx->transaction->box);

	if (ours->module_ctx.super.save_finish(ctx) < 0)
		return -1;
	return finish_mail(ctx);
}

static int copy(struct mail_save_context *ctx, struct mail *mail)
{
	struct commit_box *ours = BOX(ctx->transaction->box);

	if (ours->module_ctx.super.copy(ctx, mail) < 0)
		return -1;
	/* copied by saving: save_finish has counted it */
	if (ctx->copying_via_save)
		return 0;
	return finish_mail(ctx);
}

static int transaction_commit(struct mailbox_transaction_context *t,
	struct mail_transaction_commit_changes *changes_r)
{
	struct mailbox *box = t->box;
	struct commit_box *hooks = BOX(box);
	struct commit_transaction *ours = TRANSACTION(t);
	struct mr_user *u = mr_user_of_box(box), *payer;
	enum mr_box_verdict verdict = admit(box, ours);
	int result = -1, level = 0;

	payer = ours->growth.payer;
	if (verdict != MR_BOX_FITS) {
		hooks->module_ctx.super.transaction_rollback(t);
		mr_judge_refuse(box, verdict);
	} else {
		result = hooks->module_ctx.super.transaction_commit(
			t, changes_r);
	}
	/* what comes now, or moves the same, must wait until that is gone */
	if (result == 0 && ours->source != NULL)
		mr_judge_share(&ours->growth, &ours->source->growth);
	if (result == 0 && u != NULL && is_delivery(box) &&
	    ours->growth.mails > 0)
		mr_publish_delivered(u, box, ours->growth.octets,
			ours->growth.mails, payer == u);
	/* who counted meanwhile has not seen it */
	if (ours->growth.unmeasured && u != NULL) T_BEGIN {
		mr_usage_doubt(u, UINT64_MAX);
	} T_END;
	if (result == 0 && ours->growth.grew && !payer->warning)
		level = mr_warn_crossed(payer);
	forget(u, ours);
	if (level > 0)
		mr_warn_owner(payer, level);
	return result;
}

static void transaction_rollback(struct mailbox_transaction_context *t)
{
	struct commit_box *hooks = BOX(t->box);
	struct commit_transaction *ours = TRANSACTION(t);

	forget(mr_user_of_box(t->box), ours);
	hooks->module_ctx.super.transaction_rollback(t);
}

/* Hooks cost something, and a delivery has more such boxes than others: the mail
 * that is on its way, and what is only looked for and counted. */
static bool is_only_read(const struct mailbox *box)
{
	return strcmp(box->storage->name, "raw") == 0 ||
		mr_user_get(box->storage->user)->counting;
}

void mr_commit_mailbox_allocated(struct mailbox *box)
{
	struct mailbox_vfuncs *v = box->vlast;
	struct commit_box *ours;

	if (is_only_read(box))
		return;
	ours = p_new(box->pool, struct commit_box, 1);
	ours->module_ctx.super = *v;
	box->vlast = &ours->module_ctx.super;
	v->transaction_begin = transaction_begin;
	v->transaction_commit = transaction_commit;
	v->transaction_rollback = transaction_rollback;
	v->save_begin = save_begin;
	v->save_finish = save_finish;
	v->copy = copy;
	MODULE_CONTEXT_SET(box, mr_commit_module, ours);
}
