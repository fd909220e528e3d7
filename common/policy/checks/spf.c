/* spf - may the client send mail for this domain?  (P18; RFC 7208)  The HELO
 * identity decides where it fails, and for the null sender; else the MAIL FROM
 * identity does.  A temperror is "could not find out". */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/config/problem.h"
#include "common/policy/check.h"
#include "common/policy/facts.h"

enum { DEFAULT_EXPLANATION = 3 }; /* its row among the options */
enum { FAIL, SOFTFAIL, NEUTRAL, NONE, PERMERROR };

/* What a stranger may say in our reply, and the name it stands under. */
enum { EXPLANATION_LONGEST = 120, DOMAIN_LONGEST = 64 };

struct spf_settings {
	struct mr_rule rule;
	const char *default_explanation;
	int engine; /* enum mr_spf_engine */
};

#define NOT_AUTHORIZED                                                     \
	"SPF does not let {client} send this mail ({detail}): please use " \
	"the domain's own mail server"

static const char *const engine_words[] = { "own", "libspf2", NULL };

static const struct mr_option options[] = {
	MR_RULE_OPTIONS("off", "defer",
		"SPF cannot be checked, as the DNS does not answer: please try "
		"again later"),
	{ "default_explanation", MR_TYPE_STRING,
		.offset = offsetof(struct spf_settings, default_explanation),
		.help = "The explanation of a fail that its domain does not "
			"explain; by default, that the domain lets only other "
			"servers send its mail." },
	{ "engine", MR_TYPE_ENUM,
		.offset = offsetof(struct spf_settings, engine),
		.initial = "own", .words = engine_words,
		.help = "Who evaluates: Mailreeve's own, which follows all of "
			"RFC 7208, or libspf2, in a process that can do "
			"nothing else." },
	MR_OUTCOME_OPTIONS(FAIL, "fail", NULL,
		"SPF refuses {client}: {explanation}",
		"the domain says that the client may not send its mail"),
	MR_OUTCOME_OPTIONS(SOFTFAIL, "softfail", "off", NOT_AUTHORIZED,
		"the domain says that the client probably may not"),
	MR_OUTCOME_OPTIONS(NEUTRAL, "neutral", "off", NOT_AUTHORIZED,
		"the domain does not say whether the client may"),
	MR_OUTCOME_OPTIONS(NONE, "none", "off",
		"The sender's domain has no SPF record: please publish one",
		"the domain has no SPF record"),
	MR_OUTCOME_OPTIONS(PERMERROR, "permerror", "off",
		"The SPF record is not valid ({detail}): please correct it",
		"the record is not valid, or asks for too much"),
	{ NULL },
};

static void validate(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct spf_settings *settings = values;
	const char *p = settings->default_explanation;

	if (p == NULL)
		return;
	while (*p >= ' ' && *p <= '~')
		p++;
	if (*p != '\0' ||
		p - settings->default_explanation > EXPLANATION_LONGEST)
		mr_problem_add(problems, MR_MISTAKE,
			places[DEFAULT_EXPLANATION],
			"default_explanation is printable ASCII, of at most %d "
			"octets",
			EXPLANATION_LONGEST);
}

const struct mr_section mr_check_section_spf = {
	.name = "check",
	.kind = "spf",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct spf_settings),
	.validate = validate,
	.help = "Whether the sender's domain lets the client send its mail "
		"(SPF, RFC 7208); never asked of logins and trusted clients.",
};

/* RFC 7372 section 3.2 has 5.7.23 for a fail and 5.7.24 for errors. */
static const struct mr_outcome outcomes[] = {
	[FAIL] = { "fail", { 550, "5.7.23" }, { 451, "4.7.23" } },
	[SOFTFAIL] = { "softfail", { 550, "5.7.1" }, { 451, "4.7.1" } },
	[NEUTRAL] = { "neutral", { 550, "5.7.1" }, { 451, "4.7.1" } },
	[NONE] = { "none", { 550, "5.7.1" }, { 451, "4.7.1" } },
	[PERMERROR] = { "permerror", { 550, "5.7.24" }, { 451, "4.7.24" } },
	{ NULL },
};

/* Whose words they are is said in front of them. */
static const char *explain(
	const struct mr_question *q, const struct mr_spf_answer *spf)
{
	const struct spf_settings *settings = q->settings;
	struct mr_arena *arena = q->txn->arena;
	const char *domain =
		mr_text_printable(arena, spf->domain, DOMAIN_LONGEST);

	if (spf->domain_explains)
		return mr_arena_printf(arena, "%s explained: %s", domain,
			mr_text_printable(
				arena, spf->explanation, EXPLANATION_LONGEST));
	if (settings->default_explanation != NULL)
		return settings->default_explanation;
	return mr_arena_printf(arena,
		"%s lets only other servers send its mail, please use those",
		domain);
}

static enum mr_finding hit(struct mr_answer *answer, int outcome)
{
	answer->outcome = outcome;
	return MR_HIT;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	const struct spf_settings *settings = q->settings;
	const struct mr_spf_answer *spf;
	enum mr_identity identity;

	if (q->session->local || q->session->client.family == 0)
		return MR_SKIP;
	spf = mr_fact_spf_decision(q->txn, settings->engine, &identity);
	answer->detail = mr_arena_printf(q->txn->arena, "%s %s, %s",
		identity == MR_IDENTITY_HELO ? "HELO" : "MAIL FROM",
		mr_spf_word(spf->result), spf->why);
	switch (spf->result) {
	case MR_SPF_PASS:
		return MR_CLEAR;
	case MR_SPF_FAIL:
		answer->explanation = explain(q, spf);
		return hit(answer, FAIL);
	case MR_SPF_SOFTFAIL:
		return hit(answer, SOFTFAIL);
	case MR_SPF_NEUTRAL:
		return hit(answer, NEUTRAL);
	case MR_SPF_NONE:
		return hit(answer, NONE);
	case MR_SPF_PERMERROR:
		return hit(answer, PERMERROR);
	case MR_SPF_TEMPERROR:
		break;
	}
	return MR_UNSURE;
}

static void ahead(const struct mr_policy *policy,
	const struct mr_session *session, const struct mr_txn *txn,
	unsigned moments)
{
	if (session->local || session->client.family == 0)
		return;
	if ((moments >> MR_AT_HELO & 1) && session->helo != NULL)
		mr_spf_prefetch(policy->dns, session->helo);
	if ((moments >> MR_AT_MAIL & 1) && *txn->sender.domain != '\0')
		mr_spf_prefetch(policy->dns, txn->sender.domain);
}

const struct mr_check mr_check_spf = {
	.name = "spf",
	.section = &mr_check_section_spf,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.about_sender = true,
	.headers = MR_AUTHENTICATION_RESULTS | MR_RECEIVED_SPF,
	.mixed = MR_UNSET,
	.unsure = { 451, "4.7.24" },
	.run = run,
	.ahead_at = 1u << MR_AT_HELO | 1u << MR_AT_MAIL,
	.ahead = ahead,
};
