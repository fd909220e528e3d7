/*
 * verdict - what to do with a mail or a recipient, in no particular protocol,
 * and the trace of how that was decided
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_VERDICT_H
#define MR_POLICY_VERDICT_H

#include "common/config/place.h"

struct mr_arena;
struct mr_recipient;
struct mr_rule_exception;

/* When a question is asked.  A verdict on client, HELO and sender is held
 * back to RCPT, as Postfix's smtpd_delay_reject does, so that logins,
 * exceptions and the recipient's own rules can still overrule it. */
enum mr_stage { MR_STAGE_MAIL, MR_STAGE_RCPT, MR_STAGE_EOM, MR_STAGES };

/* What a check finds. */
enum mr_finding {
	MR_SKIP,   /* the question does not arise */
	MR_CLEAR,  /* nothing wrong */
	MR_HIT,    /* what the check looks for */
	MR_UNSURE, /* could not find out */
};

/* What the admin wants done; in rising strength, so that the strongest of
 * several is the largest.  For `unsure` the first is called accept. */
enum mr_action { MR_OFF, MR_OBSERVE, MR_TAG, MR_DEFER, MR_REJECT };

/* One rule's part in a decision.  Nothing is left out of an `explain`. */
struct mr_trace {
	const char *check;
	enum mr_stage stage;
	const char *recipient; /* NULL: about the whole mail */
	const struct mr_recipient *of;
	enum mr_finding finding;
	const char *outcome; /* "not_qualified"; NULL unless hit */
	const char *detail;  /* what was seen, one clause; printable; NULL:
	                        nothing to say, or nobody asks */
	enum mr_action action;
	const char *why; /* why not the rule's action, or NULL */
	const struct mr_rule_exception *exception; /* why it was not asked */
	struct mr_place at; /* the setting that decided */
	struct mr_trace *next;
};

struct mr_verdict {
	enum mr_action action; /* OFF accepts; never OBSERVE */
	int code;              /* 0 unless deferred or rejected */
	const char *enhanced;  /* RFC 3463, "5.1.1"; its class is the code's */
	const char *text;      /* one printable line; with the codes in front at
	                          most MR_REPLY_LONGEST octets */
	const char *rule; /* "helo.not_qualified"; NULL: none said a word */
	const char *why;  /* of an unsure: what is in the way, printable */
	struct mr_place at;
};

enum { MR_REPLY_LONGEST = 200 };

const char *mr_stage_name(enum mr_stage stage); /* "rcpt" */
const char *mr_stage_smtp(enum mr_stage stage); /* "RCPT" */
const char *mr_finding_name(enum mr_finding finding);
/* "off", "observe"... ; verdicts call MR_OFF "accept". */
const char *mr_action_name(enum mr_action action);
const char *mr_verdict_name(const struct mr_verdict *verdict);

#endif
