/* who - whose rules apply to an address: user, group, domain, listener. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/map/map.h"
#include "common/policy/policy.h"

#include <string.h>
#include <strings.h>

enum { WARN_MS = 60 * 1000, PORT_SIZE = 12 };

/* A dead table is told of once in a while, not once per recipient. */
static void warn(struct mr_group_maps *group, const char *why)
{
	int64_t now = mr_clock_ms();
	int64_t last = __atomic_load_n(&group->warned_ms, __ATOMIC_RELAXED);

	if (last != 0 && now - last < WARN_MS)
		return;
	__atomic_store_n(&group->warned_ms, now, __ATOMIC_RELAXED);
	mr_log(MR_LOG_WARNING,
		"cannot tell who is in group %s, so the more generous rules "
		"count: %s",
		group->scope->title, why);
}

static enum mr_lookup is_member(struct mr_group_maps *group,
	const char *address, int64_t deadline_ms, struct mr_arena *arena)
{
	enum mr_lookup answer = MR_NOTFOUND;
	struct mr_error error;
	const char *value;

	for (struct mr_map **map = group->members; *map != NULL; map++) {
		switch (mr_map_get(
			*map, arena, address, deadline_ms, &value, &error)) {
		case MR_FOUND:
			return MR_FOUND;
		case MR_TEMPFAIL:
			warn(group, error.text);
			answer = MR_TEMPFAIL;
			break;
		case MR_NOTFOUND:
			break;
		}
	}
	return answer;
}

static void add_perhaps(const struct mr_policy *policy, struct mr_who *who,
	const struct mr_scope *group, struct mr_arena *arena)
{
	size_t n = 0;

	if (who->perhaps == NULL) {
		while (policy->groups[n].scope != NULL)
			n++;
		who->perhaps =
			MR_NEW_ARRAY(arena, const struct mr_scope *, n + 1);
	}
	for (n = 0; who->perhaps[n] != NULL;)
		n++;
	who->perhaps[n] = group;
}

/* The first group in the file that has the address. */
static void find_group(const struct mr_policy *policy, const char *address,
	int64_t deadline_ms, struct mr_arena *arena, struct mr_who *who)
{
	for (struct mr_group_maps *g = policy->groups; g->scope != NULL; g++) {
		switch (is_member(g, address, deadline_ms, arena)) {
		case MR_FOUND:
			who->chain.scope[MR_GROUP] = g->scope;
			return;
		case MR_TEMPFAIL:
			add_perhaps(policy, who, g->scope, arena);
			break;
		case MR_NOTFOUND:
			break;
		}
	}
}

void mr_policy_who(const struct mr_policy *policy, const char *address,
	const struct mr_scope *listener, int64_t deadline_ms,
	struct mr_arena *arena, struct mr_who *who)
{
	const char *at = strrchr(address, '@');

	*who = (struct mr_who){ 0 };
	who->chain.scope[MR_LISTENER] = listener;
	who->chain.scope[MR_USER] =
		mr_config_scope(policy->config, MR_USER, address);
	if (at != NULL)
		who->chain.scope[MR_DOMAIN] =
			mr_config_scope(policy->config, MR_DOMAIN, at + 1);
	if (*address != '\0')
		find_group(policy, address, deadline_ms, arena, who);
}

/* Several times a mail, so without printf(3). */
static const char *port_text(unsigned port, char text[PORT_SIZE])
{
	char *p = text + PORT_SIZE;

	*--p = '\0';
	do
		*--p = (char)('0' + port % 10);
	while ((port /= 10) > 0);
	return p;
}

const struct mr_scope *mr_policy_listener(
	const struct mr_policy *policy, unsigned port, const char *daemon_name)
{
	const struct mr_scope *scopes =
		mr_config_scopes(policy->config, MR_LISTENER);
	const struct mr_scope *scope = NULL;
	char text[PORT_SIZE];

	if (port != 0 && scopes != NULL)
		scope = mr_config_scope(
			policy->config, MR_LISTENER, port_text(port, text));
	for (const struct mr_scope *s = scopes;
		scope == NULL && s != NULL && daemon_name != NULL; s = s->next)
		if (strcasecmp(s->title, daemon_name) == 0)
			scope = s;
	return scope;
}

bool mr_policy_trusts(const struct mr_policy *policy, const struct mr_ip *ip)
{
	const struct mr_network *networks = policy->global->trusted.items;

	for (size_t i = 0; i < policy->global->trusted.count; i++)
		if (mr_network_contains(&networks[i], ip))
			return true;
	return false;
}

static uint64_t size_of(const struct mr_policy *policy,
	const struct mr_chain *chain, struct mr_arena *arena,
	struct mr_place *at)
{
	const struct mr_settings *settings = mr_config_get(
		policy->config, chain, &mr_section_message, NULL, arena);
	const struct mr_message *message = settings->values;

	*at = mr_settings_place(settings, offsetof(struct mr_message, size));
	return message->size;
}

uint64_t mr_policy_message_size(const struct mr_policy *policy,
	const struct mr_who *who, struct mr_arena *arena, struct mr_place *at)
{
	uint64_t size = size_of(policy, &who->chain, arena, at);

	for (size_t i = 0; who->perhaps != NULL && who->perhaps[i] != NULL;
		i++) {
		struct mr_chain chain = who->chain;
		struct mr_place other_at;
		uint64_t other;

		chain.scope[MR_GROUP] = who->perhaps[i];
		other = size_of(policy, &chain, arena, &other_at);
		if (other > size) {
			size = other;
			*at = other_at;
		}
	}
	return size;
}
