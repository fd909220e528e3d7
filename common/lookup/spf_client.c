/* spf_client - the names of the client, for ptr and macro p.  They are looked
 * up once, and validated only as far as somebody asks. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/spf_check.h"

#include <string.h>
#include <strings.h>

/* How well a name suits a domain. */
enum suit { ANOTHER, BELOW, SAME, BETTER_THAN_ALL };

static enum suit suit_of(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	if (n < d || strcasecmp(name + n - d, domain) != 0)
		return ANOTHER;
	if (n == d)
		return SAME;
	return name[n - d - 1] == '.' ? BELOW : ANOTHER;
}

static void look_up_names(struct mr_spf_state *state)
{
	struct mr_spf_client *client = &state->client;

	client->asked = true;
	client->found = MR_TEMPFAIL;
	if (!mr_spf_may_ask(state))
		return;
	client->found = mr_dns_names(state->dns, state->query->ip,
		state->query->deadline_ms, state->arena, &client->names,
		&state->error);
	if (client->found != MR_FOUND)
		return;
	while (client->n < MR_SPF_NAMES && client->names[client->n] != NULL)
		client->n++;
}

/* Section 5.5: a name counts if it has the client's address.  Where that cannot
 * be found out the name is skipped. */
static bool is_valid(struct mr_spf_state *state, size_t i)
{
	struct mr_spf_client *client = &state->client;
	enum mr_lookup found = MR_TEMPFAIL;

	if (client->state[i] == MR_SPF_NAME_UNKNOWN) {
		if (mr_spf_may_ask(state))
			found = mr_dns_name_has(state->dns, client->names[i],
				state->query->ip, state->query->deadline_ms,
				state->arena, &state->error);
		client->state[i] = found == MR_FOUND ? MR_SPF_NAME_VALID
		                                     : MR_SPF_NAME_INVALID;
	}
	return client->state[i] == MR_SPF_NAME_VALID;
}

static void ask_addresses_ahead(
	struct mr_spf_state *state, const char *domain, enum suit least)
{
	const struct mr_spf_client *client = &state->client;

	for (size_t i = 0; i < client->n; i++)
		if (client->state[i] == MR_SPF_NAME_UNKNOWN &&
			suit_of(client->names[i], domain) >= least)
			mr_spf_ask_ahead(state, client->names[i],
				mr_spf_address_type(state));
}

const char *mr_spf_client_name(struct mr_spf_state *state, const char *domain,
	bool within, enum mr_lookup *found_r)
{
	struct mr_spf_client *client = &state->client;
	enum suit wanted = within ? BELOW : ANOTHER;
	const char *best = NULL;

	if (!client->asked)
		look_up_names(state);
	*found_r = client->found;
	ask_addresses_ahead(state, domain, wanted);
	for (size_t i = 0; i < client->n && wanted < BETTER_THAN_ALL; i++) {
		enum suit suit = suit_of(client->names[i], domain);

		if (suit < wanted || !is_valid(state, i))
			continue;
		best = client->names[i];
		wanted = suit + 1;
	}
	return best;
}
