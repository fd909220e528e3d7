/* ahead - see ahead.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/ahead.h"
#include "common/base/arena.h"

/* On a port where one must log in only guessers do not. */
static bool must_log_in(
	const struct mr_policy *policy, const struct mr_session *session)
{
	struct mr_chain chain = { .scope[MR_LISTENER] = mr_policy_listener(
					  policy, session->port,
					  session->daemon_name) };
	struct mr_arena *arena;
	bool must;

	if (chain.scope[MR_LISTENER] == NULL)
		return false;
	arena = mr_arena_new(1024);
	must = ((const struct mr_listener *)mr_config_get(policy->config,
			&chain, &mr_section_listener, NULL, arena)
			       ->values)
	               ->auth == MR_AUTH_REQUIRED;
	mr_arena_free(&arena);
	return must;
}

/* Will checks about the sending host be asked at all? */
static bool is_stranger(
	const struct mr_policy *policy, const struct mr_session *session)
{
	return session->login == NULL &&
	       !mr_policy_trusts(policy, &session->client) &&
	       !must_log_in(policy, session);
}

/* The checks that ask ahead then, by number. */
static uint64_t find_wanted(const struct mr_policy *policy, unsigned moments)
{
	uint64_t wanted = 0;

	for (size_t i = 0; mr_checks[i] != NULL; i++)
		if ((mr_checks[i]->ahead_at & moments) != 0)
			wanted |= policy->on & (uint64_t)1 << i;
	return wanted;
}

void mr_ahead(const struct mr_policy *policy, const struct mr_session *session,
	const struct mr_txn *txn, unsigned moments)
{
	uint64_t wanted = find_wanted(policy, moments);
	bool stranger = wanted != 0 && is_stranger(policy, session);

	for (size_t i = 0; wanted >> i != 0; i++)
		if ((wanted >> i & 1) &&
			(stranger || !mr_checks[i]->about_sender))
			mr_checks[i]->ahead(policy, session, txn, moments);
}
