/*
 * setup - the lines that Postfix and Dovecot need, printed and nothing else
 *
 * With MR_SETUP_ALL the lines stand among explanations; any other part prints
 * only lines that a script may append to that file, whatever is in it already.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_SETUP_H
#define MR_CLI_SETUP_H

#include "cli/cli.h"
#include "cli/postfix.h"

enum mr_setup_part {
	MR_SETUP_ALL,
	MR_SETUP_MAIN_CF,
	MR_SETUP_MASTER_CF,
	MR_SETUP_CONF,
};

struct mr_setup {
	struct mr_cli *cli;
	struct mr_arena *arena;
	const struct mr_policy *policy;
	enum mr_setup_part part;
	const char *version; /* "3.7.11" */
	int major, minor;
	const struct mr_postfix *postfix; /* NULL: not to be asked */
};

void mr_setup_postfix(struct mr_setup *setup);
void mr_setup_dovecot(struct mr_setup *setup);

/* --- for those two ------------------------------------------------------ */

/* Lines for people, each behind "# "; nothing unless MR_SETUP_ALL.  Wrapped at
 * 78 columns; a line that begins with a blank is left as it is. */
void mr_setup_explain(const struct mr_setup *setup, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* "# ---- TITLE ----" */
void mr_setup_heading(const struct mr_setup *setup, const char *title);
bool mr_setup_is_at_least(const struct mr_setup *setup, int major, int minor);

/* A listener of the policy; `port` 0: it is named by a daemon_name. */
struct mr_setup_listener {
	unsigned port;
	const char *title;
	const struct mr_listener *values;
	bool says_auth; /* is `auth` set, or only the default? */
	struct mr_setup_listener *next;
};
struct mr_setup_listener *mr_setup_listeners(const struct mr_setup *setup);
/* 110, 143, 993, 995. */
bool mr_setup_is_dovecots(unsigned port);
/* "TLSv1.2": the name in both programs' settings; NULL: any. */
const char *mr_setup_tls(enum mr_tls tls);

void mr_setup_master_cf(struct mr_setup *setup);
void mr_setup_compare_maps(struct mr_setup *setup);

#endif
