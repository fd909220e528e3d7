/* spf_ask - the questions of a check: counted, bounded in time, and asked ahead
 * so that the targets of one record cost one round trip together.  What is
 * asked ahead never changes a result: it has a bound of its own, and its
 * answers are looked at only by way of mr_dns_ask. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/lookup/spf_check.h"

#include <string.h>
#include <strings.h>

/* RFC 7208 section 7.3 */
enum { NAME_LONGEST = 253 };
/* Answers to questions that were sent together come together, but not at once.
 */
enum { TOGETHER_MS = 2 };

bool mr_spf_is_late(struct mr_spf_state *state)
{
	if (mr_clock_left(state->query->deadline_ms) > 0)
		return false;
	mr_error_set(&state->error, "no time is left to ask the DNS");
	return true;
}

bool mr_spf_may_ask(struct mr_spf_state *state)
{
	if (state->answer->questions == MR_SPF_QUESTIONS) {
		mr_error_set(&state->error, "more than %d questions to the DNS",
			MR_SPF_QUESTIONS);
		state->exhausted = true;
		return false;
	}
	if (mr_spf_is_late(state))
		return false;
	state->answer->questions++;
	return true;
}

enum mr_lookup mr_spf_ask(struct mr_spf_state *state, const char *name,
	enum mr_dns_type type, struct mr_dns_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	if (!mr_spf_is_ascii(name))
		return MR_NOTFOUND;
	if (!mr_spf_may_ask(state))
		return MR_TEMPFAIL;
	return mr_dns_ask(state->dns, name, type, state->query->deadline_ms,
		state->arena, answer, &state->error);
}

enum mr_dns_type mr_spf_address_type(const struct mr_spf_state *state)
{
	return state->query->ip->family == AF_INET ? MR_DNS_A : MR_DNS_AAAA;
}

bool mr_spf_is_ascii(const char *name)
{
	while (*name != '\0' && (unsigned char)*name < 0x80)
		name++;
	return *name == '\0';
}

size_t mr_spf_select(
	const struct mr_dns_answer *answer, struct mr_spf_slice *record_r)
{
	size_t count = 0;

	for (size_t i = 0; i < answer->n; i++) {
		struct mr_spf_slice text = { answer->records[i].text,
			answer->records[i].length };

		if (mr_spf_is_record(text) && count++ == 0)
			*record_r = text;
	}
	return count;
}

/* Labels are dropped from the left until it fits. */
static const char *shorten(const char *name, size_t length)
{
	const char *dot;

	while (length > NAME_LONGEST && (dot = strchr(name, '.')) != NULL) {
		length -= (size_t)(dot + 1 - name);
		name = dot + 1;
	}
	return name;
}

int mr_spf_target(struct mr_spf_state *state, struct mr_spf_slice spec,
	const char **name_r)
{
	enum mr_lookup found;
	const char *name;
	size_t length;

	*name_r = state->values.domain;
	if (spec.text == NULL)
		return 0;
	if (mr_spf_macro_uses(spec, MR_SPF_IN_TERM, 'p'))
		state->values.client_name = mr_spf_client_name(
			state, state->values.domain, false, &found);
	if (mr_spf_expand(state->arena, spec, MR_SPF_IN_TERM, &state->values,
		    &name, &state->error) < 0)
		return -1;
	length = strlen(name);
	if (length > 0 && name[length - 1] == '.')
		name = mr_arena_strndup(state->arena, name, --length);
	*name_r = shorten(name, length);
	return 0;
}

/* --- ahead -------------------------------------------------------------- */

/* Also bounds what expansion may take. */
static bool may_ask_ahead(struct mr_spf_state *state)
{
	if (state->asked_ahead == MR_SPF_AHEAD)
		return false;
	state->asked_ahead++;
	return true;
}

void mr_spf_ask_ahead(
	struct mr_spf_state *state, const char *name, enum mr_dns_type type)
{
	if (may_ask_ahead(state))
		mr_dns_prefetch(state->dns, name, type);
}

static void ask_target_ahead(struct mr_spf_state *state,
	const struct mr_spf_term *term, enum mr_dns_type type)
{
	const char *name;

	/* Macro p takes questions of its own. */
	if (mr_spf_macro_uses(term->domain, MR_SPF_IN_TERM, 'p') ||
		!may_ask_ahead(state) ||
		mr_spf_target(state, term->domain, &name) < 0 ||
		!mr_spf_is_ascii(name))
		return;
	mr_dns_prefetch(state->dns, name, type);
	if (type == MR_DNS_TXT)
		state->ahead[state->n_ahead++] = name;
}

/* Those that evaluation will come to. */
static void ask_targets_ahead(
	struct mr_spf_state *state, struct mr_spf_slice record)
{
	unsigned terms = state->answer->terms;
	struct mr_spf_term term;
	size_t at = 0;

	while (terms < MR_SPF_TERMS && mr_spf_next_term(record, &at, &term)) {
		switch (term.kind) {
		case MR_SPF_ALL:
			return;
		case MR_SPF_IP4:
		case MR_SPF_IP6:
			if (mr_spf_match_ip(state, &term))
				return;
			continue;
		case MR_SPF_EXP:
		case MR_SPF_OTHER:
			continue;
		case MR_SPF_PTR:
			break;
		case MR_SPF_INCLUDE:
		case MR_SPF_REDIRECT:
			ask_target_ahead(state, &term, MR_DNS_TXT);
			break;
		case MR_SPF_MX:
			ask_target_ahead(state, &term, MR_DNS_MX);
			break;
		case MR_SPF_A:
			ask_target_ahead(
				state, &term, mr_spf_address_type(state));
			break;
		case MR_SPF_EXISTS:
			ask_target_ahead(state, &term, MR_DNS_A);
			break;
		}
		terms++;
	}
}

/* Asks ahead for what the record of `domain` names; false: it has not come. */
static bool follow(
	struct mr_spf_state *state, const char *domain, int64_t until_ms)
{
	const char *current = state->values.domain;
	struct mr_dns_answer answer;
	struct mr_spf_slice record;
	struct mr_error error;

	/* Evaluation has it now, or nothing more will be asked ahead. */
	if (strcasecmp(domain, current) == 0 ||
		state->asked_ahead == MR_SPF_AHEAD)
		return true;
	/* It may have failed meanwhile, and this may ask it once more. */
	if (mr_dns_ask(state->dns, domain, MR_DNS_TXT, until_ms, state->arena,
		    &answer, &error) == MR_TEMPFAIL)
		return !may_ask_ahead(state);
	if (mr_spf_select(&answer, &record) != 1 ||
		mr_spf_record_check(record, &error) < 0)
		return true;
	state->values.domain = domain;
	ask_targets_ahead(state, record);
	state->values.domain = current;
	return true;
}

void mr_spf_record_ahead(struct mr_spf_state *state, struct mr_spf_slice record)
{
	unsigned before = state->n_ahead, kept = 0;
	int64_t until_ms;

	ask_targets_ahead(state, record);
	until_ms = mr_clock_ms() + TOGETHER_MS;
	for (unsigned i = 0; i < before; i++)
		if (!follow(state, state->ahead[i], until_ms))
			state->ahead[kept++] = state->ahead[i];
	for (unsigned i = before; i < state->n_ahead; i++)
		state->ahead[kept++] = state->ahead[i];
	state->n_ahead = kept;
}
