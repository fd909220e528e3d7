/* account - see account.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/account.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/map/map.h"
#include "common/policy/facts.h"

#include <string.h>

static void ask(struct mr_txn *txn, struct mr_account *account)
{
	const struct mr_recipient_maps *maps = &txn->policy->maps;
	struct mr_error error;
	const char *value;

	for (size_t i = 0; i < maps->n_mailboxes; i++) {
		enum mr_lookup found;

		if (!mr_map_names_users(maps->mailboxes[i]))
			continue;
		found = mr_map_get(maps->mailboxes[i], txn->arena,
			account->name, mr_fact_deadline(txn), &value, &error);
		if (found == MR_NOTFOUND)
			continue;
		if (found == MR_TEMPFAIL)
			account->why = mr_arena_strdup(txn->arena, error.text);
		else if (memchr(value, '@', strcspn(value, "\t")) != NULL)
			account->name = mr_arena_strndup(
				txn->arena, value, strcspn(value, "\t"));
		break;
	}
}

const struct mr_account *mr_fact_account(struct mr_txn *txn)
{
	int64_t since = mr_clock_ms();

	if (txn->account != NULL)
		return txn->account;
	txn->account = MR_NEW(txn->arena, struct mr_account);
	txn->account->name = txn->session->login;
	if (txn->account->name != NULL)
		ask(txn, txn->account);
	mr_fact_waited(txn, since);
	return txn->account;
}
