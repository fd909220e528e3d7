/* counters - see counters.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/counters.h"
#include "common/base/arena.h"
#include "common/base/siphash.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

/* TICK_MS: of `start`, which so has room for 13 years. */
enum { PLACES = 1 << 18, TICK_MS = 100, MALLOC_HEAD = 8, MALLOC_UNIT = 16 };

/* What comes back from a store may have begun before the host did: `start` is
 * from so long before boot (two of the longest windows). */
enum { LONGEST_S = 31 * 24 * 60 * 60 };
static const int64_t ORIGIN_MS = INT64_C(62) * 24 * 60 * 60 * 1000;

struct counter {
	struct counter *next;          /* of its place */
	struct counter *older, *newer; /* by their last change */
	uint64_t before, current, limit;
	uint32_t start, seconds; /* of the current piece: ticks; how long */
	uint8_t measure;
	bool told;   /* that it is held up, in this piece */
	bool loaded; /* what was saved of it is in it */
	char name[];
};

struct table {
	pthread_mutex_t lock;
	struct counter **places;
	struct counter *oldest, *newest;
	struct counter *unsaved; /* the oldest that changed */
	size_t count, octets;
	uint64_t dropped;
};

struct mr_counters {
	size_t most;
	uint64_t secret[2];
	struct table tables[MR_COUNTERS_KINDS];
};

struct mr_counters *mr_counters_new(size_t most)
{
	struct mr_counters *counters = mr_calloc(1, sizeof(*counters));

	counters->most = most;
	if (getrandom(counters->secret, sizeof(counters->secret), 0) < 0)
		abort();
	for (int i = 0; i < MR_COUNTERS_KINDS; i++) {
		pthread_mutex_init(&counters->tables[i].lock, NULL);
		counters->tables[i].places =
			mr_calloc(PLACES, sizeof(struct counter *));
	}
	return counters;
}

void mr_counters_free(struct mr_counters **counters)
{
	struct mr_counters *c = *counters;

	for (int i = 0; c != NULL && i < MR_COUNTERS_KINDS; i++) {
		struct table *t = &c->tables[i];

		for (struct counter *next; t->oldest != NULL;
			t->oldest = next) {
			next = t->oldest->newer;
			free(t->oldest);
		}
		free(t->places);
		pthread_mutex_destroy(&t->lock);
	}
	free(c);
	*counters = NULL;
}

static struct table *lock_table(
	struct mr_counters *counters, const struct mr_rate_key *key)
{
	struct table *t = &counters->tables[key->kind];

	assert(key->kind < MR_COUNTERS_KINDS && key->seconds > 0);
	pthread_mutex_lock(&t->lock);
	return t;
}

static void unlock_table(struct table *t)
{
	pthread_mutex_unlock(&t->lock);
}

/* --- time */

static int64_t window_ms(const struct counter *c)
{
	return (int64_t)c->seconds * 1000;
}

static uint32_t ticks_of(int64_t ms)
{
	return (uint32_t)((ms + ORIGIN_MS) / TICK_MS);
}

static int64_t age_ms(const struct counter *c, int64_t now_ms)
{
	int64_t age = now_ms + ORIGIN_MS - (int64_t)c->start * TICK_MS;

	return age < 0 ? 0 : age;
}

/* Of the current piece, if it were counted in now. */
static uint64_t sum_of(const struct counter *c, int64_t now_ms)
{
	int64_t window = window_ms(c), age = age_ms(c, now_ms);
	uint64_t earlier = c->before, sum;

	if (age >= 2 * window)
		return 0;
	sum = c->current;
	if (age >= window) {
		earlier = c->current;
		sum = 0;
		age -= window;
	}
	return sum + (uint64_t)((double)earlier * (double)(window - age) /
				(double)window);
}

/* Begins the piece that `now_ms` is in. */
static void turn(struct counter *c, int64_t now_ms)
{
	int64_t window = window_ms(c), age = age_ms(c, now_ms);

	if (age < window)
		return;
	c->before = age < 2 * window ? c->current : 0;
	c->current = 0;
	c->told = false;
	c->start = ticks_of(age < 2 * window ? now_ms - age % window : now_ms);
}

/* --- the table */

static struct counter **place_of(const struct mr_counters *counters,
	struct table *t, unsigned measure, int64_t seconds, const char *name)
{
	uint64_t number = (uint64_t)seconds << 2 | measure;

	return &t->places[mr_siphash(counters->secret, number, name) % PLACES];
}

static struct counter *find(const struct mr_counters *counters, struct table *t,
	const struct mr_rate_key *key)
{
	struct counter *c =
		*place_of(counters, t, key->measure, key->seconds, key->name);

	while (c != NULL &&
		(c->measure != key->measure || c->seconds != key->seconds ||
			strcmp(c->name, key->name) != 0))
		c = c->next;
	return c;
}

/* Without the padding of the struct's end, where the name begins. */
static size_t size_of(size_t length)
{
	size_t size = offsetof(struct counter, name) + length + 1;

	return size < sizeof(struct counter) ? sizeof(struct counter) : size;
}

/* With what malloc(3) adds. */
static size_t octets_of(size_t length)
{
	size_t size = size_of(length) + MALLOC_HEAD;

	return (size + MALLOC_UNIT - 1) / MALLOC_UNIT * MALLOC_UNIT;
}

static void take_from_list(struct table *t, struct counter *c)
{
	if (t->unsaved == c)
		t->unsaved = c->newer;
	*(c->older == NULL ? &t->oldest : &c->older->newer) = c->newer;
	*(c->newer == NULL ? &t->newest : &c->newer->older) = c->older;
	c->older = c->newer = NULL;
}

static void put_last(struct table *t, struct counter *c)
{
	c->older = t->newest;
	*(t->newest == NULL ? &t->oldest : &t->newest->newer) = c;
	t->newest = c;
	if (t->unsaved == NULL)
		t->unsaved = c;
}

/* As one that has not changed: nobody need save it. */
static void put_first(struct table *t, struct counter *c)
{
	c->newer = t->oldest;
	*(t->oldest == NULL ? &t->newest : &t->oldest->older) = c;
	t->oldest = c;
}

static void drop_oldest(
	struct mr_counters *counters, struct table *t, int64_t now_ms)
{
	struct counter *c = t->oldest;
	struct counter **place =
		place_of(counters, t, c->measure, c->seconds, c->name);

	while (*place != c)
		place = &(*place)->next;
	*place = c->next;
	take_from_list(t, c);
	t->dropped += sum_of(c, now_ms) > 0;
	t->octets -= octets_of(strlen(c->name));
	t->count--;
	free(c);
}

static struct counter *make(struct mr_counters *counters, struct table *t,
	const struct mr_rate_key *key, int64_t now_ms)
{
	size_t length = strlen(key->name);
	struct counter *c = mr_calloc(1, size_of(length));
	struct counter **place =
		place_of(counters, t, key->measure, key->seconds, key->name);

	memcpy(c->name, key->name, length + 1);
	c->measure = (uint8_t)key->measure;
	c->seconds = (uint32_t)key->seconds;
	c->start = ticks_of(now_ms);
	c->next = *place;
	*place = c;
	t->octets += octets_of(length);
	t->count++;
	while (t->octets > counters->most && t->oldest != NULL)
		drop_oldest(counters, t, now_ms);
	return c;
}

/* --- counting */

uint64_t mr_counters_sum(struct mr_counters *counters,
	const struct mr_rate_key *key, int64_t now_ms)
{
	struct table *t = lock_table(counters, key);
	const struct counter *c = find(counters, t, key);
	uint64_t sum = c == NULL ? 0 : sum_of(c, now_ms);

	unlock_table(t);
	return sum;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void mr_counters_add(struct mr_counters *counters,
	const struct mr_rate_key *key, uint64_t amount, uint64_t limit,
	int64_t now_ms)
{
	struct table *t = lock_table(counters, key);
	struct counter *c = find(counters, t, key);

	if (c == NULL)
		c = make(counters, t, key, now_ms);
	else
		take_from_list(t, c);
	turn(c, now_ms);
	c->current = add(c->current, amount);
	c->limit = limit;
	put_last(t, c);
	unlock_table(t);
}

bool mr_counters_is_news(struct mr_counters *counters,
	const struct mr_rate_key *key, int64_t now_ms)
{
	struct table *t = lock_table(counters, key);
	struct counter *c = find(counters, t, key);
	bool news = false;

	if (c != NULL) {
		turn(c, now_ms);
		news = !c->told;
		c->told = true;
	}
	unlock_table(t);
	return news;
}

/* --- for others */

struct mr_counters_status mr_counters_status(struct mr_counters *counters)
{
	struct mr_counters_status status = { 0 };

	for (int i = 0; i < MR_COUNTERS_KINDS; i++) {
		struct table *t = &counters->tables[i];

		pthread_mutex_lock(&t->lock);
		status.count += t->count;
		status.octets += t->octets;
		status.dropped += t->dropped;
		for (const struct counter *c = t->unsaved; c != NULL;
			c = c->newer)
			status.unsaved++;
		unlock_table(t);
	}
	return status;
}

static struct mr_counter tell(
	const struct counter *c, unsigned kind, int64_t now_ms)
{
	return (struct mr_counter){
		.key = { kind, c->measure, c->seconds, c->name },
		.sum = sum_of(c, now_ms),
		.limit = c->limit,
		.before = c->before,
		.current = c->current,
		.age_ms = age_ms(c, now_ms),
	};
}

static double share_of(const struct mr_counter *counter)
{
	return counter->limit == 0
	               ? 0
	               : (double)counter->sum / (double)counter->limit;
}

/* `top` is sorted, `n_top` of `n` are there. */
static size_t insert(struct mr_counter *top, size_t n_top, size_t n,
	const struct mr_counter *counter)
{
	size_t i = n_top;
	char *name;

	if (n_top == n && share_of(counter) <= share_of(&top[n - 1]))
		return n_top;
	if (n_top == n)
		free((char *)top[--i].key.name);
	for (; i > 0 && share_of(&top[i - 1]) < share_of(counter); i--)
		top[i] = top[i - 1];
	top[i] = *counter;
	name = mr_calloc(1, strlen(counter->key.name) + 1);
	top[i].key.name = strcpy(name, counter->key.name);
	return n_top < n ? n_top + 1 : n;
}

size_t mr_counters_top(struct mr_counters *counters, int64_t now_ms,
	struct mr_counter *top, size_t n)
{
	size_t n_top = 0;

	for (unsigned kind = 0; n > 0 && kind < MR_COUNTERS_KINDS; kind++) {
		struct table *t = &counters->tables[kind];

		pthread_mutex_lock(&t->lock);
		for (const struct counter *c = t->newest; c != NULL;
			c = c->older) {
			struct mr_counter counter = tell(c, kind, now_ms);

			if (counter.sum > 0)
				n_top = insert(top, n_top, n, &counter);
		}
		unlock_table(t);
	}
	return n_top;
}

size_t mr_counters_changed(struct mr_counters *counters, int64_t now_ms,
	size_t most,
	void (*seen)(void *context, const struct mr_counter *counter),
	void *context)
{
	size_t n = 0;

	for (unsigned kind = 0; kind < MR_COUNTERS_KINDS; kind++) {
		struct table *t = &counters->tables[kind];

		pthread_mutex_lock(&t->lock);
		for (struct counter *c; n < most && (c = t->unsaved) != NULL;
			n++) {
			const struct mr_counter counter = tell(c, kind, now_ms);

			t->unsaved = c->newer;
			seen(context, &counter);
		}
		unlock_table(t);
	}
	return n;
}

/* What `c` has was counted since. */
static void merge(
	struct counter *c, const struct mr_counter *saved, int64_t now_ms)
{
	uint64_t before = c->before, current = c->current;

	c->before = saved->before;
	c->current = saved->current;
	c->start = ticks_of(now_ms - saved->age_ms);
	turn(c, now_ms);
	c->before = add(c->before, before);
	c->current = add(c->current, current);
	c->loaded = true;
}

void mr_counters_load(struct mr_counters *counters,
	const struct mr_counter *counter, int64_t now_ms)
{
	struct table *t;
	struct counter *c;

	if (counter->key.kind >= MR_COUNTERS_KINDS ||
		counter->key.measure >= MR_COUNTERS_MEASURES ||
		counter->key.seconds <= 0 || counter->key.seconds > LONGEST_S ||
		counter->age_ms < 0 ||
		counter->age_ms >= 2000 * counter->key.seconds)
		return;
	t = lock_table(counters, &counter->key);
	c = find(counters, t, &counter->key);
	if (c == NULL && t->octets + octets_of(strlen(counter->key.name)) >
				 counters->most) {
		t->dropped++;
	} else if (c == NULL) {
		c = make(counters, t, &counter->key, now_ms);
		c->limit = counter->limit;
		put_first(t, c);
	}
	if (c != NULL && !c->loaded)
		merge(c, counter, now_ms);
	unlock_table(t);
}

void mr_counters_unsave(struct mr_counters *counters)
{
	for (int i = 0; i < MR_COUNTERS_KINDS; i++) {
		struct table *t = &counters->tables[i];

		pthread_mutex_lock(&t->lock);
		t->unsaved = t->oldest;
		unlock_table(t);
	}
}
