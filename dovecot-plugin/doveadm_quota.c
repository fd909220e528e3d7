/* doveadm_quota - `doveadm mailreeve quota`: who holds how much of what, and who
 * would be over a limit that is not set yet */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/doveadm.h"
#include "dovecot-plugin/quota.h"
#include "common/base/units.h"
#include "common/mailbox/quota.h"

struct quota_cmd {
	struct doveadm_mail_cmd_context ctx;
	bool has_over;
	uint64_t over; /* only those that hold more are listed */
};

static void print_size(uint64_t octets)
{
	if (octets == MR_UNLIMITED)
		doveadm_print("unlimited");
	else
		doveadm_print_num(octets);
}

static int run(struct doveadm_mail_cmd_context *ctx, struct mail_user *user)
{
	struct quota_cmd *cmd = container_of(ctx, struct quota_cmd, ctx);
	struct mr_user *u = mr_user_get(user);
	uint64_t bytes, messages, limit;
	const char *at;

	if (mr_quota_used(u, &bytes, &messages) < 0) {
		doveadm_mail_failed_error(ctx, MAIL_ERROR_TEMP);
		return -1;
	}
	if (cmd->has_over && bytes <= cmd->over)
		return 0;
	limit = mr_user_limit(u, &at);
	mr_doveadm_user(ctx, user);
	doveadm_print_num(bytes);
	print_size(limit);
	doveadm_print(limit == MR_UNLIMITED ? "-" :
		t_strdup_printf("%d", mr_quota_percent(limit, bytes)));
	doveadm_print_num(messages);
	if (cmd->has_over)
		doveadm_print_num(bytes - cmd->over);
	doveadm_print(at);
	return 0;
}

static void init(MR_DOVEADM_INIT(ctx))
{
	struct quota_cmd *cmd = container_of(ctx, struct quota_cmd, ctx);
	enum doveadm_print_header_flags number =
		DOVEADM_PRINT_HEADER_FLAG_RIGHT_JUSTIFY |
		DOVEADM_PRINT_HEADER_FLAG_NUMBER;
	enum doveadm_print_header_flags right =
		DOVEADM_PRINT_HEADER_FLAG_RIGHT_JUSTIFY;
	struct mr_error error;
	const char *over;

	if (doveadm_cmd_param_str(ctx->cctx, "over", &over)) {
		cmd->has_over = TRUE;
		if (mr_size_parse(over, &cmd->over, &error) < 0)
			i_fatal_status(EX_USAGE, "--over: %s", error.text);
	}
	mr_doveadm_user_header(ctx);
	doveadm_print_header("used", "Used", number);
	doveadm_print_header("limit", "Limit", right);
	doveadm_print_header("percent", "%", right);
	doveadm_print_header("messages", "Messages", number);
	if (cmd->has_over)
		doveadm_print_header("over", "Over by", number);
	doveadm_print_header("at", "At", 0);
}

static struct doveadm_mail_cmd_context *alloc(void)
{
	struct quota_cmd *cmd = doveadm_mail_cmd_alloc(struct quota_cmd);

	mr_doveadm_prepare(&cmd->ctx);
	cmd->ctx.v.init = init;
	cmd->ctx.v.run = run;
	doveadm_print_init(DOVEADM_PRINT_TYPE_TABLE);
	return &cmd->ctx;
}

struct doveadm_cmd_ver2 mr_doveadm_quota = {
	.name = "mailreeve quota",
	.usage = DOVEADM_CMD_MAIL_USAGE_PREFIX "[-F <file>] [--over <size>]",
	.mail_cmd = alloc,
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_MAIL_COMMON
DOVEADM_CMD_PARAM('o', "over", CMD_PARAM_STR, 0)
DOVEADM_CMD_PARAMS_END
};
