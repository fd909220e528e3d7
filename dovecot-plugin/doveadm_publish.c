/* doveadm_publish - `doveadm mailreeve publish`: tells the policy daemon how full
 * mailboxes are, for what it has missed */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/doveadm.h"
#include "dovecot-plugin/publish.h"

static int run(struct doveadm_mail_cmd_context *ctx, struct mail_user *user)
{
	struct mr_user *u = mr_user_get(user);
	const char *why;

	if (mr_publish_now(u, &why) == 0)
		return 0;
	e_error(u->event, "usage is not published: %s", why);
	doveadm_mail_failed_error(ctx, MAIL_ERROR_TEMP);
	return -1;
}

/* Nobody is counted for a daemon that is not there. */
static void init(MR_DOVEADM_INIT(ctx))
{
	const char *path = mr_user_policy_usage(), *why;

	(void)ctx;
	if (path != NULL && mr_publish_can(path, &why) < 0)
		i_fatal_status(EX_TEMPFAIL,
			"nothing is published, is mailreeve-policyd there? %s",
			why);
}

static struct doveadm_mail_cmd_context *alloc(void)
{
	struct doveadm_mail_cmd_context *ctx =
		doveadm_mail_cmd_alloc(struct doveadm_mail_cmd_context);

	mr_doveadm_prepare(ctx);
	ctx->v.init = init;
	ctx->v.run = run;
	return ctx;
}

struct doveadm_cmd_ver2 mr_doveadm_publish = {
	.name = "mailreeve publish",
	.usage = DOVEADM_CMD_MAIL_USAGE_PREFIX "[-F <file>]",
	.mail_cmd = alloc,
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_MAIL_COMMON
DOVEADM_CMD_PARAMS_END
};
