/* spf - see spf.h.  check_host() of RFC 7208 sections 4 and 6. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/spf.h"
#include "common/base/arena.h"
#include "common/lookup/dns_wire.h"
#include "common/lookup/idn.h"
#include "common/lookup/spf_check.h"

#include <stdarg.h>
#include <string.h>

/* Whose record is looked at. */
enum role {
	FIRST,      /* the identity's */
	REDIRECTED, /* where a redirect= of that leads */
	INCLUDED,   /* and what that redirects to */
};

static enum mr_spf check_host(
	struct mr_spf_state *state, const char *domain, enum role role);

const char *mr_spf_word(enum mr_spf result)
{
	static const char *const words[] = {
		[MR_SPF_NONE] = "none",
		[MR_SPF_NEUTRAL] = "neutral",
		[MR_SPF_PASS] = "pass",
		[MR_SPF_FAIL] = "fail",
		[MR_SPF_SOFTFAIL] = "softfail",
		[MR_SPF_TEMPERROR] = "temperror",
		[MR_SPF_PERMERROR] = "permerror",
	};

	return words[result];
}

void mr_spf_why(struct mr_spf_state *state, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	state->answer->why =
		mr_arena_printf(state->arena, "%s: %s", state->values.domain,
			mr_arena_vprintf(state->arena, format, ap));
	va_end(ap);
}

/* --- limits ------------------------------------------------------------- */

bool mr_spf_count_term(struct mr_spf_state *state)
{
	if (state->answer->terms < MR_SPF_TERMS) {
		state->answer->terms++;
		return true;
	}
	mr_spf_why(state, "more than %d terms ask the DNS", MR_SPF_TERMS);
	return false;
}

bool mr_spf_count_void(struct mr_spf_state *state, enum mr_lookup found)
{
	if (found != MR_NOTFOUND)
		return true;
	if (++state->answer->voids <= MR_SPF_VOIDS)
		return true;
	mr_spf_why(state, "more than %d terms ask for what does not exist",
		MR_SPF_VOIDS);
	return false;
}

/* --- one record --------------------------------------------------------- */

/* Section 6.2; whatever goes wrong, there is none. */
static void explain(struct mr_spf_state *state, struct mr_spf_slice spec)
{
	struct mr_dns_answer answer;
	struct mr_spf_slice text;
	enum mr_lookup found;
	const char *name;

	if (mr_spf_target(state, spec, &name) < 0 ||
		mr_spf_ask(state, name, MR_DNS_TXT, &answer) != MR_FOUND ||
		answer.n != 1)
		return;
	text.text = answer.records[0].text;
	text.length = answer.records[0].length;
	if (mr_spf_macro_uses(text, MR_SPF_IN_EXPLANATION, 'p'))
		state->values.client_name = mr_spf_client_name(
			state, state->values.domain, false, &found);
	if (mr_spf_expand(state->arena, text, MR_SPF_IN_EXPLANATION,
		    &state->values, &state->answer->explanation,
		    &state->error) == 0)
		state->answer->domain_explains = true;
}

/* Section 6.1 */
static enum mr_spf redirect(struct mr_spf_state *state,
	const struct mr_spf_term *term, enum role role)
{
	enum mr_spf result;
	const char *name;

	if (!mr_spf_count_term(state))
		return MR_SPF_PERMERROR;
	if (mr_spf_target(state, term->domain, &name) < 0) {
		mr_spf_why(state, "redirect=: %s", state->error.text);
		return MR_SPF_PERMERROR;
	}
	result = check_host(state, name, role == FIRST ? REDIRECTED : role);
	if (result != MR_SPF_NONE)
		return result;
	mr_spf_why(state, "redirect=%s, which has no SPF record", name);
	return MR_SPF_PERMERROR;
}

static void find_modifiers(struct mr_spf_slice record,
	struct mr_spf_term *redirect_r, struct mr_spf_term *exp_r)
{
	struct mr_spf_term term;
	size_t at = 0;

	redirect_r->domain.text = exp_r->domain.text = NULL;
	while (mr_spf_next_term(record, &at, &term))
		if (term.kind == MR_SPF_REDIRECT)
			*redirect_r = term;
		else if (term.kind == MR_SPF_EXP)
			*exp_r = term;
}

/* Section 4.6.2 */
static enum mr_spf evaluate(
	struct mr_spf_state *state, struct mr_spf_slice record, enum role role)
{
	struct mr_spf_term term, redirect_term, exp_term;
	size_t at = 0;

	find_modifiers(record, &redirect_term, &exp_term);
	while (mr_spf_next_term(record, &at, &term)) {
		switch (mr_spf_match_term(state, &term)) {
		case MR_SPF_NO_MATCH:
			continue;
		case MR_SPF_MATCH_TEMPERROR:
			return MR_SPF_TEMPERROR;
		case MR_SPF_MATCH_PERMERROR:
			return MR_SPF_PERMERROR;
		case MR_SPF_MATCH:
			break;
		}
		mr_spf_why(state, "%.*s",
			term.text.length > 80 ? 80 : (int)term.text.length,
			term.text.text);
		if (term.qualifier == MR_SPF_FAIL && role != INCLUDED &&
			exp_term.domain.text != NULL)
			explain(state, exp_term.domain);
		return term.qualifier;
	}
	if (redirect_term.domain.text != NULL)
		return redirect(state, &redirect_term, role);
	mr_spf_why(state, "no term matches");
	return MR_SPF_NEUTRAL;
}

/* Sections 4.4 and 4.5; MR_SPF_PASS: *record_r is it. */
static enum mr_spf fetch_record(
	struct mr_spf_state *state, enum role role, struct mr_spf_slice *record)
{
	struct mr_dns_answer answer;
	enum mr_lookup found =
		mr_spf_ask(state, state->values.domain, MR_DNS_TXT, &answer);
	size_t count;

	if (found == MR_TEMPFAIL) {
		state->answer->why =
			mr_arena_strdup(state->arena, state->error.text);
		return state->exhausted ? MR_SPF_PERMERROR : MR_SPF_TEMPERROR;
	}
	if (role != FIRST && !mr_spf_count_void(state, found))
		return MR_SPF_PERMERROR;
	count = mr_spf_select(&answer, record);
	if (count == 0) {
		mr_spf_why(state, "it has no SPF record");
		return MR_SPF_NONE;
	}
	if (count > 1) {
		mr_spf_why(state, "it has more than one SPF record");
		return MR_SPF_PERMERROR;
	}
	if (mr_spf_record_check(*record, &state->error) == 0)
		return MR_SPF_PASS;
	mr_spf_why(state, "%s", state->error.text);
	return MR_SPF_PERMERROR;
}

static enum mr_spf check_host(
	struct mr_spf_state *state, const char *domain, enum role role)
{
	const char *outer = state->values.domain;
	struct mr_spf_slice record = { NULL, 0 };
	enum mr_spf result;

	state->values.domain = domain;
	if (role != INCLUDED)
		state->answer->domain = domain;
	result = fetch_record(state, role, &record);
	if (result == MR_SPF_PASS) {
		mr_spf_record_ahead(state, record);
		result = evaluate(state, record, role);
	}
	state->values.domain = outer;
	return result;
}

enum mr_spf mr_spf_include(struct mr_spf_state *state, const char *domain)
{
	return check_host(state, domain, INCLUDED);
}

/* --- the identity ------------------------------------------------------- */

/* RFC 8616 section 4; what has no A-labels stays, and is no domain. */
static const char *in_a_labels(struct mr_arena *arena, const char *name)
{
	const char *ascii = mr_idn_ascii(arena, name);

	return ascii == NULL ? name : ascii;
}

/* Sections 2.4 and 4.3: who has no local part is the postmaster. */
static void set_identity(struct mr_spf_state *state)
{
	const struct mr_spf_query *query = state->query;
	struct mr_spf_values *values = &state->values;
	const char *at = strrchr(query->sender, '@');
	const char *domain =
		*query->sender == '\0' ? query->helo : query->sender;
	size_t length;

	values->local = "postmaster";
	if (at != NULL && at > query->sender)
		values->local = mr_arena_strndup(state->arena, query->sender,
			(size_t)(at - query->sender));
	if (at != NULL)
		domain = at + 1;
	length = strlen(domain);
	if (length > 0 && domain[length - 1] == '.')
		length--;
	domain = mr_arena_strndup(state->arena, domain, length);
	domain = in_a_labels(state->arena, domain);
	values->domain = values->sender_domain = domain;
	values->sender =
		mr_arena_printf(state->arena, "%s@%s", values->local, domain);
	values->ip = query->ip;
	values->helo = in_a_labels(state->arena, query->helo);
	values->receiver = query->receiver;
	values->now = query->now;
}

/* Section 4.3 */
static bool may_have_record(const char *domain)
{
	return mr_spf_is_ascii(domain) && mr_dns_wire_can_ask(domain) &&
	       *domain != '[' && strchr(domain, '.') != NULL;
}

void mr_spf_check(struct mr_dns *dns, const struct mr_spf_query *query,
	struct mr_arena *arena, struct mr_spf_answer *answer)
{
	struct mr_spf_state *state = MR_NEW(arena, struct mr_spf_state);

	memset(answer, 0, sizeof(*answer));
	state->dns = dns;
	state->query = query;
	state->answer = answer;
	state->arena = arena;
	set_identity(state);
	answer->domain = state->values.domain;
	if (query->ip->family == 0)
		mr_spf_why(state, "the client has no address");
	else if (!may_have_record(state->values.domain))
		mr_spf_why(state, "this is no name of a domain");
	else
		answer->result = check_host(state, state->values.domain, FIRST);
	if (answer->result == MR_SPF_FAIL && answer->explanation == NULL)
		answer->explanation = query->default_explanation;
}

void mr_spf_prefetch(struct mr_dns *dns, const char *domain)
{
	/* As in may_have_record; the rest is mr_dns_prefetch's to see. */
	if (*domain != '[' && strchr(domain, '.') != NULL)
		mr_dns_prefetch(dns, domain, MR_DNS_TXT);
}
