/* quota - is there room in the mailbox where the mail will really land?  (P1)
 *
 * How full it is only the policy daemon knows, by Dovecot's word.  RCPT judges
 * by the declared size, the end by the true one, together with what is on its
 * way; there only the policy daemon judges, as it books.  What is merely booked
 * never refuses for good.  For SPLIT see engine.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/units.h"
#include "common/config/sections.h"
#include "common/policy/check.h"
#include "common/policy/quotas.h"

enum { FULL, BOOKED, SPLIT };
enum { ALL, ANY };

static const char *const targets_words[] = { "all", "any", NULL };

struct quota_settings {
	struct mr_rule rule;
	int targets;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("off", "accept",
		"Whether {recipient} has room cannot be found out just now: "
		"please try again later"),
	MR_OUTCOME_OPTIONS(FULL, "full", NULL,
		"The mailbox of {recipient} is full",
		"the mail does not fit into the mailbox; reject means as "
		"mailbox { full } says"),
	MR_OUTCOME_OPTIONS(BOOKED, "booked", NULL,
		"The mailbox of {recipient} has no room beside mail that is on "
		"its way there: please try again later",
		"there may be no room left when the mail arrives; reject "
		"means defer"),
	MR_TEXT_OPTION(SPLIT, "split",
		"Some recipients of this mail have no room for it: please try "
		"again, each will get an answer of its own",
		"only some of the recipients have room"),
	{ "targets", MR_TYPE_ENUM,
		.offset = offsetof(struct quota_settings, targets),
		.initial = "all", .words = targets_words,
		.help = "How many of the mailboxes that a recipient leads to "
			"must be full for it to be refused: all, or any." },
	{ NULL },
};

const struct mr_section mr_check_section_quota = {
	.name = "check",
	.kind = "quota",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct quota_settings),
	.help = "Whether there is room in the mailbox that the mail is for.",
};

/* RFC 3463 section 3.3: X.2.2 mailbox full. */
static const struct mr_outcome outcomes[] = {
	[FULL] = { "full", { 552, "5.2.2" }, { 452, "4.2.2" } },
	[BOOKED] = { "booked", { 552, "5.2.2" }, { 452, "4.2.2" } },
	[SPLIT] = { "split", { 552, "5.5.3" }, { 452, "4.5.3" } },
	{ NULL },
};

/* How much stands in the way, in rising strength. */
enum bar { OPEN, PERHAPS, FOR_NOW, FOR_GOOD };

static bool refuses_for_good(const struct mr_question *q)
{
	const struct mr_mailbox *mailbox = mr_config_get(q->policy->config,
		NULL, &mr_section_mailbox, NULL, q->txn->arena)
	                                           ->values;

	return mailbox->full == MR_FULL_REJECT;
}

static enum bar bar_of(
	const struct mr_question *q, const struct mr_quota_found *found)
{
	if (found->why != NULL)
		return PERHAPS;
	switch (found->room) {
	case MR_ROOM_ENOUGH:
	case MR_ROOM_UNKNOWN:
	case MR_ROOM_OLD:
		break;
	case MR_ROOM_BOOKED:
		return FOR_NOW;
	case MR_ROOM_NONE:
		return refuses_for_good(q) ? FOR_GOOD : FOR_NOW;
	}
	return OPEN;
}

/* The mailbox that the answer goes by. */
static const struct mr_quota_found *choose(const struct mr_question *q,
	const char *const *mailboxes, enum bar *bar_r)
{
	const struct quota_settings *settings = q->settings;
	const struct mr_quota_found *chosen = NULL;
	bool any = settings->targets == ANY;

	for (; *mailboxes != NULL; mailboxes++) {
		const struct mr_quota_found *found =
			mr_quotas_ask(q->txn, *mailboxes, q->stage);
		enum bar bar = bar_of(q, found);

		if (chosen != NULL && (any ? bar <= *bar_r : bar >= *bar_r))
			continue;
		chosen = found;
		*bar_r = bar;
		if (bar == (any ? FOR_GOOD : OPEN))
			break;
	}
	return chosen;
}

static const char *describe(
	struct mr_arena *arena, const struct mr_quota_found *found)
{
	static const char *const rooms[] = {
		[MR_ROOM_ENOUGH] = "",
		[MR_ROOM_UNKNOWN] = "",
		[MR_ROOM_BOOKED] = "",
		[MR_ROOM_OLD] = ", and was not counted lately",
		[MR_ROOM_NONE] = "",
	};

	if (found->why != NULL)
		return mr_arena_printf(
			arena, "%s: %s", found->mailbox, found->why);
	if (found->room == MR_ROOM_UNKNOWN)
		return mr_arena_printf(arena, "how full %s is was not said yet",
			found->mailbox);
	return mr_arena_printf(arena,
		"%s has %s%s and %s on its way, limit %s%s", found->mailbox,
		found->fill.least < found->fill.bytes ? "at most " : "",
		mr_size_for_people(arena, found->fill.bytes),
		mr_size_for_people(arena, found->fill.booked),
		mr_size_for_people(arena, found->limit), rooms[found->room]);
}

/* NULL: there is what to ask. */
static const char *why_skipped(const struct mr_question *q)
{
	if (q->txn->quotas == NULL)
		return "only the running policy daemon knows how full it is: "
		       "taken as not full";
	if (q->stage == MR_STAGE_EOM && !q->txn->taken_known)
		return "which of the recipients were refused by others is not "
		       "known";
	return NULL;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	const struct mr_quota_found *found;
	const char *const *mailboxes;
	enum bar bar = OPEN;

	answer->detail = why_skipped(q);
	if (answer->detail != NULL)
		return MR_SKIP;
	switch (mr_quotas_mailboxes(
		q->txn, q->recipient, &mailboxes, &answer->detail)) {
	case MR_TEMPFAIL:
		return MR_UNSURE;
	case MR_NOTFOUND:
		return MR_SKIP;
	case MR_FOUND:
		break;
	}
	found = choose(q, mailboxes, &bar);
	if (bar == OPEN && !q->txn->every_rule)
		return MR_CLEAR;
	answer->detail = describe(q->txn->arena, found);
	answer->size =
		q->stage == MR_STAGE_EOM ? q->txn->size : q->txn->declared;
	answer->limit = found->limit;
	switch (bar) {
	case OPEN:
		return MR_CLEAR;
	case PERHAPS:
		return MR_UNSURE;
	case FOR_NOW:
		answer->most = MR_DEFER;
		break;
	case FOR_GOOD:
		break;
	}
	answer->outcome = found->room == MR_ROOM_NONE ? FULL : BOOKED;
	answer->at = found->at;
	return MR_HIT;
}

/* What has a limit is full for one mail and not for the next. */
static bool has_mailbox(const struct mr_question *q, struct mr_recipient *r)
{
	const char *const *mailboxes, *ignored;

	return mr_quotas_mailboxes(q->txn, r, &mailboxes, &ignored) !=
	       MR_NOTFOUND;
}

static bool agrees(const struct mr_question *q, struct mr_recipient *other)
{
	return !has_mailbox(q, q->recipient) && !has_mailbox(q, other);
}

static void verify(const struct mr_config *config, const struct mr_place *at,
	struct mr_problems *problems)
{
	const struct mr_maps *maps = mr_config_get(
		config, NULL, &mr_section_maps, NULL, problems->arena)
	                                     ->values;

	if (maps->domains.count == 0 || maps->mailboxes.count == 0)
		mr_problem_add(problems, MR_WARNING, *at,
			"check quota refuses nobody: set domains and mailboxes "
			"in maps { }, so that it knows where mail lands");
}

const struct mr_check mr_check_quota = {
	.name = "quota",
	.section = &mr_check_section_quota,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT | 1u << MR_STAGE_EOM,
	.counts = 1u << MR_STAGE_EOM,
	.mixed = SPLIT,
	.agrees = agrees,
	.unsure = { 452, "4.2.2" },
	.run = run,
	.verify = verify,
};
