/* recipient - is the recipient hosted here and mapped to a mailbox?  (P21, P22)
 * Only "unknown in a hosted domain" is a hit: other domains are Postfix's
 * business, and a table that cannot be read is never "no such user". */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/config/sections.h"
#include "common/policy/check.h"
#include "common/policy/facts.h"

enum { UNKNOWN };

struct recipient_settings {
	struct mr_rule rule;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("off", "defer",
		"{recipient} cannot be looked up just now: please try again "
		"later"),
	MR_OUTCOME_OPTIONS(UNKNOWN, "unknown", NULL,
		"{recipient} does not exist here: please check the address",
		"the domain is hosted here, but has no such address"),
	{ NULL },
};

const struct mr_section mr_check_section_recipient = {
	.name = "check",
	.kind = "recipient",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct recipient_settings),
	.help = "Whether a recipient in a hosted domain leads to a mailbox.",
};

static const struct mr_outcome outcomes[] = {
	[UNKNOWN] = { "unknown", { 550, "5.1.1" }, { 450, "4.1.1" } },
	{ NULL },
};

static const char *describe(const struct mr_question *q)
{
	const struct mr_recipient_answer *found = &q->recipient->found;
	const char *first = found->lists[0];

	if (first == NULL)
		first = found->mailboxes[0];
	if (first == NULL)
		first = found->remotes[0];
	if (found->via == NULL)
		return first;
	return first == NULL ? found->via
	                     : mr_arena_printf(q->txn->arena, "%s: %s",
				       found->via, first);
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	if (mr_fact_recipient(q) == MR_TEMPFAIL) {
		answer->detail = q->recipient->unresolved;
		return MR_UNSURE;
	}
	switch (q->recipient->found.kind) {
	case MR_RECIPIENT_FOREIGN:
		answer->detail =
			q->policy->maps.n_mailboxes == 0
				? "not hosted, or no mailbox table to ask"
				: "not a hosted domain";
		return MR_SKIP;
	case MR_RECIPIENT_MAILBOX:
	case MR_RECIPIENT_REMOTE:
	case MR_RECIPIENT_LIST:
		if (q->txn->every_rule)
			answer->detail = describe(q);
		return MR_CLEAR;
	case MR_RECIPIENT_UNKNOWN:
		break;
	}
	answer->outcome = UNKNOWN;
	answer->detail = "no such address in a hosted domain";
	return MR_HIT;
}

static void verify(const struct mr_config *config, const struct mr_place *at,
	struct mr_problems *problems)
{
	const struct mr_maps *maps = mr_config_get(
		config, NULL, &mr_section_maps, NULL, problems->arena)
	                                     ->values;

	if (maps->domains.count == 0)
		mr_problem_add(problems, MR_MISTAKE, *at,
			"check recipient needs to know the hosted domains: set "
			"domains in maps { }");
	else if (maps->mailboxes.count == 0)
		mr_problem_add(problems, MR_WARNING, *at,
			"check recipient refuses nobody: set mailboxes in "
			"maps { }, so that it knows who is there");
}

const struct mr_check mr_check_recipient = {
	.name = "recipient",
	.section = &mr_check_section_recipient,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.mixed = MR_UNSET,
	.unsure = { 451, "4.3.0" },
	.run = run,
	.verify = verify,
};
