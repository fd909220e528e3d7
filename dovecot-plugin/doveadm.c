/* doveadm - see doveadm.h: the module's way in, and what the commands share. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/doveadm.h"
#include "istream.h"

#include <time.h>
#include <unistd.h>

/* Dovecot looks these up by the module's name.  Without the mail plugin, whose
 * functions the commands call, doveadm leaves this module out. */
MR_EXPORTED extern const char *doveadm_mailreeve_plugin_version;
MR_EXPORTED void doveadm_mailreeve_plugin_init(struct module *module);
MR_EXPORTED void doveadm_mailreeve_plugin_deinit(void);

const char *doveadm_mailreeve_plugin_version = DOVECOT_ABI_VERSION;

#if !MR_DOVECOT_24
static bool accept_option(
	struct doveadm_mail_cmd_context *ctx ATTR_UNUSED, int c ATTR_UNUSED)
{
	return TRUE;
}
#endif

static void keep_rights(struct doveadm_mail_cmd_context *ctx)
{
	ctx->service_flags |= MAIL_STORAGE_SERVICE_FLAG_TEMP_PRIV_DROP;
}

/* --- users -------------------------------------------------------------- */

/* An auth process of 2.4.1 that is about to end for want of work takes lists on,
 * and breaks them off: of 10,000 users one list in seven. */
enum { LIST_TRIES = 10, LIST_PAUSE_US = 100000 };

struct names {
	union doveadm_mail_cmd_module_context module_ctx;
	ARRAY_TYPE(const_string) all;
	unsigned int next;
	int result; /* of the last one asked for */
};

static MODULE_CONTEXT_DEFINE_INIT(
	names_module, &doveadm_mail_cmd_module_register);

/* What doveadm does itself. */
static int ask_next(
	struct doveadm_mail_cmd_context *ctx, const char **username_r)
{
	struct istream *input = ctx->users_list_input;

	if (input == NULL)
		return mail_storage_service_all_next(
			ctx->storage_service, username_r);
	*username_r = i_stream_read_next_line(input);
	if (input->stream_errno != 0) {
		i_error("read(%s) failed: %s", i_stream_get_name(input),
			i_stream_get_error(input));
		return -1;
	}
	return *username_r != NULL ? 1 : 0;
}

static void read_all(struct doveadm_mail_cmd_context *ctx, struct names *names)
{
	const char *name;

	array_clear(&names->all);
	while ((names->result = ask_next(ctx, &name)) > 0) {
		name = p_strdup(ctx->pool, name);
		array_push_back(&names->all, &name);
	}
}

static struct names *read_names(struct doveadm_mail_cmd_context *ctx)
{
	struct names *names = p_new(ctx->pool, struct names, 1);

	p_array_init(&names->all, ctx->pool, 64);
	read_all(ctx, names);
	for (unsigned int tries = 1; tries < LIST_TRIES && names->result < 0 &&
		ctx->users_list_input == NULL; tries++) {
		usleep(LIST_PAUSE_US);
		/* whoever is not wanted is left out later, too; of "", which is
		 * all to 2.3, 2.4's auth knows nobody, and does not call that
		 * an error */
		mail_storage_service_all_init_mask(ctx->storage_service, "*");
		read_all(ctx, names);
	}
	MODULE_CONTEXT_SET(ctx, names_module, names);
	return names;
}

int mr_doveadm_next_user(
	struct doveadm_mail_cmd_context *ctx, const char **username_r)
{
	struct names *names = MODULE_CONTEXT(ctx, names_module);

	if (names == NULL)
		names = read_names(ctx);
	if (names->next == array_count(&names->all))
		return names->result;
	*username_r = array_idx_elem(&names->all, names->next++);
	return 1;
}

void mr_doveadm_prepare(struct doveadm_mail_cmd_context *ctx)
{
	ctx->v.preinit = keep_rights;
	ctx->v.get_next_user = mr_doveadm_next_user;
#if !MR_DOVECOT_24
	ctx->v.parse_arg = accept_option;
#endif
}

void mr_doveadm_user_header(struct doveadm_mail_cmd_context *ctx)
{
	if (ctx->iterate_single_user)
		doveadm_print_header("username", "Username",
			DOVEADM_PRINT_HEADER_FLAG_STICKY |
			DOVEADM_PRINT_HEADER_FLAG_HIDE_TITLE);
}

void mr_doveadm_user(
	struct doveadm_mail_cmd_context *ctx, struct mail_user *user)
{
	if (ctx->iterate_single_user)
		doveadm_print_sticky("username", user->username);
}

bool mr_doveadm_flag(struct doveadm_mail_cmd_context *ctx, const char *name)
{
	bool value = FALSE;

	return doveadm_cmd_param_bool(ctx->cctx, name, &value) && value;
}

const char *mr_doveadm_time(time_t when)
{
	struct tm tm;
	char text[32];

	if (when == 0 || localtime_r(&when, &tm) == NULL)
		return "-";
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	return t_strdup(text);
}

void doveadm_mailreeve_plugin_init(struct module *module ATTR_UNUSED)
{
	doveadm_cmd_register_ver2(&mr_doveadm_publish);
	doveadm_cmd_register_ver2(&mr_doveadm_purge);
	doveadm_cmd_register_ver2(&mr_doveadm_show);
	doveadm_cmd_register_ver2(&mr_doveadm_quota);
}

void doveadm_mailreeve_plugin_deinit(void)
{
}
