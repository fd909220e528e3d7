/* store - see store.h.  The thread takes the pending rows away as a whole and
 * writes them without the lock; what could not be written is put back unless a
 * newer row has come meanwhile. */
/* SPDX-License-Identifier: ISC */
#include "policyd/store.h"
#include "common/base/arena.h"
#include "common/base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

struct pending {
	struct mr_state_store_row row;
	UT_hash_handle hh;
	size_t length;
	char key[]; /* kind, NUL, name, NUL */
};

struct mr_state_store {
	const struct mr_state_store_backend *backend;
	char *place;
	struct mr_state_store_owner owner;
	pthread_t thread;
	bool runs;
	/* The thread's. */
	void *handle;
	bool loaded;
	bool anew; /* nothing of what is in memory is in there */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake, read;
	bool ends;
	int64_t forget;
	struct pending *pending;
	size_t writing; /* rows that have left `pending` */
	struct mr_state_store_status status;
};

/* One line when it begins to fail, and one when it works again. */
static void note(struct mr_state_store *store, const struct mr_error *error)
{
	bool worked;

	pthread_mutex_lock(&store->lock);
	worked = store->status.works;
	store->status.works = error == NULL;
	if (error == NULL)
		store->status.error[0] = '\0';
	else
		memcpy(store->status.error, error->text, MR_ERROR_TEXT);
	pthread_mutex_unlock(&store->lock);
	if (worked && error != NULL)
		mr_log(MR_LOG_WARNING,
			"state: %s: %s: going on from memory, what is counted "
			"now would be lost at a restart",
			store->place, error->text);
	else if (!worked && error == NULL)
		mr_log(MR_LOG_INFO, "state: %s: works again", store->place);
}

static void let_go(struct mr_state_store *store)
{
	if (store->handle != NULL)
		store->backend->close(store->handle);
	store->handle = NULL;
}

static bool set_aside(struct mr_state_store *store, const struct mr_error *why)
{
	struct mr_error error;

	let_go(store);
	if (store->backend->set_aside(store->place, &error) < 0) {
		note(store, &error);
		return false;
	}
	mr_log(MR_LOG_ERROR, "state: %s is broken (%s): set aside, begun anew",
		store->place, why->text);
	pthread_mutex_lock(&store->lock);
	store->status.set_aside++;
	pthread_mutex_unlock(&store->lock);
	return true;
}

static enum mr_state_store_result open_and_load(
	struct mr_state_store *store, struct mr_error *error)
{
	const struct mr_state_store_backend *backend = store->backend;
	enum mr_state_store_result result =
		backend->open(store->place, &store->handle, error);

	if (result == MR_STORE_DONE && store->loaded)
		store->anew = true;
	if (result != MR_STORE_DONE || store->loaded)
		return result;
	result = backend->load(
		store->handle, store->owner.seen, store->owner.context, error);
	store->loaded = result == MR_STORE_DONE;
	if (!store->loaded)
		let_go(store);
	return result;
}

/* Somebody may have taken it away while we had it open. */
static void look_whether_there(struct mr_state_store *store)
{
	if (store->handle == NULL ||
		store->backend->is_there(store->place, store->handle))
		return;
	mr_log(MR_LOG_WARNING,
		"state: %s was taken away, replaced or cut: it is written anew "
		"from memory",
		store->place);
	let_go(store);
}

/* Once more if it was broken: the new one is empty. */
static bool is_open(struct mr_state_store *store)
{
	look_whether_there(store);
	for (int tries = 0; store->handle == NULL && tries < 2; tries++) {
		struct mr_error error;

		switch (open_and_load(store, &error)) {
		case MR_STORE_DONE:
			break;
		case MR_STORE_LATER:
			note(store, &error);
			return false;
		case MR_STORE_BROKEN:
			if (!set_aside(store, &error))
				return false;
			break;
		}
	}
	return store->handle != NULL;
}

static void drop(struct pending **all)
{
	struct pending *one, *next;

	HASH_ITER (hh, *all, one, next) {
		HASH_DEL(*all, one);
		free(one);
	}
}

/* While something cannot be written the owner keeps the rest. */
static void ask_owner(struct mr_state_store *store)
{
	bool works;

	pthread_mutex_lock(&store->lock);
	works = store->status.works || store->pending == NULL;
	pthread_mutex_unlock(&store->lock);
	if (!works || store->owner.save == NULL)
		return;
	store->owner.save(store->owner.context, store, store->anew);
	store->anew = false;
}

static struct pending *take(struct mr_state_store *store, int64_t *forget)
{
	struct pending *all;

	pthread_mutex_lock(&store->lock);
	all = store->pending;
	store->pending = NULL;
	*forget = store->forget;
	store->forget = INT64_MIN;
	store->writing = HASH_COUNT(all);
	pthread_mutex_unlock(&store->lock);
	return all;
}

static void put_back(struct mr_state_store *store, struct pending **all)
{
	struct pending *one, *next, *newer;

	pthread_mutex_lock(&store->lock);
	HASH_ITER (hh, *all, one, next) {
		HASH_DEL(*all, one);
		HASH_FIND(hh, store->pending, one->key, one->length, newer);
		if (newer != NULL) {
			free(one);
		} else if (HASH_COUNT(store->pending) >= MR_STORE_PENDING) {
			store->status.lost++;
			free(one);
		} else {
			HASH_ADD(hh, store->pending, key, one->length, one);
		}
	}
	store->writing = 0;
	pthread_mutex_unlock(&store->lock);
}

static enum mr_state_store_result write_all(struct mr_state_store *store,
	struct pending *all, int64_t forget, struct mr_error *error)
{
	size_t n = HASH_COUNT(all), i = 0;
	const struct mr_state_store_row **rows =
		mr_calloc(n, sizeof(const void *));
	struct pending *one, *next;
	enum mr_state_store_result result;

	HASH_ITER (hh, all, one, next)
		rows[i++] = &one->row;
	result = store->backend->write(store->handle, rows, n, forget, error);
	free(rows);
	return result;
}

static void flush(struct mr_state_store *store)
{
	struct pending *all;
	struct mr_error error;
	int64_t forget;
	size_t n;

	if (!is_open(store))
		return;
	ask_owner(store);
	all = take(store, &forget);
	n = HASH_COUNT(all);
	if (n == 0 && forget == INT64_MIN) {
		note(store, NULL);
		return;
	}
	switch (write_all(store, all, forget, &error)) {
	case MR_STORE_DONE:
		drop(&all);
		pthread_mutex_lock(&store->lock);
		store->status.written += n;
		store->writing = 0;
		pthread_mutex_unlock(&store->lock);
		note(store, NULL);
		return;
	case MR_STORE_LATER:
		note(store, &error);
		break;
	case MR_STORE_BROKEN:
		set_aside(store, &error);
		break;
	}
	put_back(store, &all);
}

static void *run(void *argument)
{
	struct mr_state_store *store = argument;
	bool ends;

	is_open(store);
	pthread_mutex_lock(&store->lock);
	store->status.reading = false;
	pthread_cond_signal(&store->read);
	pthread_mutex_unlock(&store->lock);
	do {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		pthread_mutex_lock(&store->lock);
		while (!store->ends && pthread_cond_timedwait(&store->wake,
					       &store->lock, &until) == 0)
			;
		ends = store->ends;
		pthread_mutex_unlock(&store->lock);
		flush(store);
	} while (!ends);
	return NULL;
}

/* The thread may be held up by the disk, or have a million rows to read. */
static void wait_for_reading(struct mr_state_store *store)
{
	struct timespec until;
	bool reading;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += MR_STORE_WAIT_MS / 1000;
	pthread_mutex_lock(&store->lock);
	while (store->status.reading &&
		pthread_cond_timedwait(&store->read, &store->lock, &until) == 0)
		;
	reading = store->status.reading;
	pthread_mutex_unlock(&store->lock);
	if (reading)
		mr_log(MR_LOG_INFO,
			"state: %s: reading it takes more than a second: "
			"answering meanwhile by what has been read",
			store->place);
}

static void begin(struct mr_state_store *store)
{
	int failed = pthread_create(&store->thread, NULL, run, store);
	struct mr_error error;

	store->runs = failed == 0;
	if (failed == 0) {
		wait_for_reading(store);
		return;
	}
	store->status.reading = false;
	mr_error_set(&error, "no thread: %s", strerror(failed));
	note(store, &error);
}

struct mr_state_store *mr_state_store_new(
	const struct mr_state_store_backend *backend, const char *place,
	const struct mr_state_store_owner *owner)
{
	struct mr_state_store *store = mr_calloc(1, sizeof(*store));
	pthread_condattr_t monotonic;

	store->backend = backend;
	store->place = mr_calloc(1, strlen(place) + 1);
	strcpy(store->place, place);
	store->owner = *owner;
	store->status.works = true;
	store->status.reading = true;
	store->forget = INT64_MIN;
	pthread_mutex_init(&store->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&store->wake, &monotonic);
	pthread_cond_init(&store->read, &monotonic);
	pthread_condattr_destroy(&monotonic);
	begin(store);
	return store;
}

static struct pending *add(struct mr_state_store *store,
	const struct mr_state_store_row *row, const char *key, size_t length)
{
	struct pending *one;

	if (HASH_COUNT(store->pending) >= MR_STORE_PENDING)
		return NULL;
	one = mr_calloc(1, sizeof(*one) + length);
	memcpy(one->key, key, length);
	one->length = length;
	one->row.kind = one->key;
	one->row.name = one->key + strlen(row->kind) + 1;
	HASH_ADD(hh, store->pending, key, length, one);
	return one;
}

void mr_state_store_put(
	struct mr_state_store *store, const struct mr_state_store_row *row)
{
	char key[2 * MR_STORE_NAME + 2];
	size_t kind = strlen(row->kind) + 1, name = strlen(row->name) + 1;
	bool fits = kind <= MR_STORE_NAME + 1 && name <= MR_STORE_NAME + 1;
	struct pending *one = NULL;

	if (fits) {
		memcpy(key, row->kind, kind);
		memcpy(key + kind, row->name, name);
	}
	pthread_mutex_lock(&store->lock);
	if (fits) {
		HASH_FIND(hh, store->pending, key, kind + name, one);
		if (one == NULL)
			one = add(store, row, key, kind + name);
	}
	if (one == NULL) {
		store->status.lost++;
	} else {
		one->row.at = row->at;
		one->row.until = row->until;
		memcpy(one->row.value, row->value, sizeof(row->value));
	}
	pthread_mutex_unlock(&store->lock);
}

void mr_state_store_forget(struct mr_state_store *store, int64_t before)
{
	pthread_mutex_lock(&store->lock);
	store->forget = before;
	pthread_mutex_unlock(&store->lock);
}

struct mr_state_store_status mr_state_store_status(struct mr_state_store *store)
{
	struct mr_state_store_status status;

	pthread_mutex_lock(&store->lock);
	status = store->status;
	status.pending = HASH_COUNT(store->pending) + store->writing;
	pthread_mutex_unlock(&store->lock);
	return status;
}

void mr_state_store_free(struct mr_state_store **store)
{
	if (*store == NULL)
		return;
	pthread_mutex_lock(&(*store)->lock);
	(*store)->ends = true;
	pthread_cond_signal(&(*store)->wake);
	pthread_mutex_unlock(&(*store)->lock);
	if ((*store)->runs)
		pthread_join((*store)->thread, NULL);
	let_go(*store);
	drop(&(*store)->pending);
	pthread_cond_destroy(&(*store)->wake);
	pthread_cond_destroy(&(*store)->read);
	pthread_mutex_destroy(&(*store)->lock);
	free((*store)->place);
	free(*store);
	*store = NULL;
}
