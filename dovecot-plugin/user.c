/* user - see user.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/user.h"
#include "dovecot-plugin/publish.h"
#include "dovecot-plugin/session.h"
#include "dovecot-plugin/view.h"
#include "common/base/clock.h"
#include "common/base/units.h"

#define MAILBOX_CONF MAILREEVE_STATEDIR "/mailbox.conf"

enum { LOOK_EVERY_MS = 1000 };

static MODULE_CONTEXT_DEFINE_INIT(mr_user_module, &mail_user_module_register);

struct mr_user *mr_user_find(struct mail_user *user)
{
	return MODULE_CONTEXT(user, mr_user_module);
}

struct mr_user *mr_user_get(struct mail_user *user)
{
	struct mr_user *u = mr_user_find(user);

	if (u != NULL)
		return u;
	u = p_new(user->pool, struct mr_user, 1);
	u->user = user;
	u->event = event_create(user->event);
	event_set_append_log_prefix(u->event, "mailreeve: ");
	MODULE_CONTEXT_SET(user, mr_user_module, u);
	return u;
}

/* --- the policy --------------------------------------------------------- */

static const char *address_of(struct mr_user *u)
{
	return t_str_lcase(u->user->username);
}

/* Once for each thing that is wrong. */
static void complain(struct mr_user *u, const char *what)
{
	if (null_strcmp(u->complaint, what) == 0)
		return;
	e_error(u->event, "%s: %s", what,
		u->view != NULL
			? "the policy that was read before stays"
			: "until it can be read, Dovecot's own settings count "
			  "and nothing is purged or filed");
	i_free(u->complaint);
	u->complaint = i_strdup(what);
}

static void load(struct mr_user *u)
{
	struct mr_view *view;
	struct mr_error error;

	if (mr_view_load(MAILBOX_CONF, address_of(u), &view, &error) < 0) {
		complain(u, error.text);
		return;
	}
	if (u->complaint != NULL)
		e_info(u->event, "the policy can be read again");
	i_free(u->complaint);
	mr_view_free(&u->view);
	u->view = view;
	if (view->unsure && !u->unsure_told)
		e_warning(u->event,
			"%s: the most generous quota counts and nothing is "
			"purged until it can be read", view->unsure_why);
	u->unsure_told = view->unsure;
}

const struct mr_view *mr_user_view(struct mr_user *u)
{
	int64_t now = mr_clock_ms();

	if (u->held > 0)
		return u->view;
	if (u->tried_ms != 0 && now - u->tried_ms < LOOK_EVERY_MS)
		return u->view;
	u->tried_ms = now;
	if (u->view == NULL || mr_view_is_stale(u->view, now)) T_BEGIN {
		load(u);
	} T_END;
	return u->view;
}

const struct mr_view *mr_user_hold(struct mr_user *u)
{
	const struct mr_view *view = mr_user_view(u);

	u->held++;
	return view;
}

void mr_user_release(struct mr_user *u)
{
	i_assert(u->held > 0);
	u->held--;
}

bool mr_user_policy_sum(const char *username, uint64_t *sum_r)
{
	struct mr_view *view;
	struct mr_error ignored;
	bool sure;

	if (mr_view_load(MAILBOX_CONF, t_str_lcase(username), &view,
		    &ignored) < 0)
		return FALSE;
	sure = !view->unsure;
	*sum_r = mr_view_sum(view);
	mr_view_free(&view);
	return sure;
}

const char *mr_user_policy_usage(void)
{
	struct mr_view *view;
	struct mr_error ignored;
	const char *path;

	if (mr_view_load(MAILBOX_CONF, "", &view, &ignored) < 0)
		return NULL;
	path = t_strdup(view->usage);
	mr_view_free(&view);
	return path;
}

/* --- the limit ---------------------------------------------------------- */

static uint64_t from_dovecot(int64_t limit)
{
	return limit <= 0 ? MR_UNLIMITED : (uint64_t)limit;
}

uint64_t mr_user_limit(struct mr_user *u, const char **at_r)
{
	const struct mr_view *view = mr_user_view(u);

	if (u->is_userdbs && (view == NULL || !view->quota_is_users)) {
		*at_r = "userdb";
		return from_dovecot(u->dovecot_quota);
	}
	if (view != NULL) {
		*at_r = view->quota_at;
		return view->quota;
	}
	*at_r = "dovecot.conf";
	return from_dovecot(u->dovecot_quota);
}

static uint64_t enforced(struct mr_user *u)
{
	const struct mr_view *view = mr_user_view(u);
	const char *at;
	uint64_t limit;

	if (u->warning)
		return MR_UNLIMITED;
	if (view != NULL && view->observe)
		return from_dovecot(u->dovecot_quota);
	limit = mr_user_limit(u, &at);
	/* not unlimited: then Dovecot would not ask, and we could not see */
	if ((u->raised > 0 || u->by_record) && limit != MR_UNLIMITED)
		limit = INT64_MAX / 2;
	return limit;
}

/* Dovecot's 0 is "unlimited", so an empty mailbox is one of a single octet. */
void mr_user_set_limit(struct mr_user *u)
{
	uint64_t limit = enforced(u);

	if (limit == MR_UNLIMITED)
		u->root->bytes_limit = 0;
	else
		u->root->bytes_limit = limit == 0 ? 1 : (int64_t)limit;
}

struct mr_user *mr_user_of_box(struct mailbox *box)
{
	struct mail_user *owner = box->list->ns->owner != NULL
		? box->list->ns->owner : box->list->ns->user;
	struct mr_user *u;

	/* "raw" is a mail on its way, of a user made for it */
	if ((box->storage->class_flags & MAIL_STORAGE_CLASS_FLAG_NOQUOTA) !=
		    0 || strcmp(box->storage->name, "raw") == 0)
		return NULL;
	u = mr_user_find(owner);
	if (u == NULL || u->root == NULL || !mr_compat_counts(u->root, box))
		return NULL;
	return u;
}

/* --- its life ----------------------------------------------------------- */

static void deinit_pre(struct mail_user *user)
{
	struct mr_user *u = mr_user_get(user);

	mr_session_end(u);
	mr_publish_end(u);
	u->module_ctx.super.deinit_pre(user);
}

static void deinit(struct mail_user *user)
{
	struct mr_user *u = mr_user_get(user);

	u->module_ctx.super.deinit(user);
	mr_view_free(&u->view);
	i_free(u->complaint);
	event_unref(&u->event);
}

void mr_user_created(struct mail_user *user)
{
	/* quota's hook came first, and may have made it already */
	struct mr_user *u = mr_user_get(user);
	struct mail_user_vfuncs *v = user->vlast;

	u->module_ctx.super = *v;
	user->vlast = &u->module_ctx.super;
	v->deinit_pre = deinit_pre;
	v->deinit = deinit;
	mr_publish_begin(u);
}
