/*
 * mailing - lists like all@example.net, the policy's `list` sections
 *
 * Check list says who may write to one.  Whoever is not refused reaches its
 * members: at the end of a mail they take the list's place in the envelope.
 * With mode = observe the envelope stays as it is, and the mail goes where the
 * MTA's own tables lead it.
 *
 * A recipient may be a list, or lead to one by way of aliases.  All that it
 * leads to takes its place then, as an MTA can only drop a recipient with
 * everything that came of it.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_MAILING_H
#define MR_POLICY_MAILING_H

#include "common/lookup/members.h"
#include "common/policy/transaction.h"

/* Fills policy->mailings and policy->maps.lists, after the maps. */
void mr_policy_open_mailings(
	struct mr_policy *policy, struct mr_problems *problems);
/* What one section cannot say: tables that cannot be listed. */
void mr_policy_verify_mailings(
	const struct mr_config *config, struct mr_problems *problems);

/* The section that an address of a hosted domain, without detail, belongs to:
 * the first in the file that matches; NULL: it is no list. */
const struct mr_mailing *mr_policy_mailing(
	const struct mr_policy *policy, const char *address);
/* Its members; -1: not all could be found. */
int mr_policy_members(const struct mr_policy *policy, const char *list,
	int64_t deadline_ms, struct mr_arena *arena, struct mr_members *members,
	struct mr_error *error);

/* The members of a list, looked up at most once a mail. */
struct mr_expansion {
	const char *list;
	struct mr_members members;
	const char *why; /* they could not be found; NULL: they were */
	struct mr_expansion *next;
};
const struct mr_expansion *mr_fact_expansion(
	struct mr_txn *txn, const char *list);

/* The lists that a recipient leads to, which ends with NULL; known even where
 * its mailboxes are not.  MR_TEMPFAIL: recipient->unresolved. */
enum mr_lookup mr_fact_mailings(struct mr_txn *txn,
	struct mr_recipient *recipient, const char *const **lists_r);

/* What becomes of the envelope of an accepted mail. */
struct mr_envelope {
	const char *const *add;                 /* addresses; ends with NULL */
	const struct mr_recipient *const *drop; /* ends with NULL */
	size_t n_add;
};

/* MR_NOTFOUND: it stays as it is.  MR_TEMPFAIL: it has a list whose members
 * cannot be found, or is for lists only that have none: *refusal says what to
 * answer instead of accepting. */
enum mr_lookup mr_txn_envelope(struct mr_txn *txn, struct mr_envelope *envelope,
	struct mr_verdict *refusal);

#endif
