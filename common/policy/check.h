/*
 * check - one question about a transaction
 *
 * A check is one file, checks/NAME.c, and one line, CHECK(NAME) in checks.def.
 * It declares its settings, its outcomes with their reply codes and texts, and
 * a function that finds.  It decides nothing: the admin's rule does, in rule.c,
 * for all checks alike.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_CHECK_H
#define MR_POLICY_CHECK_H

#include "common/config/config.h"
#include "common/config/schema.h"
#include "common/policy/transaction.h"
#include "common/policy/verdict.h"

#include <stdbool.h>
#include <stdint.h>

enum { MR_OUTCOMES = 8 };

/* The head of every check's settings struct. */
struct mr_rule {
	int action; /* enum mr_action, for any outcome that sets none */
	int unsure; /* enum mr_action */
	const char *unsure_text;
	struct {
		int action; /* enum mr_action, or MR_UNSET: as `action` */
		const char *text;
	} outcome[MR_OUTCOMES];
};

extern const char *const mr_action_words[];
extern const char *const mr_unsure_words[];

/* clang-format off */
/* The rows that every check has: what to do on a hit, and when unsure. */
#define MR_RULE_OPTIONS(hit, not_known, not_known_text)                        \
	{ "action", MR_TYPE_ENUM, .offset = offsetof(struct mr_rule, action),  \
		.initial = (hit), .words = mr_action_words,                    \
		.help = "What to do if the check finds something." },          \
	{ "unsure", MR_TYPE_ENUM,                                              \
		.offset = offsetof(struct mr_rule, unsure),                    \
		.initial = (not_known), .words = mr_unsure_words,              \
		.help = "What to do if it could not find out." },              \
	{ "unsure_text", MR_TYPE_STRING,                                       \
		.offset = offsetof(struct mr_rule, unsure_text),               \
		.initial = (not_known_text),                                   \
		.help = "The reply if it could not find out." }
/* The rows of one outcome: its own action, and its reply's text. */
#define MR_OUTCOME_OPTIONS(index, name, own_action, reply_text, when)          \
	{ name, MR_TYPE_ENUM,                                                  \
		.offset = offsetof(struct mr_rule, outcome[index].action),     \
		.initial = (own_action), .words = mr_action_words,             \
		.help = "What to do if " when "." },                           \
	MR_TEXT_OPTION(index, name, reply_text, when)
/* An outcome without an action of its own, as `mixed` is. */
#define MR_TEXT_OPTION(index, name, reply_text, when)                          \
	{ name "_text", MR_TYPE_STRING,                                        \
		.offset = offsetof(struct mr_rule, outcome[index].text),       \
		.initial = (reply_text),                                       \
		.help = "The reply if " when "." }
/* clang-format on */

/* RFC 5321 section 4.2 and RFC 3463, as registered by RFC 5248. */
struct mr_code {
	int code;
	const char *enhanced;
};

struct mr_outcome {
	const char *name; /* as in its options; NULL ends the list */
	struct mr_code reject, defer;
};

/* What a check may look at; everything else is the engine's. */
struct mr_question {
	const struct mr_policy *policy;
	const struct mr_session *session;
	struct mr_txn *txn;
	struct mr_recipient *recipient; /* NULL at MR_STAGE_MAIL */
	enum mr_stage stage;
	const void *settings; /* the check's struct, for this recipient */
	const struct mr_settings *rule; /* the same, with places */
};

struct mr_answer {
	enum mr_finding finding;
	int outcome;          /* index into the check's outcomes, on MR_HIT */
	const char *detail;   /* one clause about what was seen, from the
	                         transaction's arena; outside text is allowed;
	                         on MR_CLEAR only explain shows it, so it may
	                         wait for txn->every_rule */
	struct mr_place at;   /* another setting than the rule's that decided,
	                         as message.size does; else leave it empty */
	int action;           /* of another setting than the rule, whose place
	                         `at` is, on MR_HIT; MR_OFF: the rule's */
	int most;             /* what the rule may do about it at most, on
	                         MR_HIT; MR_OFF: anything */
	uint64_t size, limit; /* octets, for {size}, {limit} and {files} */
	const char *explanation; /* for {explanation}; outside text, which says
	                            whose it is */
	const char *list, *listed, *url; /* for the fields of these names */
};

/* When something was told that a check may begin to ask about. */
enum mr_moment { MR_AT_CONNECT, MR_AT_HELO, MR_AT_MAIL, MR_AT_RCPT };

struct mr_check {
	const char *name;
	const struct mr_section *section; /* `check NAME {` */
	const struct mr_outcome *outcomes;
	unsigned stages; /* 1 << MR_STAGE_... at which it is asked */
	/* Asks about the sending host: never of logins and trusted clients,
	 * nor for the recipients in `exempt`. */
	bool about_sender;
	/* 1 << MR_STAGE_... at which it counts, so that only one program may
	 * ask it: that which counts, whatever txn->stages says (judge.h). */
	unsigned counts;
	unsigned headers; /* in which of enum mr_results what it finds is told
	                   */
	/* Needs the size of headers and body where the policy enables it. */
	bool needs_content;
	/* For checks of MR_STAGE_EOM, others say MR_UNSET and NULL: the outcome
	 * (with a text only) for a mail that some of its recipients take and
	 * some do not; and whether `other` will answer like the question's
	 * recipient, whatever the mail turns out to be. */
	int mixed;
	bool (*agrees)(
		const struct mr_question *question, struct mr_recipient *other);
	struct mr_code unsure; /* a 4xx code; `reject` makes it 5xx */
	enum mr_finding (*run)(
		const struct mr_question *question, struct mr_answer *answer);
	/* Begins to ask the DNS what `run` will want to know, and never waits;
	 * `txn` is NULL before MAIL.  See ahead.h. */
	unsigned ahead_at; /* 1 << MR_AT_... at which there is what to ask */
	void (*ahead)(const struct mr_policy *policy,
		const struct mr_session *session, const struct mr_txn *txn,
		unsigned moments);
	/* What the policy lacks for the check, if anybody has it on; `at` is
	 * where.  NULL: nothing. */
	void (*verify)(const struct mr_config *config,
		const struct mr_place *at, struct mr_problems *problems);
};

/* Another section's settings for the question's recipient. */
const struct mr_settings *mr_question_settings(
	const struct mr_question *question, const struct mr_section *section);

/* `check NAME {` of each check; a constant's address is all a schema needs. */
#define CHECK(name) extern const struct mr_section mr_check_section_##name;
#include "common/policy/checks.def"
#undef CHECK

/* All checks, in checks.def's order, which is also the order in which equally
 * strong findings win; ends with NULL. */
extern const struct mr_check *const mr_checks[];

#endif
