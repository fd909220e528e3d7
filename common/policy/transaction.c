/* transaction - see transaction.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/transaction.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/policy/engine.h"
#include "common/policy/judge.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

/* Printable copies for replies and logs; longer ones are cut there anyway. */
enum { FIRST_BLOCK = 4096, ID_LENGTH = 8 };

static void tell(char **told, const char *text)
{
	free(*told);
	*told = NULL;
	if (text == NULL)
		return;
	*told = mr_calloc(1, strnlen(text, MR_TOLD_LONGEST) + 1);
	memcpy(*told, text, strnlen(text, MR_TOLD_LONGEST));
}

struct mr_session *mr_session_new(void)
{
	struct mr_session *session = mr_calloc(1, sizeof(*session));

	/* Ids need not be secret, only different; so a seed of zeroes, should
	 * the kernel have none, is no reason to refuse mail. */
	if (getrandom(&session->seed, sizeof(session->seed), GRND_NONBLOCK) < 0)
		session->seed = (uint64_t)(uintptr_t)session;
	return session;
}

void mr_session_free(struct mr_session **session)
{
	struct mr_session *s = *session;

	if (s == NULL)
		return;
	free(s->client_name);
	free(s->client_ptr);
	free(s->helo);
	free(s->login);
	free(s->daemon_name);
	free(s);
	*session = NULL;
}

/* Postfix calls a client without a name "unknown" in macros, and at connect, as
 * Sendmail does, by its address in brackets. */
static const char *known(const char *name)
{
	if (name == NULL || *name == '[' || strcasecmp(name, "unknown") == 0)
		return NULL;
	return name;
}

void mr_session_client(
	struct mr_session *session, const struct mr_ip *ip, const char *name)
{
	static const struct mr_ip nowhere;

	session->client = ip == NULL ? nowhere : *ip;
	tell(&session->client_name, known(name));
	tell(&session->client_ptr, NULL);
	tell(&session->helo, NULL);
	tell(&session->login, NULL);
	mr_session_tls(session, NULL);
}

void mr_session_client_ptr(struct mr_session *session, const char *name)
{
	tell(&session->client_ptr, known(name));
}

void mr_session_listener(
	struct mr_session *session, unsigned port, const char *daemon_name)
{
	session->port = port;
	tell(&session->daemon_name, daemon_name);
}

void mr_session_server(struct mr_session *session, const char *address)
{
	static const struct mr_ip nowhere;
	struct mr_error ignored;

	if (address == NULL ||
		mr_ip_parse(address, &session->server, &ignored) < 0)
		session->server = nowhere;
}

void mr_session_helo(struct mr_session *session, const char *name)
{
	tell(&session->helo, name);
}

void mr_session_tls(struct mr_session *session, const char *version)
{
	if (version == NULL || *version == '\0')
		session->tls = MR_TLS_NONE;
	else if (mr_tls_parse(version, &session->tls) < 0)
		session->tls = MR_TLS_ANY;
}

void mr_session_login(struct mr_session *session, const char *name)
{
	tell(&session->login, name != NULL && *name != '\0' ? name : NULL);
	for (char *p = session->login; p != NULL && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
}

/* Eight digits of Crockford's base 32, which has no I, L, O and U: easy to
 * read out on the telephone. */
static const char *make_id(struct mr_arena *arena, uint64_t seed)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	char *id = mr_arena_alloc(arena, ID_LENGTH + 1);

	for (int i = ID_LENGTH - 1; i >= 0; i--, seed >>= 5)
		id[i] = digits[seed & 31];
	return id;
}

static bool read_address(struct mr_txn *txn, const char *text,
	struct mr_address *address, const char **given)
{
	const char *delimiters = "";
	struct mr_error ignored;
	size_t length = strnlen(text, MR_TOLD_LONGEST);
	char *bare;

	if (length >= 2 && text[0] == '<' && text[length - 1] == '>')
		bare = mr_arena_strndup(txn->arena, text + 1, length - 2);
	else
		bare = mr_arena_strndup(txn->arena, text, length);
	*given = mr_text_printable(txn->arena, bare, MR_GIVEN_LONGEST);
	if (txn->policy->maps.delimiters != NULL)
		delimiters = txn->policy->maps.delimiters;
	if (*bare != '\0' && mr_address_parse(txn->arena, bare, delimiters,
				     address, &ignored) == 0)
		return true;
	*address = (struct mr_address){
		.text = mr_text_lower(txn->arena, bare),
		.local = "",
		.domain = "",
	};
	address->plain = address->text;
	return *bare == '\0';
}

struct mr_txn *mr_txn_new(struct mr_engine *engine, struct mr_session *session,
	struct mr_policy *policy, const char *sender, uint64_t declared,
	time_t now)
{
	struct mr_arena *arena = mr_arena_new(FIRST_BLOCK);
	struct mr_txn *txn = MR_NEW(arena, struct mr_txn);

	txn->arena = arena;
	txn->session = session;
	txn->policy = mr_policy_hold(policy);
	txn->id = make_id(arena, session->seed + session->mails++);
	txn->now = now;
	txn->declared = declared;
	txn->trace_last = txn->trace_untold = &txn->trace;
	txn->stages = MR_EVERY_STAGE;
	txn->trusted = mr_policy_trusts(policy, &session->client);
	read_address(txn, sender, &txn->sender, &txn->sender_given);
	mr_engine_begin(engine, txn);
	return txn;
}

void mr_txn_free(struct mr_txn **txn)
{
	struct mr_arena *arena;

	if (*txn == NULL)
		return;
	mr_policy_release(&(*txn)->policy);
	arena = (*txn)->arena;
	*txn = NULL;
	mr_arena_free(&arena);
}

void mr_txn_queue_id(struct mr_txn *txn, const char *id)
{
	if (id != NULL && txn->queue_id == NULL)
		txn->queue_id = mr_text_printable(txn->arena, id, 64);
}

struct mr_recipient *mr_txn_rcpt(struct mr_txn *txn, const char *address)
{
	struct mr_recipient *recipient =
		MR_NEW(txn->arena, struct mr_recipient);

	read_address(txn, address, &recipient->address, &recipient->given);
	if (txn->newest == NULL)
		txn->recipients = recipient;
	else
		txn->newest->next = recipient;
	txn->newest = recipient;
	txn->n_recipients++;
	return recipient;
}

void mr_txn_content(struct mr_txn *txn, uint64_t octets)
{
	txn->size += octets;
}
