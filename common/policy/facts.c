/* facts - see facts.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/facts.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/policy/lists.h"

#include <string.h>
#include <strings.h>

/* RFC 7208 section 4.6.4 has it for the names of a client. */
enum { CLIENT_NAMES_MOST = 10 };

struct known {
	const char *name;
	enum mr_dns_type type;
	enum mr_lookup found;
	struct mr_dns_answer answer;
	const char *why;
	struct known *next;
};

struct mr_facts {
	struct known *known;
	struct mr_spf_answer *spf[MR_SPF_ENGINES][MR_IDENTITIES];
	enum mr_spf_engine spf_engine; /* that was asked last */
	const struct mr_dnsbl_found *lists;
};

static int64_t deadline_of(const struct mr_txn *txn, int64_t since)
{
	return since + txn->policy->global->wait * 1000 - txn->waited_ms;
}

int64_t mr_fact_deadline(const struct mr_txn *txn)
{
	return deadline_of(txn, mr_clock_ms());
}

int64_t mr_fact_waited(struct mr_txn *txn, int64_t since_ms)
{
	int64_t waited = mr_clock_ms() - since_ms;

	txn->waited_ms += waited;
	return waited;
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
	struct mr_error error;
	int64_t since;

	if (r->resolved)
		return r->resolution;
	since = mr_clock_ms();
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

/* --- the DNS */

static struct mr_facts *facts_of(struct mr_txn *txn)
{
	if (txn->facts == NULL)
		txn->facts = MR_NEW(txn->arena, struct mr_facts);
	return txn->facts;
}

static const struct known *ask(
	struct mr_txn *txn, const char *name, enum mr_dns_type type)
{
	struct known *known = MR_NEW(txn->arena, struct known);
	struct mr_facts *facts = facts_of(txn);
	int64_t since = mr_clock_ms();
	struct mr_error error;

	known->name = mr_arena_strdup(txn->arena, name);
	known->type = type;
	known->found = mr_dns_ask(txn->policy->dns, name, type,
		deadline_of(txn, since), txn->arena, &known->answer, &error);
	txn->waited_ms += mr_clock_ms() - since;
	if (known->found == MR_TEMPFAIL)
		known->why = mr_arena_strdup(txn->arena, error.text);
	known->next = facts->known;
	facts->known = known;
	return known;
}

enum mr_lookup mr_fact_dns(struct mr_txn *txn, const char *name,
	enum mr_dns_type type, struct mr_dns_answer *answer, const char **why_r)
{
	const struct known *known = facts_of(txn)->known;

	while (known != NULL &&
		(known->type != type || strcasecmp(known->name, name) != 0))
		known = known->next;
	if (known == NULL)
		known = ask(txn, name, type);
	*answer = known->answer;
	if (known->found == MR_TEMPFAIL)
		*why_r = known->why;
	return known->found;
}

enum mr_lookup mr_fact_has_address(
	struct mr_txn *txn, const char *name, const char **why_r)
{
	struct mr_dns_answer answer;
	enum mr_lookup v4 = mr_fact_dns(txn, name, MR_DNS_A, &answer, why_r);
	enum mr_lookup v6;

	if (v4 == MR_FOUND || (v4 == MR_NOTFOUND && !answer.exists))
		return v4;
	v6 = mr_fact_dns(txn, name, MR_DNS_AAAA, &answer, why_r);
	return v6 == MR_NOTFOUND ? v4 : v6;
}

static enum mr_lookup client_ptr(
	struct mr_txn *txn, struct mr_dns_answer *answer, const char **why_r)
{
	const struct mr_ip *ip = &txn->session->client;

	memset(answer, 0, sizeof(*answer));
	if (ip->family != AF_INET && ip->family != AF_INET6)
		return MR_NOTFOUND;
	return mr_fact_dns(txn, mr_dns_reverse_name(txn->arena, ip, NULL),
		MR_DNS_PTR, answer, why_r);
}

enum mr_lookup mr_fact_client_name(
	struct mr_txn *txn, const char **name_r, const char **why_r)
{
	const struct mr_session *s = txn->session;
	struct mr_dns_answer answer;
	enum mr_lookup found;

	*name_r = s->client_name != NULL ? s->client_name : s->client_ptr;
	if (*name_r != NULL)
		return MR_FOUND;
	found = client_ptr(txn, &answer, why_r);
	for (size_t i = 0; i < answer.n && *name_r == NULL; i++)
		*name_r = answer.records[i].target;
	return found == MR_FOUND && *name_r == NULL ? MR_NOTFOUND : found;
}

/* Of the names in `claimed` one that has the client's address. */
static enum mr_lookup confirm(struct mr_txn *txn,
	const struct mr_dns_answer *claimed, const char **name_r,
	const char **why_r)
{
	const struct mr_ip *ip = &txn->session->client;
	enum mr_dns_type type = ip->family == AF_INET ? MR_DNS_A : MR_DNS_AAAA;
	enum mr_lookup result = MR_NOTFOUND;
	size_t n =
		claimed->n < CLIENT_NAMES_MOST ? claimed->n : CLIENT_NAMES_MOST;

	for (size_t i = 0; i < n; i++)
		if (claimed->records[i].target != NULL)
			mr_dns_prefetch(txn->policy->dns,
				claimed->records[i].target, type);
	for (size_t i = 0; i < n; i++) {
		const char *name = claimed->records[i].target;
		struct mr_dns_answer answer;
		enum mr_lookup found = MR_NOTFOUND;

		if (name != NULL)
			found = mr_fact_dns(txn, name, type, &answer, why_r);
		if (name != NULL && *name_r == NULL)
			*name_r = name;
		if (found == MR_TEMPFAIL)
			result = MR_TEMPFAIL;
		if (found != MR_FOUND || !mr_dns_answer_has(&answer, ip))
			continue;
		*name_r = name;
		return MR_FOUND;
	}
	return result;
}

enum mr_lookup mr_fact_client_confirmed(
	struct mr_txn *txn, const char **name_r, const char **why_r)
{
	struct mr_dns_answer claimed;
	enum mr_lookup found;

	*name_r = txn->session->client_name;
	if (*name_r != NULL)
		return MR_FOUND;
	found = client_ptr(txn, &claimed, why_r);
	return found == MR_FOUND ? confirm(txn, &claimed, name_r, why_r)
	                         : found;
}

/* --- SPF */

static const struct mr_spf_answer *spf_of(struct mr_txn *txn,
	enum mr_spf_engine engine, enum mr_identity identity)
{
	struct mr_spf_answer **known = &facts_of(txn)->spf[engine][identity];
	const struct mr_session *s = txn->session;
	const struct mr_policy *policy = txn->policy;
	int64_t since = mr_clock_ms();
	struct mr_spf_query query = {
		.ip = &s->client,
		.helo = s->helo == NULL ? "" : s->helo,
		.sender = identity == MR_IDENTITY_HELO ? "" : txn->sender.text,
		.receiver = policy->global->hostname,
		.deadline_ms = deadline_of(txn, since),
		.now = txn->now,
	};

	if (*known != NULL)
		return *known;
	*known = MR_NEW(txn->arena, struct mr_spf_answer);
	if (engine == MR_SPF_LIBSPF2)
		mr_spf_box_check(policy->spf_box, policy->dns, &query,
			txn->arena, *known);
	else
		mr_spf_check(policy->dns, &query, txn->arena, *known);
	txn->waited_ms += mr_clock_ms() - since;
	return *known;
}

const struct mr_spf_answer *mr_fact_spf_decision(struct mr_txn *txn,
	enum mr_spf_engine engine, enum mr_identity *identity_r)
{
	const struct mr_spf_answer *helo =
		spf_of(txn, engine, MR_IDENTITY_HELO);

	facts_of(txn)->spf_engine = engine;
	*identity_r = MR_IDENTITY_HELO;
	if (helo->result == MR_SPF_FAIL || *txn->sender.text == '\0')
		return helo;
	*identity_r = MR_IDENTITY_MAIL_FROM;
	return spf_of(txn, engine, MR_IDENTITY_MAIL_FROM);
}

const struct mr_spf_answer *mr_fact_spf_result(
	struct mr_txn *txn, enum mr_identity *identity_r)
{
	return mr_fact_spf_decision(txn, facts_of(txn)->spf_engine, identity_r);
}

/* --- lists */

const struct mr_dnsbl_found *mr_fact_lists(struct mr_txn *txn)
{
	struct mr_facts *facts = facts_of(txn);
	struct mr_dnsbl_items items;
	int64_t since;

	if (facts->lists != NULL)
		return facts->lists;
	since = mr_clock_ms();
	items = mr_policy_items(txn->session, txn->sender.domain);
	facts->lists = mr_dnsbl_ask(txn->policy->lists, txn->policy->dns,
		&items, deadline_of(txn, since), txn->arena);
	txn->waited_ms += mr_clock_ms() - since;
	return facts->lists;
}
