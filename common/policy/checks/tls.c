/* tls - is the connection encrypted as the listener and the login's domain
 * want it?  (P33, P35, P38)  The domain can only be stricter: by the time it is
 * known the password has crossed the wire, so the detail says that it was
 * exposed. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/config/sections.h"
#include "common/policy/check.h"

enum { REQUIRED, TOO_OLD };

struct tls_settings {
	struct mr_rule rule;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("reject", "defer", "Try again later"),
	MR_OUTCOME_OPTIONS(REQUIRED, "required", NULL,
		"Please switch on encryption (SSL/TLS or STARTTLS) for the "
		"outgoing server in your mail program",
		"the connection is not encrypted and has to be"),
	MR_OUTCOME_OPTIONS(TOO_OLD, "too_old", NULL,
		"{tls} is out of date here: please update your mail program "
		"or system, it has to use {detail} or newer",
		"the connection's TLS version is older than what is accepted"),
	{ NULL },
};

const struct mr_section mr_check_section_tls = {
	.name = "check",
	.kind = "tls",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct tls_settings),
	.help = "Whether connections are encrypted as the tls setting of the "
		"listener and of the login's domain says.",
};

static const struct mr_outcome outcomes[] = {
	[REQUIRED] = { "required", { 530, "5.7.0" }, { 451, "4.7.0" } },
	[TOO_OLD] = { "too_old", { 550, "5.7.1" }, { 451, "4.7.1" } },
	{ NULL },
};

/* The stricter of the listener's and the login's domain's. */
static enum mr_tls find_floor(const struct mr_question *q, struct mr_place *at)
{
	const struct mr_settings *settings =
		mr_question_settings(q, &mr_section_listener);
	int least = ((const struct mr_listener *)settings->values)->tls;
	int domain;

	*at = mr_settings_place(settings, offsetof(struct mr_listener, tls));
	if (q->session->login == NULL)
		return (enum mr_tls)least;
	settings = mr_config_get(q->policy->config, &q->txn->login_who.chain,
		&mr_section_domain, NULL, q->txn->arena);
	domain = ((const struct mr_domain *)settings->values)->tls;
	if (domain > least) {
		least = domain;
		*at = mr_settings_place(
			settings, offsetof(struct mr_domain, tls));
	}
	return (enum mr_tls)least;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	enum mr_tls least = find_floor(q, &answer->at);

	if (least == MR_TLS_NONE) {
		answer->at = (struct mr_place){ 0 };
		return MR_SKIP;
	}
	if (q->session->tls >= least)
		return MR_CLEAR;
	if (q->session->tls == MR_TLS_NONE) {
		answer->outcome = REQUIRED;
		answer->detail = q->session->login == NULL
		                         ? "not encrypted"
		                         : "not encrypted, and the password "
		                           "was sent in clear";
		return MR_HIT;
	}
	/* A version that we do not know by name is newer than all we know. */
	if (q->session->tls == MR_TLS_ANY) {
		answer->detail = "a TLS version without a known name";
		return MR_CLEAR;
	}
	answer->outcome = TOO_OLD;
	answer->detail = mr_tls_name(least);
	return MR_HIT;
}

const struct mr_check mr_check_tls = {
	.name = "tls",
	.section = &mr_check_section_tls,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.mixed = MR_UNSET,
	.unsure = { 451, "4.7.0" },
	.run = run,
};
