/* userdb - Dovecot's user database, asked over its auth-userdb socket. */
/* SPDX-License-Identifier: ISC */
#include "common/map/userdb.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/socket.h"
#include "common/base/text.h"
#include "common/map/peer.h"
#include "common/map/type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* A reply longer than this, or more greeting lines, is not Dovecot's. */
enum { LINE_LONGEST = MR_MAP_VALUE_LONGEST, GREETING_LINES = 16 };
enum { SHOWN_REASON = 200 };

struct question {
	struct mr_arena *arena;
	const char *key;
	enum mr_lookup answer;
	const char *value;
};

static int userdb_check(const char *name, struct mr_error *error)
{
	struct sockaddr_un address;

	if (mr_map_check_path(name, error) < 0)
		return -1;
	return mr_socket_address(name, &address, error);
}

/* *line_r lives in the arena, so the buffer may move on. */
static enum mr_peer_outcome read_line(struct mr_peer *peer,
	struct mr_arena *arena, int64_t deadline_ms, const char **line_r,
	struct mr_error *error)
{
	enum mr_peer_outcome outcome;
	size_t seen = 0, length;
	char *lf = NULL;

	for (;;) {
		if (peer->length > seen)
			lf = memchr(
				peer->buffer + seen, '\n', peer->length - seen);
		if (lf != NULL)
			break;
		seen = peer->length;
		outcome =
			mr_peer_receive(peer, LINE_LONGEST, deadline_ms, error);
		if (outcome != MR_PEER_ANSWERED)
			return outcome;
	}
	length = (size_t)(lf - peer->buffer);
	if (memchr(peer->buffer, '\0', length) != NULL)
		return mr_peer_give_up(error, "a NUL in the reply");
	*line_r = mr_arena_strndup(arena, peer->buffer, length);
	mr_peer_take(peer, length + 1);
	return MR_PEER_ANSWERED;
}

static enum mr_peer_outcome read_reply(struct mr_peer *peer,
	struct question *question, int64_t deadline_ms, struct mr_error *error)
{
	const char *line = NULL, *rest;
	enum mr_peer_outcome outcome;

	for (int lines = 0; lines < GREETING_LINES; lines++) {
		outcome = read_line(
			peer, question->arena, deadline_ms, &line, error);
		if (outcome != MR_PEER_ANSWERED)
			return outcome;
		switch (mr_userdb_parse(line, peer->asked, &rest)) {
		case MR_USERDB_GREETING:
			continue;
		case MR_USERDB_GARBAGE:
			return mr_peer_give_up(error, rest);
		case MR_USERDB_USER:
			question->answer = MR_FOUND;
			question->value = rest;
			return MR_PEER_ANSWERED;
		case MR_USERDB_NOTFOUND:
			question->answer = MR_NOTFOUND;
			return MR_PEER_ANSWERED;
		case MR_USERDB_FAIL:
			question->answer = MR_TEMPFAIL;
			mr_error_set(error, "Dovecot says FAIL %s",
				mr_text_printable(
					question->arena, rest, SHOWN_REASON));
			return MR_PEER_ANSWERED;
		}
	}
	return mr_peer_give_up(error, "an endless greeting");
}

static enum mr_peer_outcome ask(struct mr_peer *peer, void *argument,
	int64_t deadline_ms, struct mr_error *error)
{
	struct question *question = argument;
	const char *request = mr_arena_printf(question->arena,
		"%sUSER\t%u\t%s\tservice=lmtp\n",
		peer->asked == 1 ? "VERSION\t1\t1\n" : "", peer->asked,
		question->key);
	enum mr_peer_outcome outcome = mr_peer_send(
		peer, request, strlen(request), deadline_ms, error);

	if (outcome != MR_PEER_ANSWERED)
		return outcome;
	return read_reply(peer, question, deadline_ms, error);
}

static enum mr_lookup userdb_get(void *state, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	struct question question = { .arena = arena, .key = key };

	(void)now_ms;
	if (!mr_userdb_can_ask(key))
		return MR_NOTFOUND;
	if (mr_peers_ask(state, ask, &question, deadline_ms, error) < 0)
		return MR_TEMPFAIL;
	*value_r = question.value;
	return question.answer;
}

struct listing {
	const struct mr_map_listener *listener;
	bool enough; /* for the listener; then the rest is not read */
};

/* One line of a list; *more_r: are there others? */
static enum mr_peer_outcome read_listed(struct mr_peer *peer,
	struct listing *listing, struct mr_arena *arena, int64_t deadline_ms,
	bool *more_r, struct mr_error *error)
{
	const struct mr_map_listener *listener = listing->listener;
	const char *line, *rest;
	enum mr_peer_outcome outcome =
		read_line(peer, arena, deadline_ms, &line, error);

	if (outcome != MR_PEER_ANSWERED)
		return outcome;
	*more_r = true;
	switch (mr_userdb_parse_listed(line, peer->asked, &rest)) {
	case MR_USERDB_LIST_GREETING:
		break;
	case MR_USERDB_LIST_NAME:
		if (listener->see(listener->context, rest))
			break;
		listing->enough = true;
		return mr_peer_give_up(error, "nobody wants the rest");
	case MR_USERDB_LIST_DONE:
		*more_r = false;
		break;
	case MR_USERDB_LIST_FAILED:
		return mr_peer_give_up(error,
			"Dovecot cannot list its users: has it a userdb that "
			"iterates, and may we list?");
	case MR_USERDB_LIST_GARBAGE:
		return mr_peer_give_up(error, rest);
	}
	return MR_PEER_ANSWERED;
}

/* Dovecot 2.4 lists nobody without a mask. */
static enum mr_peer_outcome ask_list(struct mr_peer *peer, void *argument,
	int64_t deadline_ms, struct mr_error *error)
{
	char request[80];
	enum mr_peer_outcome outcome;
	bool more = true;

	snprintf(request, sizeof(request), "%sLIST\t%u\tservice=lmtp\tuser=*\n",
		peer->asked == 1 ? "VERSION\t1\t1\n" : "", peer->asked);
	outcome = mr_peer_send(
		peer, request, strlen(request), deadline_ms, error);
	while (outcome == MR_PEER_ANSWERED && more) {
		struct mr_arena *arena = mr_arena_new(0);

		outcome = read_listed(
			peer, argument, arena, deadline_ms, &more, error);
		mr_arena_free(&arena);
	}
	return outcome;
}

static int userdb_list(void *state, int64_t now_ms, int64_t deadline_ms,
	const struct mr_map_listener *listener, struct mr_error *error)
{
	struct listing listing = { .listener = listener };

	(void)now_ms;
	if (mr_peers_ask(state, ask_list, &listing, deadline_ms, error) < 0)
		return listing.enough ? 0 : -1;
	return 0;
}

static void userdb_close(void *state)
{
	mr_peers_close(state);
	free(state);
}

static int userdb_open(const char *name, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	struct mr_peers *peers = mr_calloc(1, sizeof(*peers));

	(void)now_ms;
	peers->address_length = sizeof(struct sockaddr_un);
	if (mr_socket_address(
		    name, (struct sockaddr_un *)&peers->address, error) < 0 ||
		mr_peers_open(peers, mr_clock_ms(), error) < 0) {
		free(peers);
		return -1;
	}
	*state_r = peers;
	return 0;
}

const struct mr_map_type mr_map_userdb = {
	.name = "userdb",
	.check = userdb_check,
	.open = userdb_open,
	.close = userdb_close,
	.get = userdb_get,
	.list = userdb_list,
};
