/* plugin - the mail plugin's way in: the quota driver, and the hooks */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/commit.h"
#include "dovecot-plugin/filing.h"
#include "dovecot-plugin/quota.h"
#include "dovecot-plugin/user.h"
#include "mail-cache.h"
#include "mail-storage-hooks.h"

/* Dovecot looks these up by the module's name. */
MR_EXPORTED extern const char *mailreeve_plugin_version;
MR_EXPORTED extern const char *mailreeve_plugin_dependencies[];
MR_EXPORTED void mailreeve_plugin_init(struct module *module);
MR_EXPORTED void mailreeve_plugin_deinit(void);

const char *mailreeve_plugin_version = DOVECOT_ABI_VERSION;
const char *mailreeve_plugin_dependencies[] = { "quota", NULL };

/* When a mail was saved must be in the cache: Maildir's and sdbox's other answer
 * is the file's ctime, and each change of flags would start the age anew. */
static void keep_save_dates(struct mailbox *box)
{
	struct mail_cache_field field = {
		.name = "date.save",
		.type = MAIL_CACHE_FIELD_FIXED_SIZE,
		.field_size = sizeof(uint32_t),
		.decision = MAIL_CACHE_DECISION_FORCED |
			MAIL_CACHE_DECISION_YES,
	};

	if (box->cache == NULL)
		return;
#if MR_DOVECOT_24
	mail_cache_register_fields(
		box->cache, &field, 1, MAIL_CACHE_TRUNCATE_NAME_FAIL);
#else
	mail_cache_register_fields(box->cache, &field, 1);
#endif
}

static const struct mail_storage_hooks hooks = {
	.mail_user_created = mr_user_created,
	.mailbox_allocated = mr_commit_mailbox_allocated,
	.mailbox_opened = keep_save_dates,
};

void mailreeve_plugin_init(struct module *module)
{
	mr_quota_register();
	mail_storage_hooks_add(module, &hooks);
	mr_filing_init();
}

void mailreeve_plugin_deinit(void)
{
	mr_filing_deinit();
	mail_storage_hooks_remove(&hooks);
	mr_quota_unregister();
}
