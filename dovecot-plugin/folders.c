/* folders - see folders.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/folders.h"
#include "mailbox-list-iter.h"
#include "unichar.h"

#if MR_DOVECOT_24
#include "settings-parser.h"
#endif

#include <dlfcn.h>

/* --- where expunged mail is kept by lazy_expunge ------------------------ */

/* Their names, or the prefixes of whole namespaces. */
ARRAY_DEFINE_TYPE(lazy, const char *);

#if MR_DOVECOT_24
struct lazy_settings {
	pool_t pool;
	bool lazy_expunge_only_last_instance;
	const char *lazy_expunge_mailbox;
};

/* The plugin's own list, all of it and in its order: 2.4 compares. */
static const struct setting_define lazy_defines[] = {
	SETTING_DEFINE_STRUCT_BOOL("lazy_expunge_only_last_instance",
		lazy_expunge_only_last_instance, struct lazy_settings),
	SETTING_DEFINE_STRUCT_STR("lazy_expunge_mailbox", lazy_expunge_mailbox,
		struct lazy_settings),
	SETTING_DEFINE_LIST_END
};

static const struct lazy_settings lazy_defaults = {
	.lazy_expunge_only_last_instance = FALSE,
	.lazy_expunge_mailbox = "",
};

static const struct setting_parser_info lazy_info = {
	.name = "lazy_expunge",
	.plugin_dependency = "lib02_lazy_expunge_plugin",
	.defines = lazy_defines,
	.defaults = &lazy_defaults,
	.struct_size = sizeof(struct lazy_settings),
	.pool_offset1 = 1 + offsetof(struct lazy_settings, pool),
};

/* Each folder may have another one, so each is asked. */
static int ask_lazy(const struct mr_folder *folder, ARRAY_TYPE(lazy) *lazy)
{
	struct mailbox *box = mailbox_alloc(folder->ns->list, folder->name,
		MAILBOX_FLAG_READONLY | MAILBOX_FLAG_IGNORE_ACLS);
	const struct lazy_settings *set;
	const char *name, *error;
	int result = settings_get(box->event, &lazy_info, 0, &set, &error);

	if (result < 0) {
		e_error(folder->ns->user->event, "mailreeve: cannot tell where "
			"lazy_expunge keeps mail: %s", error);
	} else {
		name = t_strdup(set->lazy_expunge_mailbox);
		if (*name != '\0')
			array_push_back(lazy, &name);
		settings_free(set);
	}
	mailbox_free(&box);
	return result < 0 ? -1 : 0;
}
#else
static int ask_lazy(const struct mr_folder *folder, ARRAY_TYPE(lazy) *lazy)
{
	const char *name =
		mail_user_plugin_getenv(folder->ns->user, "lazy_expunge");

	if (name != NULL && *name != '\0' && array_count(lazy) == 0)
		array_push_back(lazy, &name);
	return 0;
}
#endif

static bool is_lazy(
	const ARRAY_TYPE(lazy) *lazy, const struct mr_folder *folder)
{
	const char *name;

	array_foreach_elem(lazy, name)
		if (strcmp(name, folder->name) == 0 ||
		    strcmp(name, folder->ns->prefix) == 0)
			return TRUE;
	return FALSE;
}

/* Its module is loaded into this process, for whichever user. */
static bool has_lazy_expunge(void)
{
	return dlsym(RTLD_DEFAULT, "lazy_expunge_plugin_init") != NULL;
}

/* --- lists -------------------------------------------------------------- */

static bool is_own(const struct mail_namespace *ns)
{
	return ns->type == MAIL_NAMESPACE_TYPE_PRIVATE &&
		ns->alias_for == NULL && (ns->flags & NAMESPACE_FLAG_UNUSABLE)
		== 0;
}

struct mail_namespace *mr_folder_inbox(struct mail_user *user)
{
	struct mail_namespace *ns = user->namespaces;

	/* an alias has the flag, too, and may come first */
	while (ns != NULL && (ns->alias_for != NULL ||
			      (ns->flags & NAMESPACE_FLAG_INBOX_USER) == 0))
		ns = ns->next;
	return ns;
}

const char *mr_folder_below(struct mail_user *user, const char *name)
{
	struct mail_namespace *inbox = mr_folder_inbox(user);

	if (inbox != NULL && inbox->prefix_len > 0 &&
	    strncmp(name, inbox->prefix, inbox->prefix_len) == 0)
		return name + inbox->prefix_len;
	return name;
}

bool mr_folder_keeps_dates(const struct mailbox *box)
{
	static const char *const storages[] = { "maildir", "sdbox", "mdbox" };

	for (unsigned int i = 0; i < N_ELEMENTS(storages); i++)
		if (strcmp(box->storage->name, storages[i]) == 0)
			return TRUE;
	return FALSE;
}

static int each_in(struct mail_namespace *ns,
	enum mailbox_list_iter_flags flags, mr_folder_func_t *func,
	void *context)
{
	struct mailbox_list_iterate_context *iter = mailbox_list_iter_init(
		ns->list, "*", flags | MAILBOX_LIST_ITER_SKIP_ALIASES |
		MAILBOX_LIST_ITER_NO_AUTO_BOXES);
	const struct mailbox_info *info;
	int result = 0;

	while (result == 0 && (info = mailbox_list_iter_next(iter)) != NULL) {
		struct mr_folder folder = {
			.ns = info->ns,
			.name = info->vname,
			.below = mr_folder_below(ns->user, info->vname),
			.special = info->special_use,
		};

		if ((info->flags & (MAILBOX_NONEXISTENT |
				    MAILBOX_NOSELECT)) == 0)
			result = func(&folder, context);
	}
	if (mailbox_list_iter_deinit(&iter) < 0) {
		e_error(ns->user->event,
			"mailreeve: cannot list the folders below \"%s\": %s",
			ns->prefix, mailbox_list_get_last_internal_error(
				ns->list, NULL));
		result = -1;
	}
	return result;
}

struct own {
	mr_folder_func_t *func;
	void *context;
	ARRAY_TYPE(lazy) lazy;
};

static int collect_lazy(const struct mr_folder *folder, void *context)
{
	struct own *own = context;

	return ask_lazy(folder, &own->lazy);
}

static int visit_own(const struct mr_folder *folder, void *context)
{
	struct own *own = context;
	struct mr_folder seen = *folder;
	int result;

	seen.is_lazy = is_lazy(&own->lazy, folder);
	T_BEGIN {
		result = own->func(&seen, own->context);
	} T_END;
	return result;
}

static int each_own(struct mail_user *user,
	enum mailbox_list_iter_flags flags, mr_folder_func_t *func,
	void *context)
{
	struct mail_namespace *ns = user->namespaces;
	int result = 0;

	for (; result == 0 && ns != NULL; ns = ns->next)
		if (is_own(ns))
			result = each_in(ns, flags, func, context);
	return result;
}

int mr_folders_each_own(
	struct mail_user *user, mr_folder_func_t *func, void *context)
{
	struct own own = { .func = func, .context = context };

	t_array_init(&own.lazy, 4);
	if (has_lazy_expunge() &&
	    each_own(user, MAILBOX_LIST_ITER_RETURN_NO_FLAGS, collect_lazy,
		     &own) < 0)
		return -1;
	return each_own(user, MAILBOX_LIST_ITER_RETURN_NO_FLAGS |
		MAILBOX_LIST_ITER_RETURN_SPECIALUSE, visit_own, &own);
}

/* A rule's name is one below the INBOX namespace's prefix, or a whole one.
 * Where that namespace has a prefix, Dovecot adds one without, which fails. */
static const char *full_name(struct mail_user *user, const char *name)
{
	struct mail_namespace *inbox = mr_folder_inbox(user);
	struct mail_namespace *ns = mail_namespace_find(user->namespaces, name);

	if (strcasecmp(name, "INBOX") == 0)
		return "INBOX";
	if (inbox == NULL || inbox->prefix_len == 0 ||
	    ns->prefix_len > 0 || (is_own(ns) && ns != inbox &&
	    strcmp(ns->storage->name, "fail") != 0))
		return name;
	return t_strconcat(inbox->prefix, name, NULL);
}

#if MR_DOVECOT_24
#define CONFIGURED parsed_mailboxes
static const char *const *uses_of(const struct mailbox_settings *set)
{
	return settings_boollist_get(&set->special_use);
}
#else
#define CONFIGURED mailboxes
static const char *const *uses_of(const struct mailbox_settings *set)
{
	return t_strsplit_spaces(set->special_use, " ");
}
#endif

/* What dovecot.conf calls it, whether it is there or not. */
static const char *configured_for(
	const struct mail_namespace *ns, const char *special_use)
{
	unsigned int count = array_is_created(&ns->set->CONFIGURED)
		? array_count(&ns->set->CONFIGURED) : 0;

	for (unsigned int i = 0; i < count; i++) {
		const struct mailbox_settings *set =
			array_idx_elem(&ns->set->CONFIGURED, i);

		if (str_array_icase_find(uses_of(set), special_use) &&
		    strpbrk(set->name, "*?") == NULL)
			return t_strconcat(ns->prefix, set->name, NULL);
	}
	return NULL;
}

static const char *find_special(struct mail_user *user, const char *use)
{
	struct mail_namespace *inbox = mr_folder_inbox(user);
	struct mailbox *box = mailbox_alloc_for_user(
		user, use, MAILBOX_FLAG_SPECIAL_USE);
	const char *name =
		box->open_error == 0 ? t_strdup(box->vname) : NULL;

	mailbox_free(&box);
	return name != NULL || inbox == NULL ? name
					     : configured_for(inbox, use);
}

const char *mr_folder_find(struct mail_user *user, const char *name)
{
	if (!uni_utf8_str_is_valid(name))
		return NULL;
	name = name[0] == '\\' ? find_special(user, name)
			       : full_name(user, name);
	if (name == NULL ||
	    !is_own(mail_namespace_find(user->namespaces, name)))
		return NULL;
	return name;
}

int mr_folders_each_named(struct mail_user *user, const char *const *names,
	mr_folder_func_t *func, void *context)
{
	ARRAY_TYPE(const_string) seen;
	int result = 0;

	t_array_init(&seen, 8);
	for (; result == 0 && *names != NULL; names++) {
		const char *name = full_name(user, *names);
		struct mr_folder folder = {
			.ns = mail_namespace_find(user->namespaces, name),
			.name = name,
			.below = mr_folder_below(user, name),
		};

		/* Dovecot would panic; it cannot have such a folder */
		if (!uni_utf8_str_is_valid(name))
			continue;
		/* INBOX is found in its alias, if that comes first */
		if (strcasecmp(name, "INBOX") == 0 &&
		    folder.ns->alias_for != NULL)
			folder.ns = folder.ns->alias_for;
		/* two rules may mean the same one */
		if (!is_own(folder.ns) ||
		    array_lsearch(&seen, &name, i_strcmp_p) != NULL)
			continue;
		array_push_back(&seen, &name);
		T_BEGIN {
			result = func(&folder, context);
		} T_END;
	}
	return result;
}

/* `count` counts the folder that has the name of a prefix, too. */
static int visit_prefix(
	struct mail_namespace *ns, mr_folder_func_t *func, void *context)
{
	struct mr_folder folder = { .ns = ns };

	if (ns->prefix_len == 0 || (ns->prefix_len == 6 &&
	    strncasecmp(ns->prefix, "INBOX", 5) == 0))
		return 0;
	folder.name = t_strndup(ns->prefix, ns->prefix_len - 1);
	folder.below = folder.name;
	return func(&folder, context);
}

int mr_folders_each_counted(
	struct quota_root *root, mr_folder_func_t *func, void *context)
{
	struct mail_namespace *ns;
	int result = 0;

#if MR_DOVECOT_24
	array_foreach_elem(&root->namespaces, ns) {
#else
	array_foreach_elem(&root->quota->namespaces, ns) {
		if (!quota_root_is_namespace_visible(root, ns))
			continue;
#endif
		if (result == 0)
			result = each_in(ns,
				MAILBOX_LIST_ITER_RETURN_NO_FLAGS, func,
				context);
		if (result == 0)
			result = visit_prefix(ns, func, context);
	}
	return result;
}
