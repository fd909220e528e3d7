/* recipient - see recipient.h.  The walk is Postfix's cleanup_map1n(): a flat
 * list of targets, each rewritten in place until no alias matches; an address
 * that expanded into itself once is final.  So a -> b -> a ends at the depth
 * limit, there (451 4.6.0) as here. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/recipient.h"
#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/lookup/alias_value.h"
#include "common/map/map.h"

#include <string.h>

struct list {
	const char **items; /* ends with NULL once there is one */
	size_t n, room;
};

struct walk {
	const struct mr_recipient_maps *maps;
	const char *address; /* the one asked for */
	int64_t deadline_ms;
	struct mr_arena *arena;
	struct mr_error *error;
	struct list targets, own; /* own: those that expanded into themselves */
	struct list mailboxes, remotes, dead, lists, finals;
	const char *hosted;      /* the last domain that is ours */
	const char *parsed_from; /* NULL: nothing was parsed yet */
	struct mr_address parsed;
	const char *via;
	bool aliased;
};

/* Where Postfix gives up on an alias that grows (measured). */
enum { ALIAS_LONGEST = 1000 };

enum match { FULL, PLAIN, DOMAIN };

/* Several times the same one, where no alias leads on. */
static int parse(
	struct walk *walk, const char *text, struct mr_address *address)
{
	struct mr_error unused;

	if (walk->parsed_from == NULL || strcmp(walk->parsed_from, text) != 0) {
		walk->parsed_from = NULL;
		if (mr_address_parse(walk->arena, text, walk->maps->delimiters,
			    &walk->parsed, &unused) < 0)
			return -1;
		walk->parsed_from = text;
	}
	*address = walk->parsed;
	return 0;
}

static void append(struct mr_arena *arena, struct list *list, const char *item)
{
	if (list->n + 2 > list->room) {
		const char **old = list->items;

		list->room = list->room * 2 + 8;
		list->items = MR_NEW_ARRAY(arena, const char *, list->room);
		if (list->n > 0)
			memcpy(list->items, old, list->n * sizeof(*old));
	}
	list->items[list->n++] = item;
	list->items[list->n] = NULL;
}

static bool contains(const struct list *list, const char *item)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i], item) == 0)
			return true;
	return false;
}

static const char *const *ended(struct mr_arena *arena, struct list *list)
{
	if (list->items == NULL)
		list->items = MR_NEW_ARRAY(arena, const char *, 1);
	return list->items;
}

static enum mr_lookup ask_all(struct walk *walk, struct mr_map *const *maps,
	size_t n_maps, enum match match, const char *key, const char **value_r)
{
	for (size_t i = 0; i < n_maps; i++) {
		enum mr_lookup answer = MR_NOTFOUND;

		if (match == FULL || !mr_map_wants_whole(maps[i]))
			answer = mr_map_get(maps[i], walk->arena, key,
				walk->deadline_ms, value_r, walk->error);
		if (answer != MR_NOTFOUND)
			return answer;
	}
	return MR_NOTFOUND;
}

static const char *at_domain(
	struct mr_arena *arena, const struct mr_address *address)
{
	return mr_arena_join(arena, "@", address->domain, NULL);
}

/* Each form of the address is sent to each table before the next form. */
static enum mr_lookup find_alias(struct walk *walk,
	const struct mr_address *address, enum match *match_r,
	const char **value_r)
{
	const struct mr_recipient_maps *maps = walk->maps;
	enum mr_lookup answer;

	*match_r = FULL;
	answer = ask_all(walk, maps->aliases, maps->n_aliases, FULL,
		address->text, value_r);
	if (answer != MR_NOTFOUND)
		return answer;
	*match_r = PLAIN;
	if (address->detail != NULL)
		answer = ask_all(walk, maps->aliases, maps->n_aliases, PLAIN,
			address->plain, value_r);
	if (answer != MR_NOTFOUND || address->domain[0] == '\0')
		return answer;
	*match_r = DOMAIN;
	return ask_all(walk, maps->aliases, maps->n_aliases, DOMAIN,
		at_domain(walk->arena, address), value_r);
}

/* Detail and its delimiter that the table did not match, "" if none. */
static const char *unmatched(
	struct walk *walk, const struct mr_address *address, enum match match)
{
	const char *delimiter;

	if (match != PLAIN)
		return "";
	delimiter = strpbrk(address->local, walk->maps->delimiters);
	return mr_arena_printf(walk->arena, "%c%s",
		delimiter == NULL ? walk->maps->delimiters[0] : *delimiter,
		address->detail);
}

/* The local part that stands in front of `@otherdomain`. */
static const char *own_local(
	struct walk *walk, const struct mr_address *address, enum match match)
{
	size_t length = strlen(address->plain);

	if (match != PLAIN)
		return address->local;
	if (address->domain[0] != '\0')
		length -= strlen(address->domain) + 1;
	return mr_arena_strndup(walk->arena, address->plain, length);
}

static int too_much(struct walk *walk, const char *what)
{
	return mr_error_set(walk->error,
		"the aliases of %.200s %s; correct the alias tables",
		walk->address, what);
}

/* Puts what `value` says in the place of target `index`, and behind the last.
 * An address that is not one is kept as text: nobody will be found there. */
static int replace(struct walk *walk, size_t index,
	const struct mr_address *from, enum match match, const char *value)
{
	const char *detail = unmatched(walk, from, match);
	const char *const *targets;
	size_t n;

	if (value[0] == '@')
		value = mr_arena_printf(walk->arena, "%s%s",
			own_local(walk, from, match), value);
	n = mr_alias_value_split(walk->arena, value, &targets);
	if (n == 0)
		return too_much(walk, "lead to something without an address");
	for (size_t i = 0; i < n; i++) {
		struct mr_address target;
		struct mr_error unused;
		const char *text = mr_alias_value_detail(walk->arena,
			mr_alias_value_rewrite(walk->arena, targets[i]),
			detail);

		if (strlen(text) > ALIAS_LONGEST)
			return too_much(walk, "grow into overlong addresses");
		if (mr_address_parse(walk->arena, text, walk->maps->delimiters,
			    &target, &unused) == 0)
			text = target.text;
		if (i == 0)
			walk->targets.items[index] = text;
		else
			append(walk->arena, &walk->targets, text);
		if (strcmp(text, from->text) == 0)
			append(walk->arena, &walk->own, text);
	}
	return 0;
}

static void note_alias(
	struct walk *walk, const struct mr_address *from, enum match match)
{
	/* An alias for itself alone says where mailboxes are, not how mail
	 * gets there. */
	if (walk->aliased ||
		(walk->targets.n == 1 &&
			strcmp(walk->targets.items[0], from->text) == 0))
		return;
	walk->via = match == DOMAIN ? "catch-all" : "alias";
}

/* Is it ours?  A domain of its own is what makes it so. */
static enum mr_lookup hosted(
	struct walk *walk, const struct mr_address *address)
{
	enum mr_lookup answer = MR_NOTFOUND;
	const char *value;

	if (walk->hosted != NULL && strcmp(walk->hosted, address->domain) == 0)
		return MR_FOUND;
	if (address->domain[0] != '\0')
		answer = ask_all(walk, walk->maps->domains,
			walk->maps->n_domains, FULL, address->domain, &value);
	if (answer == MR_FOUND)
		walk->hosted = address->domain;
	return answer;
}

static void note_once(struct walk *walk, struct list *list, const char *item)
{
	if (!contains(list, item))
		append(walk->arena, list, item);
}

bool mr_recipient_is_list(
	const struct mr_recipient_maps *maps, const char *plain)
{
	const char *const *pattern = maps->lists;

	while (pattern != NULL && *pattern != NULL &&
		!mr_address_pattern_match(*pattern, plain))
		pattern++;
	return pattern != NULL && *pattern != NULL;
}

static enum mr_lookup find_list(
	struct walk *walk, const struct mr_address *address)
{
	return mr_recipient_is_list(walk->maps, address->plain)
	               ? hosted(walk, address)
	               : MR_NOTFOUND;
}

/* Rewrites one target until no alias matches. */
static int expand_target(struct walk *walk, size_t index)
{
	for (unsigned depth = 0;; depth++) {
		const char *text = walk->targets.items[index], *value;
		struct mr_address address;
		enum match match;

		if (contains(&walk->own, text))
			return 0;
		if (depth >= MR_ALIAS_DEPTH)
			return too_much(walk, "lead back to themselves");
		if (parse(walk, text, &address) < 0)
			return 0;
		switch (find_list(walk, &address)) {
		case MR_TEMPFAIL:
			return -1;
		case MR_FOUND:
			note_once(walk, &walk->lists, address.plain);
			walk->targets.items[index] = address.plain;
			return 0;
		case MR_NOTFOUND:
			break;
		}
		switch (find_alias(walk, &address, &match, &value)) {
		case MR_TEMPFAIL:
			return -1;
		case MR_NOTFOUND:
			return 0;
		case MR_FOUND:
			break;
		}
		if (replace(walk, index, &address, match, value) < 0)
			return -1;
		note_alias(walk, &address, match);
		walk->aliased = true;
	}
}

static int expand(struct walk *walk)
{
	for (size_t i = 0; i < walk->targets.n; i++) {
		if (walk->targets.n > MR_ALIAS_TARGETS)
			return too_much(walk, "have too many targets");
		if (expand_target(walk, i) < 0)
			return -1;
	}
	return 0;
}

/* Where users are named, Dovecot knows no details and no @domain, and the
 * answer begins with the user's own name. */
static enum mr_lookup find_user(struct walk *walk, struct mr_map *map,
	const struct mr_address *address, const char **name_r)
{
	const char *value;
	enum mr_lookup answer = mr_map_get(map, walk->arena, address->plain,
		walk->deadline_ms, &value, walk->error);

	if (answer == MR_FOUND)
		*name_r = mr_arena_strndup(
			walk->arena, value, strcspn(value, "\t"));
	return answer;
}

static enum mr_lookup find_in_mailboxes(struct walk *walk,
	const struct mr_address *address, enum match match, const char *key,
	const char **name_r)
{
	const struct mr_recipient_maps *maps = walk->maps;
	const char *value;

	for (size_t i = 0; i < maps->n_mailboxes; i++) {
		struct mr_map *map = maps->mailboxes[i];
		enum mr_lookup answer = MR_NOTFOUND;

		if (!mr_map_names_users(map))
			answer = ask_all(walk, &map, 1, match, key, &value);
		else if (match == FULL)
			answer = find_user(walk, map, address, name_r);
		else
			continue;
		if (answer == MR_FOUND && !mr_map_names_users(map))
			*name_r =
				match == FULL ? address->text : address->plain;
		if (answer != MR_NOTFOUND)
			return answer;
	}
	return MR_NOTFOUND;
}

static enum mr_lookup find_mailbox(struct walk *walk,
	const struct mr_address *address, const char **via_r,
	const char **name_r)
{
	enum mr_lookup answer;

	*via_r = "mailbox";
	answer = find_in_mailboxes(walk, address, FULL, address->text, name_r);
	if (answer == MR_NOTFOUND && address->detail != NULL)
		answer = find_in_mailboxes(
			walk, address, PLAIN, address->plain, name_r);
	if (answer != MR_NOTFOUND)
		return answer;
	*via_r = "catch-all";
	return find_in_mailboxes(
		walk, address, DOMAIN, at_domain(walk->arena, address), name_r);
}

static int classify(struct walk *walk, const char *text)
{
	const char *via, *name;
	struct mr_address address;

	if (parse(walk, text, &address) < 0) {
		note_once(walk, &walk->dead, text);
		return 0;
	}
	switch (hosted(walk, &address)) {
	case MR_TEMPFAIL:
		return -1;
	case MR_NOTFOUND:
		note_once(walk, &walk->remotes, text);
		return 0;
	case MR_FOUND:
		break;
	}
	if (walk->maps->n_mailboxes == 0) {
		note_once(walk, &walk->remotes, text);
		return 0;
	}
	switch (find_mailbox(walk, &address, &via, &name)) {
	case MR_TEMPFAIL:
		return -1;
	case MR_NOTFOUND:
		note_once(walk, &walk->dead, text);
		return 0;
	case MR_FOUND:
		break;
	}
	note_once(walk, &walk->mailboxes, name);
	if (walk->via == NULL)
		walk->via = via;
	return 0;
}

static enum mr_recipient_kind kind_of(const struct walk *walk)
{
	if (walk->lists.n > 0)
		return MR_RECIPIENT_LIST;
	if (walk->mailboxes.n > 0)
		return MR_RECIPIENT_MAILBOX;
	if (walk->remotes.n == 0)
		return MR_RECIPIENT_UNKNOWN;
	return walk->aliased ? MR_RECIPIENT_REMOTE : MR_RECIPIENT_FOREIGN;
}

static enum mr_lookup follow(
	struct walk *walk, const struct mr_address *address)
{
	append(walk->arena, &walk->targets, address->text);
	if (expand(walk) < 0)
		return MR_TEMPFAIL;
	for (size_t i = 0; i < walk->targets.n; i++) {
		const char *target = walk->targets.items[i];

		if (contains(&walk->lists, target))
			continue;
		note_once(walk, &walk->finals, target);
		if (classify(walk, target) < 0)
			return MR_TEMPFAIL;
	}
	if (walk->lists.n > 0 && walk->via == NULL)
		walk->via = "list";
	return MR_FOUND;
}

enum mr_lookup mr_recipient_find(const struct mr_recipient_maps *maps,
	const char *address, int64_t deadline_ms, struct mr_arena *arena,
	struct mr_recipient_answer *answer, struct mr_error *error)
{
	struct walk walk = { .maps = maps,
		.address = address,
		.deadline_ms = deadline_ms,
		.arena = arena,
		.error = error };
	enum mr_lookup found = MR_NOTFOUND;
	struct mr_address parsed;

	if (parse(&walk, address, &parsed) == 0)
		found = hosted(&walk, &parsed);
	if (found == MR_FOUND)
		found = follow(&walk, &parsed);
	if (found == MR_TEMPFAIL)
		return MR_TEMPFAIL;
	answer->kind =
		found == MR_FOUND ? kind_of(&walk) : MR_RECIPIENT_FOREIGN;
	if (answer->kind == MR_RECIPIENT_FOREIGN)
		walk.remotes = walk.finals = (struct list){ 0 };
	answer->mailboxes = ended(arena, &walk.mailboxes);
	answer->remotes = ended(arena, &walk.remotes);
	answer->dead = ended(arena, &walk.dead);
	answer->lists = ended(arena, &walk.lists);
	answer->targets = ended(arena, &walk.finals);
	answer->via = walk.via;
	return MR_FOUND;
}
