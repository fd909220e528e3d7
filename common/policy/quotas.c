/* quotas - see quotas.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/quotas.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "common/policy/facts.h"
#include "common/policy/mailing.h"
#include "common/policy/own_quota.h"

#include <string.h>

/* What the policy daemon may take for all mailboxes of a mail. */
enum { ASKED_MS_MOST = 1000 };

struct known {
	struct mr_quota_found found;
	bool limited;    /* was the limit looked up? */
	const char *why; /* it could not be found out; NULL: it was */
	bool wanted;     /* at the end: is room wanted in it? */
	struct known *next;
};

struct mr_quota_facts {
	struct known *known;
	const char *away; /* why nobody is asked any more, or NULL */
	int64_t asked_ms; /* that it took so far */
	bool booked;
	struct mr_booking *bookings;
	size_t n;
	uint64_t number; /* of what was booked, see struct mr_quotas */
};

/* --- where it lands */

struct landing {
	struct mr_arena *arena;
	const char **mailboxes;
	size_t n;
};

static void add(struct landing *landing, const char *mailbox)
{
	for (size_t i = 0; i < landing->n; i++)
		if (strcmp(landing->mailboxes[i], mailbox) == 0)
			return;
	if (landing->n <= MR_QUOTA_MAILBOXES)
		landing->mailboxes[landing->n++] = mailbox;
}

static enum mr_lookup add_members(struct landing *landing, struct mr_txn *txn,
	const char *const *lists, const char **why_r)
{
	for (; *lists != NULL; lists++) {
		const struct mr_expansion *e = mr_fact_expansion(txn, *lists);

		*why_r = e->why;
		if (e->why != NULL)
			return MR_TEMPFAIL;
		for (size_t i = 0; i < e->members.n; i++)
			add(landing, e->members.of[i].mailbox);
	}
	return MR_FOUND;
}

enum mr_lookup mr_quotas_mailboxes(struct mr_txn *txn,
	struct mr_recipient *recipient, const char *const **mailboxes_r,
	const char **why_r)
{
	const struct mr_question question = {
		.policy = txn->policy,
		.session = txn->session,
		.txn = txn,
		.recipient = recipient,
	};
	struct landing landing = {
		.arena = txn->arena,
		.mailboxes = MR_NEW_ARRAY(
			txn->arena, const char *, MR_QUOTA_MAILBOXES + 2),
	};

	*mailboxes_r = landing.mailboxes;
	if (mr_fact_recipient(&question) == MR_TEMPFAIL) {
		*why_r = recipient->unresolved;
		return MR_TEMPFAIL;
	}
	for (const char *const *m = recipient->found.mailboxes;
		m != NULL && *m != NULL; m++)
		add(&landing, *m);
	if (recipient->found.lists != NULL &&
		add_members(&landing, txn, recipient->found.lists, why_r) ==
			MR_TEMPFAIL)
		return MR_TEMPFAIL;
	*why_r = landing.n == 0 ? "leads to no mailbox of ours"
	                        : "leads to too many mailboxes to ask about";
	return landing.n == 0 || landing.n > MR_QUOTA_MAILBOXES ? MR_NOTFOUND
	                                                        : MR_FOUND;
}

/* --- what it may hold */

struct quota {
	uint64_t octets;
	struct mr_place at;
	bool users; /* said by `user` */
};

static struct quota quota_of(
	const struct mr_txn *txn, const struct mr_chain *chain)
{
	const size_t offset = offsetof(struct mr_mailbox, quota);
	const struct mr_settings *settings = mr_config_get(txn->policy->config,
		chain, &mr_section_mailbox, NULL, txn->arena);
	struct mr_place at = mr_settings_place(settings, offset);

	return (struct quota){
		((const struct mr_mailbox *)settings->values)->quota,
		at,
		at.file != NULL &&
			mr_settings_rung(settings, offset) == MR_USER,
	};
}

/* The largest where groups cannot be told. */
static struct quota find_policys(struct mr_txn *txn, const char *mailbox)
{
	struct quota quota;
	struct mr_who who;

	mr_policy_who(txn->policy, mr_text_lower(txn->arena, mailbox), NULL,
		mr_fact_deadline(txn), txn->arena, &who);
	quota = quota_of(txn, &who.chain);
	for (size_t i = 0; who.perhaps != NULL && who.perhaps[i] != NULL; i++) {
		struct mr_chain chain = who.chain;
		struct quota other;

		chain.scope[MR_GROUP] = who.perhaps[i];
		other = quota_of(txn, &chain);
		if (other.octets > quota.octets)
			quota = other;
	}
	return quota;
}

static void find_limit(struct mr_txn *txn, struct known *known)
{
	struct mr_quota_found *found = &known->found;
	int64_t since = mr_clock_ms();
	struct quota quota = find_policys(txn, found->mailbox);
	struct mr_own_quota own;
	struct mr_error error;

	known->limited = true;
	found->limit = quota.octets;
	found->at = quota.at;
	if (!quota.users)
		switch (mr_own_quota(txn->policy, found->mailbox,
			mr_fact_deadline(txn), txn->arena, &own, &error)) {
		case MR_FOUND:
			found->limit = own.octets;
			found->at = (struct mr_place){ 0 };
			break;
		case MR_NOTFOUND:
			break;
		case MR_TEMPFAIL:
			known->why = mr_arena_strdup(txn->arena, error.text);
			break;
		}
	mr_fact_waited(txn, since);
}

/* --- one mailbox */

static struct mr_quota_facts *facts_of(struct mr_txn *txn)
{
	if (txn->quota == NULL)
		txn->quota = MR_NEW(txn->arena, struct mr_quota_facts);
	return txn->quota;
}

static struct known *find(struct mr_txn *txn, const char *mailbox)
{
	struct mr_quota_facts *facts = facts_of(txn);
	struct known *known = facts->known;

	while (known != NULL && strcmp(known->found.mailbox, mailbox) != 0)
		known = known->next;
	if (known == NULL) {
		known = MR_NEW(txn->arena, struct known);
		known->found.mailbox = mailbox;
		known->next = facts->known;
		facts->known = known;
	}
	return known;
}

/* How full it is; then, only if that is known, its limit. */
static void look(struct mr_txn *txn, struct known *known)
{
	struct mr_quota_facts *facts = facts_of(txn);
	struct mr_quota_found *found = &known->found;
	int64_t since = mr_clock_ms();
	enum mr_lookup filled = MR_TEMPFAIL;
	struct mr_error error;

	found->why = facts->away;
	found->room = MR_ROOM_UNKNOWN;
	if (facts->away == NULL) {
		filled = txn->quotas->find(txn->quotas->context, found->mailbox,
			&found->fill, &error);
		facts->asked_ms += mr_fact_waited(txn, since);
		if (facts->asked_ms > ASKED_MS_MOST)
			facts->away = "the policy daemon takes too long";
	}
	switch (filled) {
	case MR_TEMPFAIL:
		if (facts->away == NULL)
			facts->away = mr_arena_strdup(txn->arena, error.text);
		found->why = facts->away;
		break;
	case MR_NOTFOUND:
		break;
	case MR_FOUND:
		found->room = MR_ROOM_ENOUGH;
		if (!known->limited)
			find_limit(txn, known);
		found->why = known->why;
		break;
	}
}

/* --- at the end */

static size_t collect(struct mr_txn *txn, struct mr_recipient *recipient)
{
	const char *const *mailbox, *why;
	size_t n = 0;

	if (!recipient->accepted ||
		mr_quotas_mailboxes(txn, recipient, &mailbox, &why) != MR_FOUND)
		return 0;
	for (; *mailbox != NULL; mailbox++) {
		struct known *known = find(txn, *mailbox);

		if (known->wanted)
			continue;
		look(txn, known);
		known->wanted = known->found.why == NULL &&
		                known->found.room != MR_ROOM_UNKNOWN &&
		                known->found.limit != MR_UNLIMITED;
		n += known->wanted;
	}
	return n;
}

static void book(struct mr_txn *txn)
{
	struct mr_quota_facts *facts = facts_of(txn);
	size_t n = 0, i = 0;

	facts->booked = true;
	for (struct mr_recipient *r = txn->recipients; r != NULL; r = r->next)
		n += collect(txn, r);
	facts->bookings = MR_NEW_ARRAY(txn->arena, struct mr_booking, n);
	for (struct known *k = facts->known; k != NULL; k = k->next)
		if (k->wanted)
			facts->bookings[facts->n++] = (struct mr_booking){
				.mailbox = k->found.mailbox,
				.size = txn->size,
				.limit = k->found.limit,
			};
	facts->number = txn->quotas->book(
		txn->quotas->context, facts->bookings, facts->n);
	for (struct known *k = facts->known; k != NULL; k = k->next)
		if (k->wanted)
			k->found.room = facts->bookings[i++].room;
}

void mr_quotas_cancel(struct mr_txn *txn)
{
	struct mr_quota_facts *facts = txn->quota;

	if (facts == NULL || facts->number == 0)
		return;
	txn->quotas->cancel(
		txn->quotas->context, facts->bookings, facts->n, facts->number);
	facts->number = 0;
}

const struct mr_quota_found *mr_quotas_ask(
	struct mr_txn *txn, const char *mailbox, enum mr_stage stage)
{
	struct known *known = find(txn, mailbox);
	struct mr_quota_found *found = &known->found;

	if (stage == MR_STAGE_EOM) {
		if (!facts_of(txn)->booked)
			book(txn);
		return found;
	}
	look(txn, known);
	if (found->why == NULL && found->room != MR_ROOM_UNKNOWN)
		found->room = mr_quotas_room(
			&found->fill, txn->declared, found->limit);
	return found;
}
