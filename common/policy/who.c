/* who - whose rules apply to an address: user, group, domain, listener. */
/* SPDX-License-Identifier: ISC */
#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/map/map.h"
#include "common/policy/policy.h"

#include <stdlib.h>
#include <string.h>

static enum mr_lookup is_member(const struct mr_group_maps *group,
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
			mr_log(MR_LOG_WARNING,
				"cannot tell whether %s is in group %s: %s",
				address, group->scope->title, error.text);
			answer = MR_TEMPFAIL;
			break;
		case MR_NOTFOUND:
			break;
		}
	}
	return answer;
}

/* The first group in the file that has the address. */
static void find_group(const struct mr_policy *policy, const char *address,
	int64_t deadline_ms, struct mr_arena *arena, struct mr_who *who)
{
	for (const struct mr_group_maps *g = policy->groups; g->scope != NULL;
		g++) {
		switch (is_member(g, address, deadline_ms, arena)) {
		case MR_FOUND:
			who->chain.scope[MR_GROUP] = g->scope;
			return;
		case MR_TEMPFAIL:
			if (who->perhaps.scope[MR_GROUP] == NULL)
				who->perhaps.scope[MR_GROUP] = g->scope;
			who->unsure = true;
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
	if (who->unsure) {
		const struct mr_scope *group = who->perhaps.scope[MR_GROUP];

		who->perhaps = who->chain;
		who->perhaps.scope[MR_GROUP] = group;
	}
}

const struct mr_scope *mr_policy_listener(
	const struct mr_policy *policy, unsigned port, const char *daemon_name)
{
	const struct mr_scope *scope = NULL;
	char text[16];

	if (port != 0) {
		snprintf(text, sizeof(text), "%u", port);
		scope = mr_config_scope(policy->config, MR_LISTENER, text);
	}
	for (const struct mr_scope *s =
			mr_config_scopes(policy->config, MR_LISTENER);
		scope == NULL && s != NULL && daemon_name != NULL; s = s->next)
		if (mr_text_glob(s->title, daemon_name) &&
			strchr(s->title, '*') == NULL)
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

	if (who->unsure) {
		struct mr_place other_at;
		uint64_t other =
			size_of(policy, &who->perhaps, arena, &other_at);

		if (other > size) {
			size = other;
			*at = other_at;
		}
	}
	return size;
}
