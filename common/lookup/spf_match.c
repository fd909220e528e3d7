/* spf_match - the mechanisms of RFC 7208 section 5. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/spf_check.h"

#include <string.h>

static bool is_in_network(
	const struct mr_ip *ip, const struct mr_ip *network, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	unsigned char mask = (unsigned char)(0xff00u >> rest);

	if (ip->family != network->family ||
		memcmp(ip->octets, network->octets, whole) != 0)
		return false;
	return rest == 0 ||
	       ((ip->octets[whole] ^ network->octets[whole]) & mask) == 0;
}

static unsigned bits_of(
	const struct mr_spf_state *state, const struct mr_spf_term *term)
{
	return state->query->ip->family == AF_INET ? term->bits4 : term->bits6;
}

bool mr_spf_match_ip(
	const struct mr_spf_state *state, const struct mr_spf_term *term)
{
	return is_in_network(state->query->ip, &term->ip, bits_of(state, term));
}

/* What could not be found out: the record's fault, or the DNS's. */
static enum mr_spf_match fail_to_ask(struct mr_spf_state *state)
{
	mr_spf_why(state, "%s", state->error.text);
	return state->exhausted ? MR_SPF_MATCH_PERMERROR
	                        : MR_SPF_MATCH_TEMPERROR;
}

static enum mr_spf_match of_truth(bool matches)
{
	return matches ? MR_SPF_MATCH : MR_SPF_NO_MATCH;
}

static bool has_client(struct mr_spf_state *state,
	const struct mr_spf_term *term, const struct mr_dns_answer *answer)
{
	unsigned bits = bits_of(state, term);

	for (size_t i = 0; i < answer->n; i++)
		if (is_in_network(
			    state->query->ip, &answer->records[i].ip, bits))
			return true;
	return false;
}

/* Section 5.3 */
static enum mr_spf_match match_a(struct mr_spf_state *state,
	const struct mr_spf_term *term, const char *name)
{
	struct mr_dns_answer answer;
	enum mr_lookup found =
		mr_spf_ask(state, name, mr_spf_address_type(state), &answer);

	if (found == MR_TEMPFAIL)
		return fail_to_ask(state);
	if (!mr_spf_count_void(state, found))
		return MR_SPF_MATCH_PERMERROR;
	return of_truth(has_client(state, term, &answer));
}

/* The hosts' own answers are not void look-ups (section 4.6.4 counts terms). */
static enum mr_spf_match match_hosts(struct mr_spf_state *state,
	const struct mr_spf_term *term, const struct mr_dns_answer *mx)
{
	enum mr_dns_type type = mr_spf_address_type(state);
	struct mr_dns_answer answer;

	for (size_t i = 0; i < mx->n; i++)
		if (mx->records[i].target != NULL)
			mr_spf_ask_ahead(state, mx->records[i].target, type);
	for (size_t i = 0; i < mx->n; i++) {
		const char *host = mx->records[i].target;

		/* RFC 7505: the root is no host */
		if (host == NULL || *host == '\0')
			continue;
		if (mr_spf_ask(state, host, type, &answer) == MR_TEMPFAIL)
			return fail_to_ask(state);
		if (has_client(state, term, &answer))
			return MR_SPF_MATCH;
	}
	return MR_SPF_NO_MATCH;
}

/* Section 5.4 */
static enum mr_spf_match match_mx(struct mr_spf_state *state,
	const struct mr_spf_term *term, const char *name)
{
	struct mr_dns_answer mx;
	enum mr_lookup found = mr_spf_ask(state, name, MR_DNS_MX, &mx);

	if (found == MR_TEMPFAIL)
		return fail_to_ask(state);
	if (!mr_spf_count_void(state, found))
		return MR_SPF_MATCH_PERMERROR;
	if (mx.n > MR_SPF_NAMES) {
		mr_spf_why(state, "more than %d MX hosts of %s", MR_SPF_NAMES,
			name);
		return MR_SPF_MATCH_PERMERROR;
	}
	return match_hosts(state, term, &mx);
}

/* Section 5.5: what goes wrong is no match, unless there was no time to find
 * out (section 4.6.4). */
static enum mr_spf_match match_ptr(struct mr_spf_state *state, const char *name)
{
	enum mr_lookup found;
	const char *client = mr_spf_client_name(state, name, true, &found);

	if (state->exhausted || (client == NULL && mr_spf_is_late(state)))
		return fail_to_ask(state);
	if (!mr_spf_count_void(state, found))
		return MR_SPF_MATCH_PERMERROR;
	return of_truth(client != NULL);
}

/* Section 5.7: A, whatever address the client has. */
static enum mr_spf_match match_exists(
	struct mr_spf_state *state, const char *name)
{
	struct mr_dns_answer answer;
	enum mr_lookup found = mr_spf_ask(state, name, MR_DNS_A, &answer);

	if (found == MR_TEMPFAIL)
		return fail_to_ask(state);
	if (!mr_spf_count_void(state, found))
		return MR_SPF_MATCH_PERMERROR;
	return of_truth(found == MR_FOUND);
}

/* Section 5.2 */
static enum mr_spf_match match_include(
	struct mr_spf_state *state, const char *name)
{
	switch (mr_spf_include(state, name)) {
	case MR_SPF_PASS:
		return MR_SPF_MATCH;
	case MR_SPF_FAIL:
	case MR_SPF_SOFTFAIL:
	case MR_SPF_NEUTRAL:
		return MR_SPF_NO_MATCH;
	case MR_SPF_TEMPERROR:
		return MR_SPF_MATCH_TEMPERROR;
	case MR_SPF_PERMERROR:
		return MR_SPF_MATCH_PERMERROR;
	case MR_SPF_NONE:
		mr_spf_why(state, "include:%s, which has no SPF record", name);
		return MR_SPF_MATCH_PERMERROR;
	}
	return MR_SPF_MATCH_PERMERROR;
}

static enum mr_spf_match match_name(struct mr_spf_state *state,
	const struct mr_spf_term *term, const char *name)
{
	switch (term->kind) {
	case MR_SPF_INCLUDE:
		return match_include(state, name);
	case MR_SPF_A:
		return match_a(state, term, name);
	case MR_SPF_MX:
		return match_mx(state, term, name);
	case MR_SPF_PTR:
		return match_ptr(state, name);
	case MR_SPF_EXISTS:
		return match_exists(state, name);
	case MR_SPF_ALL:
	case MR_SPF_IP4:
	case MR_SPF_IP6:
	case MR_SPF_REDIRECT:
	case MR_SPF_EXP:
	case MR_SPF_OTHER:
		break;
	}
	return MR_SPF_NO_MATCH;
}

enum mr_spf_match mr_spf_match_term(
	struct mr_spf_state *state, const struct mr_spf_term *term)
{
	const char *name;

	if (term->kind == MR_SPF_ALL)
		return MR_SPF_MATCH;
	if (term->kind == MR_SPF_IP4 || term->kind == MR_SPF_IP6)
		return of_truth(mr_spf_match_ip(state, term));
	if (term->kind >= MR_SPF_REDIRECT)
		return MR_SPF_NO_MATCH;
	if (!mr_spf_count_term(state))
		return MR_SPF_MATCH_PERMERROR;
	if (mr_spf_target(state, term->domain, &name) < 0) {
		mr_spf_why(state, "%.*s: %s",
			term->text.length > 80 ? 80 : (int)term->text.length,
			term->text.text, state->error.text);
		return MR_SPF_MATCH_PERMERROR;
	}
	if (!mr_spf_is_ascii(name))
		return MR_SPF_NO_MATCH;
	return match_name(state, term, name);
}
