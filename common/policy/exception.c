/* exception - which exception covers a question; see policy.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/policy/check.h"
#include "common/policy/policy.h"
#include "common/policy/tally.h"
#include "common/policy/transaction.h"

#include <string.h>

static bool client_matches(const struct mr_list *list, const struct mr_ip *ip)
{
	const struct mr_network *networks = list->items;

	for (size_t i = 0; i < list->count; i++)
		if (mr_network_contains(&networks[i], ip))
			return true;
	return list->count == 0;
}

static bool name_matches(const struct mr_list *list, const char *name)
{
	const char *const *globs = list->items;

	for (size_t i = 0; i < list->count && name != NULL; i++)
		if (mr_text_glob(globs[i], name))
			return true;
	return list->count == 0;
}

static bool address_matches(const struct mr_list *list, const char *address)
{
	const char *const *patterns = list->items;

	for (size_t i = 0; i < list->count && address != NULL; i++)
		if (mr_address_pattern_match(patterns[i], address))
			return true;
	return list->count == 0;
}

static bool skips(const struct mr_exception *e, const struct mr_check *check)
{
	const char *const *names = e->skip.items;

	for (size_t i = 0; i < e->skip.count; i++)
		if (strcmp(names[i], "all") == 0 ||
			strcmp(names[i], check->name) == 0)
			return true;
	return false;
}

static bool holds(const struct mr_exception *e, const struct mr_txn *txn,
	const struct mr_recipient *recipient)
{
	const struct mr_session *s = txn->session;

	return (e->until == 0 || txn->now < e->until) &&
	       client_matches(&e->client, &s->client) &&
	       name_matches(&e->client_name, s->client_name) &&
	       name_matches(&e->helo, s->helo) &&
	       (address_matches(&e->sender, txn->sender.text) ||
		       address_matches(&e->sender, txn->sender.plain)) &&
	       address_matches(&e->recipient,
		       recipient == NULL ? NULL : recipient->address.plain) &&
	       address_matches(&e->login, s->login);
}

const struct mr_rule_exception *mr_policy_exception(const struct mr_txn *txn,
	const struct mr_recipient *recipient, const struct mr_check *check)
{
	const struct mr_rule_exception *e = txn->policy->exceptions;

	for (; e->name != NULL; e++)
		if (skips(e->values, check) && holds(e->values, txn, recipient))
			return e;
	return NULL;
}

void mr_policy_count_exceptions(
	struct mr_policy *policy, struct mr_tally *tally)
{
	for (size_t i = 0; i < policy->n_exceptions; i++)
		policy->exceptions[i].mails =
			mr_tally_find(tally, policy->exceptions[i].name);
}

void mr_exception_used(
	struct mr_txn *txn, const struct mr_rule_exception *exception)
{
	size_t number = (size_t)(exception - txn->policy->exceptions);

	if (txn->excepted == NULL)
		txn->excepted = MR_NEW_ARRAY(
			txn->arena, bool, txn->policy->n_exceptions);
	if (txn->excepted[number])
		return;
	txn->excepted[number] = true;
	mr_tally_count(exception->mails, txn->now);
}
