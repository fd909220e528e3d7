/* mailing - see mailing.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/mailing.h"
#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/map/map.h"
#include "common/policy/facts.h"
#include "common/policy/tables.h"

#include <string.h>

/* A policy is read while somebody waits for it to be read. */
enum { LOAD_WAIT_MS = 2000 };

/* --- from the sections */

static const struct mr_maps *maps_of(
	const struct mr_config *config, struct mr_arena *arena)
{
	return mr_config_get(config, NULL, &mr_section_maps, NULL, arena)
	        ->values;
}

static void refuse_unlistable(const struct mr_list *references,
	const char *title, struct mr_place at, struct mr_problems *problems)
{
	const char *const *reference = references->items;
	struct mr_error ignored;

	for (size_t i = 0; i < references->count; i++)
		if (mr_map_check(reference[i], &ignored) == 0 &&
			!mr_map_can_list(reference[i]))
			mr_problem_add(problems, MR_MISTAKE, at,
				"%s cannot be listed, so nobody knows the "
				"members of %s: set members to a table that "
				"can",
				reference[i], title);
}

void mr_policy_verify_mailings(
	const struct mr_config *config, struct mr_problems *problems)
{
	struct mr_arena *arena = problems->arena;
	const struct mr_maps *maps = maps_of(config, arena);
	const char *const *title =
		mr_config_titles(config, NULL, &mr_section_list, arena);

	for (; *title != NULL; title++) {
		const struct mr_settings *settings = mr_config_get(
			config, NULL, &mr_section_list, *title, arena);
		const struct mr_mailing_settings *mailing = settings->values;
		struct mr_place at = mr_settings_first_place(settings);

		if (maps->domains.count == 0 || maps->mailboxes.count == 0)
			mr_problem_add(problems, MR_MISTAKE, at,
				"list %s needs to know who is there: set "
				"domains and mailboxes in maps { }",
				*title);
		refuse_unlistable(mailing->members.count > 0 ? &mailing->members
							     : &maps->mailboxes,
			*title, at, problems);
	}
}

/* A domain of the pattern that is hosted, if one can be found. */
struct hosted {
	const char *pattern;
	bool any;
};

static bool see_domain(void *context, const char *domain)
{
	struct hosted *hosted = context;
	struct mr_arena *arena = mr_arena_new(0);

	hosted->any = mr_address_pattern_match(strrchr(hosted->pattern, '@'),
		mr_arena_printf(arena, "x@%s", domain));
	mr_arena_free(&arena);
	return !hosted->any;
}

static void warn_of_domain(const struct mr_policy *policy, const char *title,
	struct mr_place at, struct mr_problems *problems)
{
	struct hosted hosted = { .pattern = title };
	const struct mr_map_listener listener = { see_domain, &hosted };
	int64_t deadline = mr_clock_ms() + LOAD_WAIT_MS;
	struct mr_error ignored;

	for (size_t i = 0; i < policy->maps.n_domains; i++)
		if (mr_map_list(policy->maps.domains[i], deadline, &listener,
			    &ignored) < 0 ||
			hosted.any)
			return;
	mr_problem_add(problems, MR_WARNING, at,
		"list %s is nobody's address: none of the domains in maps { } "
		"is its own",
		title);
}

void mr_policy_open_mailings(
	struct mr_policy *policy, struct mr_problems *problems)
{
	struct mr_arena *arena = policy->arena;
	const char *const *titles =
		mr_config_titles(policy->config, NULL, &mr_section_list, arena);
	size_t n = 0;

	while (titles[n] != NULL)
		n++;
	policy->maps.lists = titles;
	policy->mailings = MR_NEW_ARRAY(arena, struct mr_mailing, n + 1);
	policy->expands = n > 0 && policy->global->mode != MR_MODE_OBSERVE;
	for (size_t i = 0; i < n; i++) {
		const struct mr_settings *settings =
			mr_config_get(policy->config, NULL, &mr_section_list,
				titles[i], arena);
		struct mr_mailing *mailing = &policy->mailings[i];

		mailing->title = titles[i];
		mailing->values = settings->values;
		mailing->at = mr_settings_place(settings,
			offsetof(struct mr_mailing_settings, senders));
		mailing->members = mr_tables_open(&mailing->values->members,
			mr_settings_place(settings,
				offsetof(struct mr_mailing_settings, members)),
			arena, &mailing->n_members, problems);
		warn_of_domain(policy, titles[i],
			mr_settings_first_place(settings), problems);
	}
}

/* --- one list */

const struct mr_mailing *mr_policy_mailing(
	const struct mr_policy *policy, const char *address)
{
	const struct mr_mailing *mailing = policy->mailings;

	while (mailing->title != NULL &&
		!mr_address_pattern_match(mailing->title, address))
		mailing++;
	return mailing->title == NULL ? NULL : mailing;
}

int mr_policy_members(const struct mr_policy *policy, const char *list,
	int64_t deadline_ms, struct mr_arena *arena, struct mr_members *members,
	struct mr_error *error)
{
	const struct mr_mailing *mailing = mr_policy_mailing(policy, list);
	struct mr_members_query query = {
		.maps = &policy->maps,
		.from = mailing->members,
		.n_from = mailing->n_members,
		.list = list,
		.most = (size_t)mailing->values->most,
		.deadline_ms = deadline_ms,
	};

	return mr_members_find(&query, arena, members, error);
}

/* --- within a mail */

const struct mr_expansion *mr_fact_expansion(
	struct mr_txn *txn, const char *list)
{
	struct mr_expansion *e = txn->expansions;
	int64_t since = mr_clock_ms();
	struct mr_error error;

	while (e != NULL && strcmp(e->list, list) != 0)
		e = e->next;
	if (e != NULL)
		return e;
	e = MR_NEW(txn->arena, struct mr_expansion);
	e->list = list;
	e->next = txn->expansions;
	txn->expansions = e;
	if (mr_policy_members(txn->policy, list, mr_fact_deadline(txn),
		    txn->arena, &e->members, &error) < 0)
		e->why = mr_arena_strdup(txn->arena, error.text);
	mr_fact_waited(txn, since);
	return e;
}

enum mr_lookup mr_fact_mailings(struct mr_txn *txn,
	struct mr_recipient *recipient, const char *const **lists_r)
{
	static const char *const none[] = { NULL };
	const struct mr_question question = {
		.policy = txn->policy,
		.session = txn->session,
		.txn = txn,
		.recipient = recipient,
	};
	struct mr_recipient_maps maps = txn->policy->maps;
	struct mr_recipient_answer answer;
	int64_t since = mr_clock_ms();
	struct mr_error ignored;
	enum mr_lookup found;

	*lists_r = none;
	if (*maps.lists == NULL)
		return MR_NOTFOUND;
	if (mr_fact_recipient(&question) != MR_TEMPFAIL) {
		*lists_r = recipient->found.lists;
		return **lists_r == NULL ? MR_NOTFOUND : MR_FOUND;
	}
	/* While Dovecot is away the aliases still know what is no list. */
	maps.n_mailboxes = 0;
	found = mr_recipient_find(&maps, recipient->address.text,
		mr_fact_deadline(txn), txn->arena, &answer, &ignored);
	mr_fact_waited(txn, since);
	if (found != MR_FOUND)
		return MR_TEMPFAIL;
	*lists_r = answer.lists;
	return **lists_r == NULL ? MR_NOTFOUND : MR_FOUND;
}
