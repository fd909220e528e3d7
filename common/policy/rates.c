/* rates - see rates.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/rates.h"
#include "common/base/arena.h"
#include "common/policy/account.h"
#include "common/policy/facts.h"

#include <string.h>
#include <sys/socket.h>

struct mr_rate_key mr_rate_key(const struct mr_rate_found *found)
{
	return (struct mr_rate_key){
		.kind = found->kind,
		.measure = found->measure,
		.seconds = found->limit.seconds,
		.name = found->name,
	};
}

/* --- whose, and by what rules */

/* A name to count by, NULL if that kind has none here; fills `who`. */
typedef const char *find_name(struct mr_txn *txn,
	const struct mr_recipient *recipient, struct mr_who *who);

static const char *find_login(struct mr_txn *txn,
	const struct mr_recipient *recipient, struct mr_who *who)
{
	const struct mr_account *account;

	(void)recipient;
	if (txn->session->login == NULL)
		return NULL;
	account = mr_fact_account(txn);
	if (strcmp(account->name, txn->session->login) == 0)
		*who = txn->login_who;
	else
		mr_fact_who(txn, account->name, who);
	return account->name;
}

static const char *network_of(const struct mr_txn *txn)
{
	struct mr_network network = { .ip = txn->session->client };
	size_t octets = network.ip.family == AF_INET6 ? 8 : 3;

	memset(network.ip.octets + octets, 0,
		sizeof(network.ip.octets) - octets);
	network.bits = (unsigned)octets * 8;
	return mr_network_format(txn->arena, &network);
}

static const char *find_client(struct mr_txn *txn,
	const struct mr_recipient *recipient, struct mr_who *who)
{
	(void)recipient;
	if (txn->session->login != NULL || txn->trusted ||
		txn->session->client.family == 0)
		return NULL;
	who->chain.scope[MR_LISTENER] = txn->login_who.chain.scope[MR_LISTENER];
	if (txn->client_network == NULL)
		txn->client_network = network_of(txn);
	return txn->client_network;
}

static const char *find_sender_domain(struct mr_txn *txn,
	const struct mr_recipient *recipient, struct mr_who *who)
{
	const char *domain = txn->sender.domain;

	(void)recipient;
	if (domain == NULL || *domain == '\0')
		return NULL;
	who->chain.scope[MR_LISTENER] = txn->login_who.chain.scope[MR_LISTENER];
	who->chain.scope[MR_DOMAIN] =
		mr_config_scope(txn->policy->config, MR_DOMAIN, domain);
	return domain;
}

static const char *find_recipient(struct mr_txn *txn,
	const struct mr_recipient *recipient, struct mr_who *who)
{
	(void)txn;
	if (recipient == NULL || recipient->address.plain == NULL)
		return NULL;
	*who = recipient->who;
	return recipient->address.plain;
}

static find_name *const names[MR_RATE_KINDS] = {
	[MR_RATE_LOGIN] = find_login,
	[MR_RATE_CLIENT] = find_client,
	[MR_RATE_SENDER_DOMAIN] = find_sender_domain,
	[MR_RATE_RECIPIENT] = find_recipient,
};

/* What the chain says, then what each group says that one may be in; the last
 * is NULL. */
static const struct mr_settings **settings_of(const struct mr_txn *txn,
	enum mr_rate_kind kind, const struct mr_who *who)
{
	struct mr_chain chain = who->chain;
	const struct mr_settings **list;
	size_t n = 0;

	while (who->perhaps != NULL && who->perhaps[n] != NULL)
		n++;
	list = MR_NEW_ARRAY(txn->arena, const struct mr_settings *, n + 2);
	for (size_t i = 0; i <= n; i++) {
		if (i > 0)
			chain.scope[MR_GROUP] = who->perhaps[i - 1];
		list[i] = mr_config_get(txn->policy->config, &chain,
			&mr_section_rate, mr_rate_kind_words[kind], txn->arena);
	}
	return list;
}

/* No limit is more than any; with another window the greater number per time
 * is. */
static bool is_more(const struct mr_rate *a, const struct mr_rate *b)
{
	if (b->seconds == 0 || a->seconds == 0)
		return a->seconds == 0 && b->seconds != 0;
	return (double)a->count / (double)a->seconds >
	       (double)b->count / (double)b->seconds;
}

static void take_limit(struct mr_rate_found *found,
	const struct mr_settings *settings, bool first)
{
	const struct mr_rate_settings *values = settings->values;
	const struct mr_rate *limit = &values->limit[found->measure];

	if (!first &&
		(found->action == MR_OFF || (!is_more(limit, &found->limit) &&
						    values->action != MR_OFF)))
		return;
	found->limit = *limit;
	found->action = values->action;
	if (limit->seconds > 0)
		found->at = mr_settings_place(settings,
			offsetof(struct mr_rate_settings, limit) +
				found->measure * sizeof(struct mr_rate));
}

/* The most generous where groups cannot be told. */
static struct mr_rate_found find_limit(enum mr_rate_kind kind,
	enum mr_rate_measure measure, const struct mr_settings *const *settings)
{
	struct mr_rate_found found = { .kind = kind, .measure = measure };

	for (size_t i = 0; settings[i] != NULL; i++)
		take_limit(&found, settings[i], i == 0);
	return found;
}

static bool see_kind(struct mr_txn *txn, enum mr_rate_kind kind,
	const struct mr_recipient *recipient,
	bool (*seen)(void *context, const struct mr_rate_found *found),
	void *context)
{
	struct mr_who who = { 0 };
	const char *name = names[kind](txn, recipient, &who);
	const struct mr_settings **settings;

	if (name == NULL)
		return true;
	settings = settings_of(txn, kind, &who);
	for (int m = 0; m < MR_RATE_MEASURES; m++) {
		struct mr_rate_found found =
			find_limit(kind, (enum mr_rate_measure)m, settings);

		found.name = name;
		if (found.limit.seconds > 0 && !seen(context, &found))
			return false;
	}
	return true;
}

void mr_rates_each(struct mr_txn *txn, const struct mr_recipient *recipient,
	bool (*seen)(void *context, const struct mr_rate_found *found),
	void *context)
{
	if (!txn->policy->rates)
		return;
	for (int kind = 0; kind < MR_RATE_KINDS; kind++)
		if (!see_kind(txn, (enum mr_rate_kind)kind, recipient, seen,
			    context))
			return;
}

/* --- counting */

uint64_t mr_rates_taken(const struct mr_txn *txn)
{
	uint64_t n = 0;

	for (const struct mr_recipient *r = txn->recipients; r != NULL;
		r = r->next)
		n += r->accepted;
	return txn->n_taken > 0 && txn->n_taken < n ? txn->n_taken : n;
}

struct counting {
	struct mr_txn *txn;
	uint64_t recipients;
};

static bool count(void *context, const struct mr_rate_found *found)
{
	const struct counting *counting = context;
	const struct mr_rates *rates = counting->txn->rates;
	const uint64_t amounts[MR_RATE_MEASURES] = {
		[MR_RATE_MESSAGES] = 1,
		[MR_RATE_RECIPIENTS] = counting->recipients,
		[MR_RATE_BYTES] = counting->txn->size,
	};
	const struct mr_rate_key key = mr_rate_key(found);

	rates->add(rates->context, &key, amounts[found->measure],
		found->limit.count);
	return true;
}

void mr_rates_count(struct mr_txn *txn)
{
	struct counting counting = { txn, mr_rates_taken(txn) };

	if (txn->rates == NULL || !txn->policy->rates)
		return;
	mr_rates_each(txn, NULL, count, &counting);
	counting.recipients = 1;
	for (const struct mr_recipient *r = txn->recipients; r != NULL;
		r = r->next)
		if (r->accepted)
			see_kind(txn, MR_RATE_RECIPIENT, r, count, &counting);
}
