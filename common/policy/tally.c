/* tally - see tally.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/tally.h"
#include "common/base/arena.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct mr_counted {
	char *name;
	atomic_uint_fast64_t count;
	atomic_int_fast64_t last;
	struct mr_counted *next;
};

struct mr_tally {
	pthread_mutex_t lock; /* of the list, which is short */
	struct mr_counted *first;
};

struct mr_tally *mr_tally_new(void)
{
	struct mr_tally *tally = mr_calloc(1, sizeof(*tally));

	pthread_mutex_init(&tally->lock, NULL);
	return tally;
}

void mr_tally_free(struct mr_tally **tally)
{
	struct mr_tally *t = *tally;
	struct mr_counted *next;

	if (t == NULL)
		return;
	for (struct mr_counted *c = t->first; c != NULL; c = next) {
		next = c->next;
		free(c->name);
		free(c);
	}
	pthread_mutex_destroy(&t->lock);
	free(t);
	*tally = NULL;
}

struct mr_counted *mr_tally_find(struct mr_tally *tally, const char *name)
{
	struct mr_counted **c = &tally->first;

	pthread_mutex_lock(&tally->lock);
	while (*c != NULL && strcmp((*c)->name, name) != 0)
		c = &(*c)->next;
	if (*c == NULL) {
		*c = mr_calloc(1, sizeof(**c));
		(*c)->name = mr_calloc(1, strlen(name) + 1);
		strcpy((*c)->name, name);
	}
	pthread_mutex_unlock(&tally->lock);
	return *c;
}

void mr_tally_count(struct mr_counted *counted, time_t now)
{
	atomic_fetch_add_explicit(&counted->count, 1, memory_order_relaxed);
	atomic_store_explicit(&counted->last, now, memory_order_relaxed);
}

uint64_t mr_tally_read(struct mr_counted *counted, time_t *last_r)
{
	*last_r = atomic_load(&counted->last);
	return atomic_load(&counted->count);
}

void mr_tally_each(struct mr_tally *tally,
	void (*seen)(void *context, const char *name, uint64_t count),
	void *context)
{
	pthread_mutex_lock(&tally->lock);
	for (struct mr_counted *c = tally->first; c != NULL; c = c->next)
		seen(context, c->name, atomic_load(&c->count));
	pthread_mutex_unlock(&tally->lock);
}
