/* envelope - members in the place of lists; see mailing.h.  A mailbox that the
 * mail reaches anyway is not added: an MTA that keeps track of what a recipient
 * came from would deliver to it twice. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/policy/mailing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { SHOWN = 72 };

static int compare(const void *a, const void *b)
{
	const struct mr_member *first = a, *second = b;

	return strcmp(first->mailbox, second->mailbox);
}

static void put(struct mr_arena *arena, struct mr_member_set *set,
	const char *address, const char *mailbox)
{
	mr_member_set_add(arena, set, (struct mr_member){ address, mailbox });
}

static bool has(const struct mr_member_set *set, const char *mailbox)
{
	const struct mr_member wanted = { NULL, mailbox };

	return set->n > 0 && bsearch(&wanted, set->of, set->n, sizeof(*set->of),
				     compare) != NULL;
}

/* The mailboxes that are reached without any list. */
static struct mr_member_set reached_anyway(const struct mr_txn *txn)
{
	struct mr_member_set reached = { 0 };

	for (const struct mr_recipient *r = txn->recipients; r != NULL;
		r = r->next)
		if (r->accepted && r->resolved && r->resolution == MR_FOUND)
			for (const char *const *m = r->found.mailboxes;
				*m != NULL; m++)
				put(txn->arena, &reached, NULL, *m);
	mr_member_set_sort(&reached, compare);
	return reached;
}

/* `why` its members are unknown; NULL: there are none. */
static struct mr_verdict refuse(struct mr_txn *txn,
	const struct mr_recipient *recipient, const char *list, const char *why)
{
	bool unknown = why != NULL;

	return (struct mr_verdict){
		.action = unknown ? MR_DEFER : MR_REJECT,
		.code = unknown ? 451 : 550,
		.enhanced = unknown ? "4.3.0" : "5.2.4",
		.text = mr_arena_printf(txn->arena, "<%s> %s",
			mr_text_printable(txn->arena, recipient->given, SHOWN),
			unknown ? "cannot be expanded just now: please try "
				  "again later"
				: "is a list without members"),
		.rule = unknown ? "list.unsure" : "list.empty",
		.why = unknown ? mr_text_printable(
					 txn->arena, why, MR_REPLY_LONGEST)
		               : NULL,
		.at = mr_policy_mailing(txn->policy, list)->at,
	};
}

/* One list's members; how many there are.  -1: *refusal. */
static ssize_t add_members(struct mr_txn *txn,
	const struct mr_recipient *recipient, const char *list,
	const struct mr_member_set *reached, struct mr_member_set *added,
	struct mr_verdict *refusal)
{
	const struct mr_expansion *e = mr_fact_expansion(txn, list);

	if (e->why != NULL) {
		*refusal = refuse(txn, recipient, list, e->why);
		return -1;
	}
	for (size_t i = 0; i < e->members.n; i++) {
		const struct mr_member *member = &e->members.of[i];

		if (!has(reached, member->mailbox))
			put(txn->arena, added, member->address,
				member->mailbox);
	}
	return (ssize_t)e->members.n;
}

/* Everything that the recipient leads to.  MR_NOTFOUND: that is nobody, and
 * *refusal says so; MR_TEMPFAIL: so does it. */
static enum mr_lookup expand(struct mr_txn *txn,
	const struct mr_recipient *recipient, const char *const *lists,
	const struct mr_member_set *reached, struct mr_member_set *added,
	struct mr_verdict *refusal)
{
	const struct mr_recipient_answer *found = &recipient->found;
	bool anybody;

	if (recipient->resolution == MR_TEMPFAIL) {
		*refusal =
			refuse(txn, recipient, *lists, recipient->unresolved);
		return MR_TEMPFAIL;
	}
	anybody = *found->targets != NULL;
	for (const char *const *t = found->targets; *t != NULL; t++)
		put(txn->arena, added, *t, *t);
	for (const char *const *list = lists; *list != NULL; list++) {
		ssize_t n = add_members(
			txn, recipient, *list, reached, added, refusal);

		if (n < 0)
			return MR_TEMPFAIL;
		anybody |= n > 0;
	}
	if (!anybody)
		*refusal = refuse(txn, recipient, *lists, NULL);
	return anybody ? MR_FOUND : MR_NOTFOUND;
}

static const char *const *addresses_of(
	struct mr_arena *arena, const struct mr_member_set *set)
{
	const char **addresses = MR_NEW_ARRAY(arena, const char *, set->n + 1);

	for (size_t i = 0; i < set->n; i++)
		addresses[i] = set->of[i].address;
	return addresses;
}

/* What every accepted recipient leads to is known from now on. */
static enum mr_lookup resolve_all(struct mr_txn *txn, const char *const **lists,
	struct mr_verdict *refusal)
{
	enum mr_lookup any = MR_NOTFOUND;
	size_t i = 0;

	for (struct mr_recipient *r = txn->recipients; r != NULL;
		r = r->next, i++) {
		enum mr_lookup leads = MR_NOTFOUND;

		if (r->accepted)
			leads = mr_fact_mailings(txn, r, &lists[i]);
		/* Dovecot has no such mailbox, and would bounce it */
		if (leads == MR_TEMPFAIL &&
			mr_recipient_is_list(
				&txn->policy->maps, r->address.plain)) {
			*refusal =
				refuse(txn, r, r->address.plain, r->unresolved);
			return MR_TEMPFAIL;
		}
		if (leads == MR_FOUND)
			any = MR_FOUND;
		else
			lists[i] = NULL;
	}
	return any;
}

/* A list that is nobody stays in the mail where others are in it, who shall not
 * miss theirs for it: the MTA tells the sender of it. */
enum mr_lookup mr_txn_envelope(struct mr_txn *txn, struct mr_envelope *envelope,
	struct mr_verdict *refusal)
{
	const char *const **lists = MR_NEW_ARRAY(
		txn->arena, const char *const *, txn->n_recipients + 1);
	const struct mr_recipient **drop = MR_NEW_ARRAY(
		txn->arena, const struct mr_recipient *, txn->n_recipients + 1);
	struct mr_member_set reached, added = { 0 };
	enum mr_lookup any = resolve_all(txn, lists, refusal);
	size_t n = 0, others = 0, i = 0;

	if (any != MR_FOUND)
		return any;
	reached = reached_anyway(txn);
	for (struct mr_recipient *r = txn->recipients; r != NULL;
		r = r->next, i++) {
		if (lists[i] == NULL) {
			others += r->accepted;
			continue;
		}
		switch (expand(txn, r, lists[i], &reached, &added, refusal)) {
		case MR_FOUND:
			drop[n++] = r;
			break;
		case MR_NOTFOUND:
			break;
		case MR_TEMPFAIL:
			return MR_TEMPFAIL;
		}
	}
	mr_member_set_sort(&added, compare);
	*envelope = (struct mr_envelope){
		.add = addresses_of(txn->arena, &added),
		.n_add = added.n,
		.drop = drop,
	};
	if (n == 0)
		return others > 0 ? MR_NOTFOUND : MR_TEMPFAIL;
	return MR_FOUND;
}
