/* quota - see quota.h.
 *
 * `count` is exported by the quota plugin, so ours is a copy of it with some
 * functions replaced.  A delivery far from the limit is not counted at all.  2.3
 * asks init_limits before each check; 2.4 has no such thing, and looks at
 * root->bytes_limit before it calls anything of ours. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/quota.h"
#include "dovecot-plugin/folders.h"
#include "dovecot-plugin/publish.h"
#include "dovecot-plugin/usage.h"
#include "dovecot-plugin/view.h"
#include "common/mailbox/quota.h"
#include "ioloop.h"
#if MR_DOVECOT_24
#include "mail-storage-service.h"
#endif

extern struct quota_backend quota_backend_count;

static struct quota_backend backend;

enum { COUNT_TRIES = 3 };

#if MR_DOVECOT_24
#  define is_quota mr_quota_is_size
#else
#  define is_quota mr_quota_is_rule
#endif

/* Did the userdb say what the whole mailbox may hold? */
static bool userdb_has(const struct mail_user *user)
{
	const char *const *field = user->userdb_fields;

	for (; field != NULL && *field != NULL; field++)
		if (is_quota(*field))
			return TRUE;
	return FALSE;
}

#if MR_DOVECOT_24
/* What Dovecot's settings said before we put them out of the way: with them, as
 * lmtp makes more than one mail_user of a service user. */
struct said {
	int64_t quota;
	bool is_userdbs;
	bool is_overridden;
};

static const char said_key[] = "mailreeve_quota";

static struct said *remember(
	const struct mail_user *user, const struct quota_root *root)
{
	struct event *event = user->service_user == NULL ? user->event
		: mail_storage_service_user_get_event(user->service_user);
	struct said *said = event_get_ptr(event, said_key);

	if (said != NULL)
		return said;
	said = p_new(event_get_pool(event), struct said, 1);
	said->quota = root->set->quota_storage_size > INT64_MAX
		? 0 : (int64_t)root->set->quota_storage_size;
	said->is_userdbs = userdb_has(user);
	event_set_ptr(event, said_key, said);
	return said;
}

/* Any quota_storage_size beats a driver's limit, and others change it, wherever
 * they stand.  Code's word is above all others.  The grace was read before; it
 * only lets a mail come as far as our own check.
 *
 * Each look-up of any settings is slower from then on, and a user's making has
 * dozens.  Dovecot looks at these only to see whether there is a limit at all,
 * then asks us what the mailbox holds, then looks for the limit: so not before
 * we are asked. */
static void override(const struct mail_user *user, struct said *said)
{
	static const struct {
		const char *name, *value;
	} neutral[] = {
		{ "*/quota_storage_size", "0" },
		{ "*/quota_storage_extra", "0" },
		{ "*/quota_storage_percentage", "100" },
	};
	struct settings_instance *instance =
		settings_instance_find(user->event);

	if (said->is_overridden)
		return;
	said->is_overridden = TRUE;
	for (unsigned int i = 0; instance != NULL && i < N_ELEMENTS(neutral);
	     i++)
		settings_override(instance, neutral[i].name, neutral[i].value,
			SETTINGS_OVERRIDE_TYPE_CODE);
}

static int init(struct quota_root *root, const char **error_r)
{
	struct mr_user *u = mr_user_get(root->quota->user);
	const struct said *said = remember(u->user, root);

	u->root = root;
	u->dovecot_quota = said->quota;
	u->is_userdbs = said->is_userdbs;
	/* somebody made for a shared folder or a delivery may never be asked */
	if (!u->user->autocreated)
		mr_user_set_limit(u);
	return quota_backend_count.v.init(root, error_r);
}
#else
static int init(struct quota_root *root, const char *args, const char **error_r)
{
	struct mr_user *u = mr_user_get(root->quota->user);

	u->root = root;
	u->dovecot_quota = root->set->default_rule.bytes_limit;
	u->is_userdbs = userdb_has(u->user);
	root->set->last_mail_max_extra_bytes = 0;
	/* limits are asked of us even if dovecot.conf has one */
	root->set->force_default_rule = FALSE;
	root->quota->set->vsizes = TRUE; /* `count` insists */
	if (!u->user->autocreated)
		mr_user_set_limit(u);
	return quota_backend_count.v.init(root, args, error_r);
}

static int init_limits(
	struct quota_root *root, const char **error_r ATTR_UNUSED)
{
	mr_user_set_limit(mr_user_get(root->quota->user));
	return 0;
}
#endif

static void deinit(struct quota_root *root)
{
	mr_user_get(root->quota->user)->root = NULL;
	quota_backend_count.v.deinit(root);
}

bool mr_quota_is_mbox(const struct mail_storage *storage)
{
	return (storage->class_flags &
		MAIL_STORAGE_CLASS_FLAG_MAILBOX_IS_FILE) != 0;
}

/* Its record is not all there is to it, see judge.c. */
static bool has_mbox(const struct mail_user *user)
{
	struct mail_namespace *ns = user->namespaces;

	while (ns != NULL &&
	       !mr_quota_is_mbox(mail_namespace_get_default_storage(ns)))
		ns = ns->next;
	return ns != NULL;
}

/* Is all that anybody wants to know whether it fits? */
static bool is_ours_alone(struct mr_user *u, const struct mr_view *view)
{
	return u->deliveries > 0 && !u->user->autocreated && view != NULL &&
		!view->observe && mr_compat_enforces(u->root) &&
		!mr_compat_has_more(u->root) && !has_mbox(u->user);
}

/* Whoever was warned, or has reached a level, is not far. */
static bool is_far(
	struct mr_user *u, const struct mr_view *view, uint64_t *bytes_r)
{
	struct mr_usage usage;
	const char *at;
	uint64_t limit = mr_user_limit(u, &at);

	if (!mr_usage_peek(u, &usage) ||
	    !mr_usage_suffices(&usage, limit, ioloop_time) ||
	    usage.level > 0 || mr_quota_level(limit, usage.bytes, view->levels,
					      view->n_levels) > 0)
		return FALSE;
	*bytes_r = usage.bytes;
	return TRUE;
}

/* To count is a third of what a delivery costs.  Most are far from their limit,
 * and of what a mailbox holds at most there is a record. */
static bool goes_by_record(struct mr_user *u, uint64_t *bytes_r)
{
	const struct mr_view *view = mr_user_hold(u);
	bool goes = is_ours_alone(u, view) && is_far(u, view, bytes_r);

	mr_user_release(u);
	return goes;
}

/* A count tells of what came by other ways. */
static void counted(struct mr_user *u, uint64_t bytes, uint64_t messages)
{
	mr_publish_counted(u, bytes, messages);
	if (!has_mbox(u->user)) T_BEGIN {
		mr_usage_doubt(u, bytes);
	} T_END;
}

static enum quota_get_result count(struct mr_user *u, const char *name,
	uint64_t *value_r, const char **error_r)
{
	struct quota_root *root = u->root;
	enum quota_get_result result;
	uint64_t messages;

	mr_publish_count_begins(u, FALSE);
	u->counting = TRUE;
	result = quota_backend_count.v.get_resource(
		root, name, value_r, error_r);
	if (result == QUOTA_GET_RESULT_LIMITED &&
	    strcmp(name, QUOTA_NAME_STORAGE_BYTES) == 0) {
		u->counted = *value_r;
		u->counted_at = ioloop_time;
		/* from the same count */
		if (quota_backend_count.v.get_resource(root,
			    QUOTA_NAME_MESSAGES, &messages, error_r) ==
		    QUOTA_GET_RESULT_LIMITED)
			counted(u, *value_r, messages);
		if (u->deliveries > 0)
			mr_publish_weighed(u);
	}
	u->counting = FALSE;
	return result;
}

static enum quota_get_result get_resource(struct quota_root *root,
	const char *name, uint64_t *value_r, const char **error_r)
{
	struct mr_user *u = mr_user_get(root->quota->user);
	enum quota_get_result result = QUOTA_GET_RESULT_LIMITED;

	u->by_record = FALSE;
	if (strcmp(name, QUOTA_NAME_STORAGE_BYTES) == 0) T_BEGIN {
		u->by_record = goes_by_record(u, value_r);
	} T_END;
	mr_user_set_limit(u);
	if (u->by_record)
		u->counted = *value_r;
	else
		result = count(u, name, value_r, error_r);
#if MR_DOVECOT_24
	override(u->user, remember(u->user, root));
#endif
	return result;
}

static int update(struct quota_root *root, struct quota_transaction_context *t,
	const char **error_r)
{
	int result = quota_backend_count.v.update(root, t, error_r);

	mr_publish_changed(mr_user_get(root->quota->user), t);
	return result;
}

void mr_quota_register(void)
{
	backend = quota_backend_count;
	backend.name = "mailreeve";
	backend.v.init = init;
	backend.v.deinit = deinit;
	backend.v.get_resource = get_resource;
	backend.v.update = update;
#if !MR_DOVECOT_24
	backend.v.init_limits = init_limits;
#endif
	quota_backend_register(&backend);
}

void mr_quota_unregister(void)
{
	quota_backend_unregister(&backend);
}

/* --- counting ----------------------------------------------------------- */

int mr_quota_used(struct mr_user *u, uint64_t *bytes_r, uint64_t *messages_r)
{
	enum quota_get_result result = QUOTA_GET_RESULT_INTERNAL_ERROR;
	const char *error = u->root == NULL
		? "this user has no quota root of ours"
		: "it is being counted just now";

	*bytes_r = *messages_r = 0;
	mr_publish_count_begins(u, TRUE);
	if (u->root == NULL ||
	    quota_count(u->root, bytes_r, messages_r, &result, &error) <= 0) {
		e_error(u->event, "cannot tell what the mailbox holds: %s",
			error);
		return -1;
	}
	counted(u, *bytes_r, *messages_r);
	return 0;
}

bool mr_quota_ignores(struct mr_user *u, struct mailbox *box)
{
#if MR_DOVECOT_24
	const struct quota_root_settings *set;
	const char *error;
	bool ignored;

	if (settings_get_filter(box->event, "quota", u->root->set_filter_name,
				&quota_root_setting_parser_info, 0, &set,
				&error) < 0)
		return FALSE;
	ignored = set->quota_ignore;
	settings_free(set);
	return ignored;
#else
	const struct quota_rule *rule =
		quota_root_rule_find(u->root->set, mailbox_get_vname(box));

	return rule != NULL && rule->ignore;
#endif
}

struct counting {
	struct mr_user *u;
	uint64_t bytes;
	unsigned int missing; /* folders that are listed, but not there */
};

/* The index may have been open in this process, and a Maildir's first sync goes
 * by its time: another process may have saved within the same tick. */
static int sync_now(struct mailbox *box)
{
	(void)mail_index_refresh(box->index);
	return mailbox_sync(box, 0);
}

static int add_folder(const struct mr_folder *folder, void *context)
{
	struct counting *counting = context;
	struct mailbox_metadata metadata;
	struct mailbox *box = mailbox_alloc(folder->ns->list, folder->name,
		MAILBOX_FLAG_READONLY | MAILBOX_FLAG_IGNORE_ACLS);
	enum mail_error error = MAIL_ERROR_NONE;
	int result = 0;

	if ((box->storage->class_flags & MAIL_STORAGE_CLASS_FLAG_NOQUOTA) ==
		    0 && !mr_quota_ignores(counting->u, box)) {
		if (mailbox_open(box) < 0 || sync_now(box) < 0 ||
		    mailbox_get_metadata(box, MAILBOX_METADATA_VIRTUAL_SIZE,
					 &metadata) < 0) {
			const char *why =
				mailbox_get_last_internal_error(box, &error);

			/* what is nobody's to see does not count */
			counting->missing += error == MAIL_ERROR_NOTFOUND;
			if (error == MAIL_ERROR_TEMP ||
			    error == MAIL_ERROR_INUSE) {
				e_error(counting->u->event,
					"cannot count %s: %s", folder->name,
					why);
				result = -1;
			}
		} else {
			counting->bytes += metadata.virtual_size;
		}
	}
	mailbox_free(&box);
	return result;
}

static int count_once(struct mr_user *u, struct counting *counting)
{
	i_zero(counting);
	counting->u = u;
	return mr_folders_each_counted(u->root, add_folder, counting);
}

/* A folder that is renamed meanwhile may be missed under both names, while INBOX
 * may be listed before it exists: so once more, until it stays the same. */
int mr_quota_count_exactly(struct mr_user *u, uint64_t *bytes_r)
{
	struct counting now, before;
	unsigned int tries = 0;

	if (count_once(u, &now) < 0)
		return -1;
	*bytes_r = now.bytes;
	while (now.missing > 0 && tries++ < COUNT_TRIES) {
		before = now;
		if (count_once(u, &now) < 0)
			return -1;
		*bytes_r = I_MAX(*bytes_r, now.bytes);
		if (now.missing == before.missing && now.bytes == before.bytes)
			break;
	}
	return 0;
}
