/* list - may the sender write to the list that the recipient is, or leads to?
 * (P23, P24, P25)  Who is meant by a login is its account's name for Dovecot;
 * what a mail says of its author (From) means nothing. */
/* SPDX-License-Identifier: ISC */
#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/config/sections.h"
#include "common/policy/account.h"
#include "common/policy/check.h"
#include "common/policy/facts.h"
#include "common/policy/mailing.h"

#include <string.h>
#include <strings.h>

enum { OUTSIDE, EMPTY };

struct list_settings {
	struct mr_rule rule;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("reject", "defer",
		"{recipient} cannot be expanded just now: please try again "
		"later"),
	MR_OUTCOME_OPTIONS(OUTSIDE, "outside", NULL,
		"{recipient} is a list, not for mail from outside: please log "
		"in with an account of its domain",
		"the sender may not write to the list"),
	MR_OUTCOME_OPTIONS(EMPTY, "empty", NULL,
		"{recipient} is a list without members",
		"the list has no members"),
	{ NULL },
};

const struct mr_section mr_check_section_list = {
	.name = "check",
	.kind = "list",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct list_settings),
	.help = "Who writes to lists, which list sections make.",
};

static const struct mr_outcome outcomes[] = {
	[OUTSIDE] = { "outside", { 550, "5.7.2" }, { 450, "4.7.2" } },
	[EMPTY] = { "empty", { 550, "5.2.4" }, { 450, "4.2.4" } },
	{ NULL },
};

static const char *domain_of(const char *name)
{
	const char *at = name == NULL ? NULL : strrchr(name, '@');

	return at == NULL ? "" : at + 1;
}

static bool is_sender(const struct mr_question *q,
	const struct mr_account *login, const char *sender, const char *list)
{
	int word = 0;

	while (mr_mailing_words[word] != NULL &&
		strcasecmp(mr_mailing_words[word], sender) != 0)
		word++;
	if (mr_mailing_words[word] == NULL)
		return login->name != NULL &&
		       mr_address_pattern_match(sender, login->name);
	switch ((enum mr_mailing_word)word) {
	case MR_MAILING_OWN_DOMAIN:
		return login->name != NULL &&
		       strcasecmp(domain_of(login->name), domain_of(list)) == 0;
	case MR_MAILING_LOGIN:
		return login->name != NULL;
	case MR_MAILING_TRUSTED:
		return q->txn->trusted;
	case MR_MAILING_ANYONE:
		break;
	}
	return true;
}

static bool may_write(const struct mr_question *q,
	const struct mr_account *login, const char *list)
{
	const struct mr_list *senders =
		&mr_policy_mailing(q->policy, list)->values->senders;
	const char *const *sender = senders->items;

	for (size_t i = 0; i < senders->count; i++)
		if (is_sender(q, login, sender[i], list))
			return true;
	return false;
}

/* --- the question */

static enum mr_finding judge_sender(const struct mr_question *q,
	const char *const *lists, struct mr_answer *answer)
{
	const struct mr_account *login = mr_fact_account(q->txn);

	for (; *lists != NULL; lists++) {
		if (login->why == NULL && may_write(q, login, *lists))
			continue;
		answer->detail = login->why;
		if (login->why != NULL)
			return MR_UNSURE;
		answer->outcome = OUTSIDE;
		answer->at = mr_policy_mailing(q->policy, *lists)->at;
		answer->detail = login->name == NULL
		                         ? mr_arena_printf(q->txn->arena,
						   "%s, and no login", *lists)
		                         : mr_arena_printf(q->txn->arena,
						   "%s, and the login is %s",
						   *lists, login->name);
		return MR_HIT;
	}
	return MR_CLEAR;
}

static enum mr_finding judge_members(const struct mr_question *q,
	const char *const *lists, struct mr_answer *answer)
{
	for (; *lists != NULL; lists++) {
		const struct mr_expansion *e =
			mr_fact_expansion(q->txn, *lists);

		answer->detail = e->why;
		if (e->why != NULL)
			return MR_UNSURE;
		answer->detail = mr_arena_printf(q->txn->arena,
			"%s has %zu member%s", *lists, e->members.n,
			e->members.n == 1 ? "" : "s");
		if (e->members.dead > 0)
			answer->detail = mr_arena_printf(q->txn->arena,
				"%s, and %zu without a mailbox", answer->detail,
				e->members.dead);
		if (e->members.n > 0)
			continue;
		answer->outcome = EMPTY;
		answer->at = mr_policy_mailing(q->policy, *lists)->at;
		return MR_HIT;
	}
	return MR_CLEAR;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	enum mr_finding finding;
	const char *const *lists;

	switch (mr_fact_mailings(q->txn, q->recipient, &lists)) {
	case MR_TEMPFAIL:
		answer->detail = q->recipient->unresolved;
		return MR_UNSURE;
	case MR_NOTFOUND:
		answer->detail = "leads to no list";
		return MR_SKIP;
	case MR_FOUND:
		break;
	}
	finding = judge_sender(q, lists, answer);
	return finding == MR_CLEAR ? judge_members(q, lists, answer) : finding;
}

const struct mr_check mr_check_list = {
	.name = "list",
	.section = &mr_check_section_list,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.mixed = MR_UNSET,
	.unsure = { 451, "4.3.0" },
	.run = run,
};
