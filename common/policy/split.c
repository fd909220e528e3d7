/* split - see split.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/split.h"
#include "common/base/arena.h"
#include "common/policy/engine.h"

#include <pthread.h>
#include <stdlib.h>

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

static uint64_t fnv1a(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *octets = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ octets[i]) * 0x100000001b3;
	return hash;
}

/* By the sender, as a retry may come from another of its hosts; bounces have
 * no sender, there it is the host. */
static uint64_t hash_of(const struct mr_txn *txn)
{
	const struct mr_ip *client = &txn->session->client;
	uint64_t hash = 0xcbf29ce484222325;

	for (const char *p = txn->sender.text; *p != '\0'; p++)
		hash = fnv1a(hash, p, 1);
	if (*txn->sender.text == '\0')
		hash = fnv1a(hash, client->octets, sizeof(client->octets));
	return hash;
}

void mr_split_remember(struct mr_split *split, const struct mr_txn *txn)
{
	uint64_t hash = hash_of(txn);
	struct slot *slot = &split->slots[hash % MR_SPLIT_SENDERS];

	pthread_mutex_lock(&split->lock);
	slot->hash = hash;
	slot->until = txn->now + MR_SPLIT_SECONDS;
	slot->lied = txn->declared > 0;
	pthread_mutex_unlock(&split->lock);
}

bool mr_split_wanted(struct mr_split *split, const struct mr_txn *txn)
{
	uint64_t hash = hash_of(txn);
	const struct slot *slot = &split->slots[hash % MR_SPLIT_SENDERS];
	bool wanted;

	pthread_mutex_lock(&split->lock);
	wanted = slot->hash == hash && txn->now < slot->until &&
	         (slot->lied || txn->declared == 0);
	pthread_mutex_unlock(&split->lock);
	return wanted;
}
