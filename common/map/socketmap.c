/* socketmap - a server that is asked in netstrings, socketmap_table(5). */
/* SPDX-License-Identifier: ISC */
#include "common/map/socketmap.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/map/peer.h"
#include "common/map/type.h"

#include <stdlib.h>
#include <string.h>

/* Opening is asked by those who start; a server that is away costs them this.
 */
enum { OPEN_WAIT_MS = 1000 };
/* A payload, its length, the colon and the comma. */
enum { REPLY_LONGEST = MR_SOCKETMAP_LONGEST + 8 };

struct socketmap {
	struct mr_peers peers;
	char *name;
};

struct question {
	const struct socketmap *map;
	struct mr_arena *arena;
	const char *key;
	enum mr_lookup answer;
	const char *value;
};

static enum mr_peer_outcome read_reply(struct mr_peer *peer,
	struct question *question, int64_t deadline_ms, struct mr_error *error)
{
	enum mr_peer_outcome outcome;
	size_t length, used;
	const char *payload;

	for (;;) {
		outcome = mr_peer_receive(
			peer, REPLY_LONGEST, deadline_ms, error);
		if (outcome != MR_PEER_ANSWERED)
			return outcome;
		switch (mr_netstring_parse(
			peer->buffer, peer->length, &payload, &length, &used)) {
		case MR_NETSTRING_SHORT:
			break;
		case MR_NETSTRING_GARBAGE:
			return mr_peer_give_up(error,
				"the reply is not a netstring, or too long");
		case MR_NETSTRING_WHOLE:
			question->answer = mr_socketmap_reply(question->arena,
				payload, length, &question->value, error);
			mr_peer_take(peer, used);
			return MR_PEER_ANSWERED;
		}
	}
}

static enum mr_peer_outcome ask(struct mr_peer *peer, void *argument,
	int64_t deadline_ms, struct mr_error *error)
{
	struct question *question = argument;
	const char *request = mr_arena_printf(question->arena, "%zu:%s %s,",
		strlen(question->map->name) + 1 + strlen(question->key),
		question->map->name, question->key);
	enum mr_peer_outcome outcome = mr_peer_send(
		peer, request, strlen(request), deadline_ms, error);

	if (outcome != MR_PEER_ANSWERED)
		return outcome;
	return read_reply(peer, question, deadline_ms, error);
}

static enum mr_lookup socketmap_get(void *state, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	struct socketmap *map = state;
	struct question question = { .map = map, .arena = arena, .key = key };

	(void)now_ms;
	if (mr_peers_ask(&map->peers, ask, &question, deadline_ms, error) < 0)
		return MR_TEMPFAIL;
	*value_r = question.value;
	return question.answer;
}

static void socketmap_close(void *state)
{
	struct socketmap *map = state;

	mr_peers_close(&map->peers);
	free(map->name);
	free(map);
}

static int socketmap_check(const char *name, struct mr_error *error)
{
	struct mr_socketmap parsed;

	return mr_socketmap_parse(name, &parsed, error);
}

static int socketmap_open(const char *name, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	struct mr_socketmap parsed;
	struct socketmap *map;

	(void)now_ms;
	if (mr_socketmap_parse(name, &parsed, error) < 0)
		return -1;
	map = mr_calloc(1, sizeof(*map));
	map->peers.address = parsed.address;
	map->peers.address_length = parsed.address_length;
	if (mr_peers_open(&map->peers, mr_clock_ms() + OPEN_WAIT_MS, error) <
		0) {
		free(map);
		return -1;
	}
	map->name = mr_calloc(1, strlen(parsed.name) + 1);
	strcpy(map->name, parsed.name);
	*state_r = map;
	return 0;
}

static bool always(const char *name)
{
	(void)name;
	return true;
}

const struct mr_map_type mr_map_socketmap = {
	.name = "socketmap",
	.check = socketmap_check,
	.open = socketmap_open,
	.close = socketmap_close,
	.get = socketmap_get,
	.wants_whole = always,
};
