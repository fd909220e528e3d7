/* helo - is the name in HELO or EHLO a valid, fully qualified host name?  (P14,
 * P15; RFC 5321 section 4.1.4)  An address literal is valid; whether one is
 * wanted is its own outcome.  Whether the name resolves is another check's
 * question. */
/* SPDX-License-Identifier: ISC */
#include "common/base/address.h"
#include "common/policy/check.h"

enum { MISSING, INVALID, NOT_QUALIFIED, LITERAL };

struct helo_settings {
	struct mr_rule rule;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("off", "defer", "Try again later"),
	MR_OUTCOME_OPTIONS(MISSING, "missing", NULL,
		"Your mail server did not introduce itself: it has to say EHLO "
		"and its full name, like mail.example.org",
		"the client gave no name"),
	MR_OUTCOME_OPTIONS(INVALID, "invalid", NULL,
		"Your mail server introduces itself as \"{helo}\", which is "
		"not a valid host name: please set its name",
		"the name is not a valid host name"),
	MR_OUTCOME_OPTIONS(NOT_QUALIFIED, "not_qualified", NULL,
		"Your mail server introduces itself as \"{helo}\" without a "
		"domain: please set its full name, like mail.example.org",
		"the name is a host without a domain"),
	MR_OUTCOME_OPTIONS(LITERAL, "literal", "off",
		"Your mail server introduces itself as {helo}: please give it "
		"a name, like mail.example.org",
		"the name is an address literal, which RFC 5321 allows"),
	{ NULL },
};

const struct mr_section mr_check_section_helo = {
	.name = "check",
	.kind = "helo",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct helo_settings),
	.help = "Whether the HELO name is valid and fully qualified; never "
		"asked of logins and trusted clients.",
};

static const struct mr_outcome outcomes[] = {
	[MISSING] = { "missing", { 550, "5.5.1" }, { 451, "4.5.1" } },
	[INVALID] = { "invalid", { 550, "5.5.4" }, { 451, "4.5.4" } },
	[NOT_QUALIFIED] = { "not_qualified", { 550, "5.5.4" },
		{ 451, "4.5.4" } },
	[LITERAL] = { "literal", { 550, "5.7.1" }, { 451, "4.7.1" } },
	{ NULL },
};

static enum mr_finding hit(
	struct mr_answer *answer, int outcome, const char *detail)
{
	answer->outcome = outcome;
	answer->detail = detail;
	return MR_HIT;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	/* sendmail(1) says no HELO, and Postfix makes one up for it. */
	if (q->session->local)
		return MR_SKIP;
	if (q->session->helo == NULL)
		return hit(answer, MISSING, "no HELO or EHLO was given");
	switch (mr_hostname_check(q->session->helo)) {
	case MR_HOSTNAME_FINE:
		break;
	case MR_HOSTNAME_INVALID:
		return hit(answer, INVALID, "not a valid host name");
	case MR_HOSTNAME_BARE_ADDRESS:
		return hit(answer, INVALID, "an address without brackets");
	case MR_HOSTNAME_NOT_QUALIFIED:
		return hit(answer, NOT_QUALIFIED, "a name without a domain");
	case MR_HOSTNAME_LITERAL:
		return hit(answer, LITERAL, "an address literal");
	}
	return MR_CLEAR;
}

const struct mr_check mr_check_helo = {
	.name = "helo",
	.section = &mr_check_section_helo,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.about_sender = true,
	.mixed = MR_UNSET,
	.unsure = { 451, "4.5.4" },
	.run = run,
};
