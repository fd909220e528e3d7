/* auth - do clients log in where they must, and not where they must not?  (P30,
 * P32, P33, P37, P44)  Asked of everybody: also a trusted client that comes to
 * a submission port has to log in (RFC 6409 section 4.3). */
/* SPDX-License-Identifier: ISC */
#include "common/config/sections.h"
#include "common/policy/check.h"

enum { REQUIRED, REFUSED };

struct auth_settings {
	struct mr_rule rule;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("reject", "defer", "Try again later"),
	MR_OUTCOME_OPTIONS(REQUIRED, "required", NULL,
		"Please log in: switch on authentication for the outgoing "
		"server in your mail program",
		"the listener requires a login and there is none"),
	MR_OUTCOME_OPTIONS(REFUSED, "refused", NULL,
		"This port is for other mail servers: please use the "
		"submission port, mostly 587, for the outgoing server in your "
		"mail program",
		"the client logged in where the listener refuses logins"),
	{ NULL },
};

const struct mr_section mr_check_section_auth = {
	.name = "check",
	.kind = "auth",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct auth_settings),
	.help = "Whether clients log in as the listener's auth says.",
};

static const struct mr_outcome outcomes[] = {
	[REQUIRED] = { "required", { 530, "5.7.0" }, { 451, "4.7.0" } },
	[REFUSED] = { "refused", { 550, "5.7.1" }, { 451, "4.7.1" } },
	{ NULL },
};

static enum mr_finding hit(struct mr_answer *answer, int outcome,
	struct mr_place at, const char *detail)
{
	answer->outcome = outcome;
	answer->at = at;
	answer->detail = detail;
	return MR_HIT;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	const struct mr_settings *settings =
		mr_question_settings(q, &mr_section_listener);
	const struct mr_listener *listener = settings->values;
	struct mr_place at =
		mr_settings_place(settings, offsetof(struct mr_listener, auth));

	switch ((enum mr_auth)listener->auth) {
	case MR_AUTH_REQUIRED:
		if (q->session->login == NULL)
			return hit(answer, REQUIRED, at, "not logged in");
		break;
	case MR_AUTH_REFUSE:
		if (q->session->login != NULL)
			return hit(answer, REFUSED, at, "logged in");
		break;
	case MR_AUTH_OPTIONAL:
		return MR_SKIP;
	}
	return MR_CLEAR;
}

const struct mr_check mr_check_auth = {
	.name = "auth",
	.section = &mr_check_section_auth,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.mixed = MR_UNSET,
	.unsure = { 451, "4.7.0" },
	.run = run,
};
