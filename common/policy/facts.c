/* facts - see facts.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/facts.h"
#include "common/base/arena.h"
#include "common/base/clock.h"

static int64_t deadline_of(const struct mr_txn *txn, int64_t since)
{
	return since + txn->policy->global->wait * 1000 - txn->waited_ms;
}

void mr_fact_who(struct mr_txn *txn, const char *address, struct mr_who *who)
{
	const struct mr_scope *listener = mr_policy_listener(
		txn->policy, txn->session->port, txn->session->daemon_name);
	int64_t since = mr_clock_ms();

	mr_policy_who(txn->policy, address, listener, deadline_of(txn, since),
		txn->arena, who);
	txn->waited_ms += mr_clock_ms() - since;
}

enum mr_lookup mr_fact_recipient(const struct mr_question *question)
{
	struct mr_recipient *r = question->recipient;
	struct mr_txn *txn = question->txn;
	int64_t since = mr_clock_ms();
	struct mr_error error;

	if (r->resolved)
		return r->resolution;
	r->resolution = mr_recipient_find(&txn->policy->maps, r->address.text,
		deadline_of(txn, since), txn->arena, &r->found, &error);
	r->resolved = true;
	txn->waited_ms += mr_clock_ms() - since;
	if (r->resolution == MR_TEMPFAIL)
		r->unresolved = mr_arena_strdup(txn->arena, error.text);
	return r->resolution;
}

static bool is_ours(const struct mr_question *question)
{
	return mr_fact_recipient(question) == MR_FOUND &&
	       question->recipient->found.kind != MR_RECIPIENT_FOREIGN;
}

static void find_limit(
	const struct mr_question *question, struct mr_recipient *r)
{
	struct mr_txn *txn = question->txn;
	struct mr_question about = *question;
	struct mr_place own_at;
	uint64_t own;

	about.recipient = r;
	r->limited = true;
	r->limit = mr_policy_message_size(
		txn->policy, &r->who, txn->arena, &r->limit_at);
	if (txn->session->login == NULL)
		return;
	own = mr_policy_message_size(
		txn->policy, &txn->login_who, txn->arena, &own_at);
	if (own <= r->limit || !is_ours(&about)) {
		r->limit = own;
		r->limit_at = own_at;
		r->limit_is_senders = true;
	}
}

uint64_t mr_fact_limit(const struct mr_question *question,
	struct mr_recipient *recipient, struct mr_place *at)
{
	if (!recipient->limited)
		find_limit(question, recipient);
	*at = recipient->limit_at;
	return recipient->limit;
}
