/* split - see split.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/split.h"
#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/policy/engine.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	uint64_t hash;
	time_t until;
	bool lied; /* its SIZE= fitted all, the mail did not */
};

struct mr_split {
	pthread_mutex_t lock;
	struct slot slots[MR_SPLIT_SENDERS];
};

struct mr_split *mr_split_new(void)
{
	struct mr_split *split = mr_calloc(1, sizeof(*split));

	pthread_mutex_init(&split->lock, NULL);
	return split;
}

void mr_split_free(struct mr_split **split)
{
	if (*split == NULL)
		return;
	pthread_mutex_destroy(&(*split)->lock);
	free(*split);
	*split = NULL;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	return text == NULL ? hash : mr_hash(hash, text, strlen(text) + 1);
}

/* By sender, login and the client's network (a retry may come from another
 * host of the same pool), so that a stranger cannot hold up anybody's mail. */
static uint64_t hash_of(const struct mr_txn *txn)
{
	const struct mr_ip *client = &txn->session->client;
	uint64_t hash = MR_HASH_START;

	hash = hash_text(hash, txn->sender.text);
	hash = hash_text(hash, txn->session->login);
	return mr_hash(
		hash, client->octets, client->family == AF_INET6 ? 8 : 3);
}

static struct slot *find(struct mr_split *split, uint64_t hash)
{
	return &split->slots[hash % MR_SPLIT_SENDERS];
}

void mr_split_remember(struct mr_split *split, const struct mr_txn *txn)
{
	uint64_t hash = hash_of(txn);
	struct slot *slot = find(split, hash);

	pthread_mutex_lock(&split->lock);
	slot->hash = hash;
	slot->until = txn->now + MR_SPLIT_SECONDS;
	slot->lied = txn->declared > 0;
	pthread_mutex_unlock(&split->lock);
}

bool mr_split_wanted(struct mr_split *split, const struct mr_txn *txn)
{
	uint64_t hash = hash_of(txn);
	const struct slot *slot = find(split, hash);
	bool wanted;

	pthread_mutex_lock(&split->lock);
	wanted = slot->hash == hash && txn->now < slot->until &&
	         (slot->lied || txn->declared == 0);
	pthread_mutex_unlock(&split->lock);
	return wanted;
}

void mr_split_forget(struct mr_split *split, const struct mr_txn *txn)
{
	uint64_t hash = hash_of(txn);
	struct slot *slot = find(split, hash);

	pthread_mutex_lock(&split->lock);
	if (slot->hash == hash)
		slot->until = 0;
	pthread_mutex_unlock(&split->lock);
}
