/*
 * doveadm - the commands of `doveadm mailreeve`, one file each
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_DOVEADM_H
#define MR_PLUGIN_DOVEADM_H

#include "dovecot-plugin/compat.h"
#include <doveadm.h> /* not this file */
#include "doveadm-cmd.h"
#include "doveadm-mail.h"
#include "doveadm-print.h"

/* The parameters of a command's init(). */
#if MR_DOVECOT_24
#define MR_DOVEADM_INIT(ctx) struct doveadm_mail_cmd_context *ctx
#else
#define MR_DOVEADM_INIT(ctx) \
	struct doveadm_mail_cmd_context *ctx, \
	const char *const args[] ATTR_UNUSED
#endif

extern struct doveadm_cmd_ver2 mr_doveadm_publish, mr_doveadm_purge,
	mr_doveadm_quota, mr_doveadm_show;

/* What every command wants of doveadm: root's rights back behind each user,
 * options that are asked for by name (2.3 refuses those that nobody parses), and
 * mr_doveadm_next_user. */
void mr_doveadm_prepare(struct doveadm_mail_cmd_context *ctx);

/* The next of many users, as doveadm has it: 1, 0 behind the last, -1.  All
 * names are read with the first, and a list that ends in an error is asked for
 * again, before anybody was looked into. */
int mr_doveadm_next_user(
	struct doveadm_mail_cmd_context *ctx, const char **username_r);

/* The column with the user, also where doveadm makes none as there is one user
 * only; and its value. */
void mr_doveadm_user_header(struct doveadm_mail_cmd_context *ctx);
void mr_doveadm_user(
	struct doveadm_mail_cmd_context *ctx, struct mail_user *user);

bool mr_doveadm_flag(struct doveadm_mail_cmd_context *ctx, const char *name);

/* "2026-11-25 14:03", local time; "-" for 0. */
const char *mr_doveadm_time(time_t when);

#endif
