/* current - see current.h. */
/* SPDX-License-Identifier: ISC */
#include "common/map/current.h"
#include "common/base/log.h"
#include "common/map/type.h"

#include <stdlib.h>

void mr_current_init(struct mr_current *current,
	const struct mr_current_kind *kind, char *path,
	struct mr_opened *opened, int64_t now_ms)
{
	*current = (struct mr_current){
		.kind = kind,
		.path = path,
		.opened = opened,
		.next_look_ms = now_ms + MR_MAP_LOOK_EVERY_MS,
	};
	opened->holders = 1;
	pthread_mutex_init(&current->lock, NULL);
	pthread_mutex_init(&current->looking, NULL);
}

static void free_opened(
	const struct mr_current_kind *kind, struct mr_opened *opened)
{
	while (opened->idle != NULL) {
		struct mr_idle *idle = opened->idle;

		opened->idle = idle->next;
		kind->free_idle(idle);
	}
	kind->free(opened);
}

void mr_current_end(struct mr_current *current)
{
	free_opened(current->kind, current->opened);
	pthread_mutex_destroy(&current->lock);
	pthread_mutex_destroy(&current->looking);
	free(current->path);
}

void mr_current_look(struct mr_current *current, int64_t now_ms)
{
	bool due;

	pthread_mutex_lock(&current->lock);
	due = now_ms >= current->next_look_ms;
	if (due)
		current->next_look_ms = now_ms + MR_MAP_LOOK_EVERY_MS;
	pthread_mutex_unlock(&current->lock);
	if (!due || pthread_mutex_trylock(&current->looking) != 0)
		return;
	current->kind->look(current);
	pthread_mutex_unlock(&current->looking);
}

/* Only who has `looking` changes `gone`, so he may read it without the lock. */
static void tell(const struct mr_current *current, const char *why)
{
	if (why != NULL && !current->gone)
		mr_log(MR_LOG_WARNING, "map=%s:%s: %s; %s", current->kind->type,
			current->path, why, current->kind->advice);
	else if (why == NULL && current->gone)
		mr_log(MR_LOG_INFO, "map=%s:%s: is back", current->kind->type,
			current->path);
}

void mr_current_put(struct mr_current *current, struct mr_opened *opened)
{
	struct mr_opened *old;

	tell(current, NULL);
	opened->holders = 1;
	pthread_mutex_lock(&current->lock);
	old = current->opened;
	current->opened = opened;
	current->gone = false;
	pthread_mutex_unlock(&current->lock);
	mr_current_release(current, old, NULL);
}

void mr_current_gone(struct mr_current *current, const char *why)
{
	tell(current, why);
	pthread_mutex_lock(&current->lock);
	current->gone = why != NULL;
	pthread_mutex_unlock(&current->lock);
}

struct mr_opened *mr_current_hold(
	struct mr_current *current, struct mr_idle **idle_r, bool *gone_r)
{
	struct mr_opened *opened;

	pthread_mutex_lock(&current->lock);
	opened = current->opened;
	opened->holders++;
	*gone_r = current->gone;
	*idle_r = opened->idle;
	if (*idle_r != NULL) {
		opened->idle = (*idle_r)->next;
		opened->n_idle--;
	}
	pthread_mutex_unlock(&current->lock);
	return opened;
}

void mr_current_release(struct mr_current *current, struct mr_opened *opened,
	struct mr_idle *idle)
{
	bool last;

	pthread_mutex_lock(&current->lock);
	if (idle != NULL && opened->n_idle >= current->kind->most_idle) {
		/* before what it is of may go */
		pthread_mutex_unlock(&current->lock);
		current->kind->free_idle(idle);
		idle = NULL;
		pthread_mutex_lock(&current->lock);
	}
	if (idle != NULL) {
		idle->next = opened->idle;
		opened->idle = idle;
		opened->n_idle++;
	}
	last = --opened->holders == 0;
	pthread_mutex_unlock(&current->lock);
	if (last)
		free_opened(current->kind, opened);
}
