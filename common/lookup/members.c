/* members - see members.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/members.h"
#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/map/map.h"

#include <stdlib.h>
#include <string.h>

struct search {
	const struct mr_members_query *query;
	const char *domain;
	struct mr_arena *arena;   /* of what is found */
	struct mr_arena *scratch; /* of what is seen */
	struct mr_member_set found;
	size_t most;
	bool too_many;
};

void mr_member_set_add(struct mr_arena *arena, struct mr_member_set *set,
	struct mr_member member)
{
	if (set->n == set->room) {
		struct mr_member *old = set->of;

		set->room = set->room * 2 + 16;
		set->of = MR_NEW_ARRAY(arena, struct mr_member, set->room);
		if (set->n > 0)
			memcpy(set->of, old, set->n * sizeof(*old));
	}
	set->of[set->n++] = member;
}

void mr_member_set_sort(
	struct mr_member_set *set, int (*compare)(const void *a, const void *b))
{
	size_t kept = 0;

	if (set->n == 0)
		return;
	qsort(set->of, set->n, sizeof(*set->of), compare);
	for (size_t i = 1; i < set->n; i++)
		if (compare(&set->of[kept], &set->of[i]) != 0)
			set->of[++kept] = set->of[i];
	set->n = kept + 1;
}

/* Is it one of the list's domain?  Then as it is in an envelope. */
static const char *member_of(struct search *search, const char *key)
{
	const struct mr_recipient_maps *maps = search->query->maps;
	struct mr_address address;
	struct mr_error ignored;

	if (key[0] == '@' || mr_address_parse(search->scratch, key,
				     maps->delimiters, &address, &ignored) < 0)
		return NULL;
	if (address.domain[0] == '\0')
		return mr_arena_printf(
			search->scratch, "%s@%s", address.text, search->domain);
	return strcmp(address.domain, search->domain) == 0 ? address.text
	                                                   : NULL;
}

static bool see(void *context, const char *key)
{
	struct search *search = context;
	const char *address;

	search->scratch = mr_arena_new(0);
	address = member_of(search, key);
	if (address != NULL &&
		!mr_recipient_is_list(search->query->maps, address)) {
		search->too_many = search->found.n == search->most;
		if (!search->too_many)
			mr_member_set_add(search->arena, &search->found,
				(struct mr_member){
					.address = mr_arena_strdup(
						search->arena, address),
				});
	}
	mr_arena_free(&search->scratch);
	return !search->too_many;
}

static int list_keys(struct search *search, struct mr_error *error)
{
	const struct mr_members_query *q = search->query;
	bool own = q->n_from == 0;
	struct mr_map *const *maps = own ? q->maps->mailboxes : q->from;
	size_t n = own ? q->maps->n_mailboxes : q->n_from;
	const struct mr_map_listener listener = { see, search };

	/* A member may be in each of the tables. */
	search->most = q->most * n;
	for (size_t i = 0; i < n && !search->too_many; i++)
		if (mr_map_list(maps[i], q->deadline_ms, &listener, error) < 0)
			return -1;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct mr_member *first = a, *second = b;

	return strcmp(first->address, second->address);
}

/* In the mailbox tables, not in the aliases: whoever has a mailbox and forwards
 * his mail gets it as he gets all of it.  A catch-all makes nobody a member. */
static enum mr_lookup find_mailbox(
	struct search *search, struct mr_member *member, struct mr_error *error)
{
	struct mr_recipient_maps maps = *search->query->maps;
	struct mr_recipient_answer answer;

	enum mr_lookup found;

	maps.n_aliases = 0;
	maps.lists = NULL;
	found = mr_recipient_find(&maps, member->address,
		search->query->deadline_ms, search->scratch, &answer, error);
	if (found == MR_FOUND && (answer.kind != MR_RECIPIENT_MAILBOX ||
					 strcmp(answer.via, "mailbox") != 0))
		found = MR_NOTFOUND;
	if (found == MR_FOUND)
		member->mailbox =
			mr_arena_strdup(search->arena, answer.mailboxes[0]);
	return found;
}

static int keep_live(struct search *search, struct mr_members *members,
	struct mr_error *error)
{
	members->of = search->found.of;
	for (size_t i = 0; i < search->found.n; i++) {
		struct mr_member member = search->found.of[i];
		enum mr_lookup found;

		search->scratch = mr_arena_new(0);
		found = find_mailbox(search, &member, error);
		mr_arena_free(&search->scratch);
		switch (found) {
		case MR_TEMPFAIL:
			return -1;
		case MR_NOTFOUND:
			members->dead++;
			break;
		case MR_FOUND:
			members->of[members->n++] = member;
			break;
		}
	}
	return 0;
}

int mr_members_find(const struct mr_members_query *query,
	struct mr_arena *arena, struct mr_members *members,
	struct mr_error *error)
{
	const char *at = strrchr(query->list, '@');
	struct search search = {
		.query = query,
		.domain = at == NULL ? "" : at + 1,
		.arena = arena,
	};

	*members = (struct mr_members){ 0 };
	if (list_keys(&search, error) < 0)
		return -1;
	mr_member_set_sort(&search.found, compare);
	if (search.too_many || search.found.n > query->most)
		return mr_error_set(error,
			"%.200s has more than %zu members; see list { most }",
			query->list, query->most);
	return keep_live(&search, members, error);
}
