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
#include "cli/dovecot.h"
#include "cli/postfix.h"

struct mr_setup_doubled;

enum mr_setup_part {
	MR_SETUP_ALL,
	MR_SETUP_MAIN_CF,
	MR_SETUP_MASTER_CF,
	MR_SETUP_ALIASES,
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
	const char *no_answer; /* why doveconf gave none; NULL: it did, or was
	                          not to be asked */
	const char *modules;   /* Dovecot's directory; NULL: not known */
	const struct mr_dovecot *dovecot; /* NULL: not known */
	const struct mr_setup_doubled *doubled, **last_doubled;
};

/* Fills in what the installed program says of itself.  -1: it is not installed,
 * or does not say which version it is.  That doveconf fails is no_answer. */
int mr_setup_ask_postfix(struct mr_setup *setup, struct mr_error *error);
int mr_setup_ask_dovecot(struct mr_setup *setup, struct mr_error *error);
/* false: `version` does not begin like 3.7 or 2.4. */
bool mr_setup_read_version(struct mr_setup *setup, const char *version);

void mr_setup_postfix(struct mr_setup *setup);
enum mr_exit mr_setup_dovecot(struct mr_setup *setup);

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

/* --- what both files and the doctor have to agree on --------------------- */

/* The least connect_timeout that Postfix should have for us. */
enum { MR_SETUP_CONNECT_S = 5 };
/* How long Postfix should wait for an answer of ours: `least`, or what the
 * policy's `wait` needs. */
enum { MR_SETUP_ANSWER_S = 30 };
int64_t mr_setup_answer_s(const struct mr_setup *setup, int64_t least);

/* Our milter as Postfix's processes see it: those that are chrooted have the
 * queue directory as root, and all of them as working directory. */
const char *mr_setup_endpoint(const struct mr_setup *setup);
/* The same of the policy daemon's first socket. */
const char *mr_setup_policy_endpoint(const struct mr_setup *setup);
/* Do "unix:PATH" and the like mean the same place? */
bool mr_setup_is_same(
	const struct mr_setup *setup, const char *a, const char *b);
/* Where such a process finds the socket of `unix:PATH`; NULL: it is no path. */
const char *mr_setup_socket_path(
	const struct mr_setup *setup, const char *endpoint, bool chrooted);
/* "unix:PATH" of one element of a list of milters. */
const char *mr_setup_milter_endpoint(
	const struct mr_setup *setup, const char *milter);
/* The value of NAME in "{ ADDRESS, NAME=VALUE }", or NULL. */
const char *mr_setup_element_option(
	const struct mr_setup *setup, const char *element, const char *name);
bool mr_setup_is_ours(const struct mr_setup *setup, const char *milter);
/* Our element of the list, or NULL. */
const char *mr_setup_our_milter(const struct mr_setup *setup, const char *list);
/* The default_action that on_failure means. */
const char *mr_setup_on_failure(const struct mr_setup *setup);
/* Ours first, so that nothing else looks at what is refused; but behind the
 * others where the policy trusts what one of them wrote. */
bool mr_setup_comes_last(const struct mr_setup *setup);
bool mr_setup_is_in_order(const struct mr_setup *setup, const char *list);
/* The list (or NULL) with ours in it, as it should be. */
const char *mr_setup_milters(const struct mr_setup *setup, const char *list);
/* The same of main.cf's smtpd_milters or non_smtpd_milters. */
const char *mr_setup_main_milters(
	const struct mr_setup *setup, const char *name);

/* mailbox_size_limit and virtual_mailbox_limit if nothing sets them. */
enum { MR_SETUP_MAILBOX_SIZE = 51200000 };

enum mr_setup_why {
	MR_SETUP_NO_SIZE,      /* the policy has none */
	MR_SETUP_UNLIMITED,    /* and Postfix must not have any either */
	MR_SETUP_FOR_SOME,     /* Postfix's is for the others */
	MR_SETUP_NOT_ENFORCED, /* larger ones are not refused by us */
	MR_SETUP_FOR_ALL,
};

/* message.size, and Postfix's message_size_limit for it; 0 is no limit. */
struct mr_setup_sizes {
	bool any;         /* does the policy say a size at all? */
	uint64_t largest; /* of the policy */
	uint64_t now, wanted;
	bool too_small; /* would Postfix refuse what the policy accepts? */
	enum mr_setup_why why;
};
struct mr_setup_sizes mr_setup_sizes(const struct mr_setup *setup);
/* Is a limit of Postfix's no smaller than that? */
bool mr_setup_holds(uint64_t limit, uint64_t wanted);
/* A number of main.cf. */
uint64_t mr_setup_number(
	const struct mr_setup *setup, const char *name, uint64_t otherwise);

/* Dovecot's quota_full_tempfail, yes or no. */
const char *mr_setup_full(const struct mr_setup *setup);
/* Is libMODULE_plugin.so in Dovecot's mail_plugin_dir? */
bool mr_setup_has_module(const struct mr_setup *setup, const char *module);
/* The protocols that handle mail: those that are served, and two programs. */
const char *mr_setup_served(const struct mr_setup *setup);

/* A setting of Dovecot's that does the plugin's work, too, or overrules the
 * policy. */
struct mr_setup_doubled {
	enum mr_setup_double {
		MR_SETUP_OTHER_ROOT,
		MR_SETUP_OTHER_LIMIT,
		MR_SETUP_AUTOEXPUNGE,
	} what;
	const struct mr_dovecot_setting *setting;
	const char *rule; /* the policy's, of MR_SETUP_AUTOEXPUNGE */
	const struct mr_setup_doubled *next;
};
const struct mr_setup_doubled *mr_setup_doubled(struct mr_setup *setup);
/* Is there any?  Complains of each on standard error. */
bool mr_setup_is_doubled(struct mr_setup *setup);

/* ------------------------------------------------------------------------ */

/* A parameter as main.cf has it now, or its default; NULL: not known. */
const char *mr_setup_main_cf(const struct mr_setup *setup, const char *name);
/* "name = value", as a comment where that is so already. */
void mr_setup_print_line(
	const struct mr_setup *setup, const char *name, const char *value);
/* Of a list of restrictions: is it a place after which a recipient is one of
 * ours or a user's?  Is a policy service asked, which the next word names? */
bool mr_setup_is_guard(const char *restriction);
bool mr_setup_asks_service(const char *restriction);
/* The policy daemon's lines, where the policy uses it; and how to take them out
 * again. */
void mr_setup_policyd(const struct mr_setup *setup);
void mr_setup_policyd_undo(const struct mr_setup *setup);
void mr_setup_master_cf(struct mr_setup *setup);
void mr_setup_compare_maps(struct mr_setup *setup);
void mr_setup_look_at_tables(struct mr_setup *setup);
/* The aliases of lists; the rest is explanation. */
void mr_setup_lists(struct mr_setup *setup);

/* The quota root, which clients see, too. */
#define MR_SETUP_QUOTA_ROOT "User quota"
/* What the plugin needs, and what depends on it. */
enum mr_exit mr_setup_plugin(struct mr_setup *setup);
/* For mr_setup_doubled: adds one to the list. */
void mr_setup_add_doubled(struct mr_setup *setup, enum mr_setup_double what,
	const struct mr_dovecot_setting *setting, const char *rule);
void mr_setup_look_at_autoexpunge(struct mr_setup *setup);

#endif
