/*
 * purge - finds a user's mail that is due, and removes it
 *
 * In two steps, so that a dry run, the purge share and a question at a terminal
 * see the same plan that is then carried out.  Mail goes in small commits: a
 * purge that is killed leaves whole folders, and the next one goes on.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_PURGE_H
#define MR_PLUGIN_PURGE_H

#include "dovecot-plugin/user.h"
#include "common/base/error.h"
#include "common/mailbox/purge.h"
#include "seq-range-array.h"

struct mr_purge_item {
	struct mail_namespace *ns;
	const char *folder;
	const struct mr_purge_rule *rule; /* a copy, of the plan */
	uint32_t uid_validity;
	ARRAY_TYPE(seq_range) uids; /* what is due */
	uint64_t messages, bytes;   /* of it */
	time_t oldest;
	bool unreported; /* no dry run has shown this rule yet */
};

struct mr_purge_plan {
	pool_t pool;
	ARRAY(struct mr_purge_item) items; /* only those with due mail */
	ARRAY(const char *) rules; /* the lines of all rules of the user */
	uint64_t due;     /* messages, without unreported items */
	uint64_t total;   /* messages of the user; counted only if any is due */
	uint64_t unknown; /* messages that stay, as their age is not known */
	uint64_t policy;  /* the mr_view_sum of what it was made by */
	time_t next;      /* nothing that stays is due before */
	bool all;         /* every mail of every folder with a rule was seen */
	bool unfinished;  /* the time was up */
	bool failed;      /* a folder could not be looked at; told in the log */
};

struct mr_purge_how {
	time_t now;
	bool all;          /* look at each mail of each folder with a rule */
	bool remember;     /* so too if that was not done for long */
	int64_t until_ms;  /* CLOCK_MONOTONIC; 0: as long as it takes */
};

/* NULL: the policy cannot be read, or it is not sure what it is for this user. */
MR_EXPORTED struct mr_purge_plan *mr_purge_plan(
	struct mr_user *u, const struct mr_purge_how *how);
/* NULL-safe; clears the pointer. */
MR_EXPORTED void mr_purge_plan_free(struct mr_purge_plan **plan);

/* That all was looked at, once nothing of it is left to do: a run that is killed
 * must be finished by the next one. */
MR_EXPORTED void mr_purge_remember(struct mr_user *u,
	const struct mr_purge_plan *plan, const struct mr_purge_how *how);

/* Is it more than keep { share } allows? */
MR_EXPORTED bool mr_purge_plan_is_too_much(
	struct mr_user *u, const struct mr_purge_plan *plan);

/* Removes what a reported rule has made due, and logs each folder with `run`,
 * the name of this run.  item->messages and ->bytes are then what really went.
 * -1: a folder could not be purged, told in the log; the others were. */
MR_EXPORTED int mr_purge_run(struct mr_user *u, struct mr_purge_plan *plan,
	const struct mr_purge_how *how, const char *run);

#endif
