/* dns_engine - the callers' half, see dns_engine.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/dns_engine.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/config/sections.h"
#include "common/lookup/dns_source.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

static const char RESOLV_CONF[] = "/etc/resolv.conf";

/* --- questions */

void mr_dns_line_add(struct mr_dns_line *line, struct mr_dns_question *q)
{
	q->next = NULL;
	q->previous = line->last;
	if (line->last != NULL)
		line->last->next = q;
	else
		line->first = q;
	line->last = q;
}

void mr_dns_line_remove(struct mr_dns_line *line, struct mr_dns_question *q)
{
	if (q->next != NULL)
		q->next->previous = q->previous;
	else
		line->last = q->previous;
	if (q->previous != NULL)
		q->previous->next = q->next;
	else
		line->first = q->next;
}

static struct mr_dns_question *new_question(const struct mr_dns_engine *engine,
	const char *name, enum mr_dns_type type, uint64_t hash)
{
	struct mr_dns_question *q = mr_calloc(1, sizeof(*q) + strlen(name) + 1);
	pthread_condattr_t monotonic;

	q->name = strcpy((char *)(q + 1), name);
	q->type = type;
	q->hash = hash;
	q->deadline_ms = mr_clock_ms() + engine->timeout_ms;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&q->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return q;
}

void mr_dns_question_free(struct mr_dns_question *q)
{
	pthread_cond_destroy(&q->answered);
	mr_dns_kept_release(q->kept);
	free(q);
}

static struct mr_dns_question **place_of(
	struct mr_dns_engine *engine, uint64_t hash)
{
	return &engine->places[hash & (MR_DNS_PLACES - 1)];
}

void mr_dns_question_forget(
	struct mr_dns_engine *engine, struct mr_dns_question *q)
{
	struct mr_dns_question **at = place_of(engine, q->hash);

	while (*at != q)
		at = &(*at)->next_in_place;
	*at = q->next_in_place;
	engine->under_way--;
}

static struct mr_dns_question *find(struct mr_dns_engine *engine,
	const char *name, enum mr_dns_type type, uint64_t hash)
{
	struct mr_dns_question *q = *place_of(engine, hash);

	while (q != NULL && (q->hash != hash || q->type != type ||
				    strcmp(q->name, name) != 0))
		q = q->next_in_place;
	return q;
}

/* --- handing over */

static int open_descriptors(
	struct mr_dns_engine *engine, struct mr_error *error)
{
	struct epoll_event wake = { .events = EPOLLIN, .data.ptr = NULL };

	if (engine->epoll < 0)
		engine->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (engine->wake < 0)
		engine->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (engine->epoll < 0 || engine->wake < 0 ||
		(epoll_ctl(engine->epoll, EPOLL_CTL_ADD, engine->wake, &wake) <
				0 &&
			errno != EEXIST))
		return mr_error_set(error, "DNS: %s", strerror(errno));
	return 0;
}

static int start(struct mr_dns_engine *engine, struct mr_error *error)
{
	int64_t now_ms = mr_clock_ms();
	sigset_t all, before;
	int problem;

	if (engine->started)
		return 0;
	if (open_descriptors(engine, error) < 0)
		return -1;
	for (size_t i = 0; i < engine->servers.n; i++)
		mr_dns_server_begin(&engine->servers.server[i], now_ms);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	problem = pthread_create(&engine->thread, NULL, mr_dns_loop, engine);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (problem != 0)
		return mr_error_set(
			error, "DNS: no thread: %s", strerror(problem));
	engine->started = true;
	return 0;
}

static struct mr_dns_question *hand_over(struct mr_dns_engine *engine,
	const char *name, enum mr_dns_type type, uint64_t hash,
	struct mr_error *error)
{
	struct mr_dns_question *q;

	if (engine->under_way >= MR_DNS_MOST_QUESTIONS) {
		engine->turned_away++;
		mr_error_set(error,
			"%s: not asked, %d DNS questions are under way", name,
			(int)MR_DNS_MOST_QUESTIONS);
		return NULL;
	}
	if (start(engine, error) < 0)
		return NULL;
	q = new_question(engine, name, type, hash);
	q->next_in_place = *place_of(engine, hash);
	*place_of(engine, hash) = q;
	engine->under_way++;
	engine->asked++;
	if (engine->handed.first == NULL)
		eventfd_write(engine->wake, 1);
	mr_dns_line_add(&engine->handed, q);
	return q;
}

static void engine_prefetch(
	void *state, const char *name, enum mr_dns_type type)
{
	struct mr_dns_engine *engine = state;
	struct mr_error ignored;
	uint64_t hash;

	pthread_mutex_lock(&engine->lock);
	if (mr_dns_cache_get(engine->cache, name, type, engine->clock()) ==
		NULL) {
		hash = mr_dns_hash(&engine->secret, name, type);
		if (find(engine, name, type, hash) == NULL)
			hand_over(engine, name, type, hash, &ignored);
	}
	pthread_mutex_unlock(&engine->lock);
}

/* --- asking */

static bool wait_until(struct mr_dns_engine *engine, struct mr_dns_question *q,
	int64_t deadline_ms)
{
	/* The question has an end of its own, so this is only a bound. */
	int64_t most_ms = q->deadline_ms + engine->timeout_ms;
	struct timespec until;

	if (deadline_ms > most_ms)
		deadline_ms = most_ms;
	if (deadline_ms < 0)
		deadline_ms = 0;
	until.tv_sec = deadline_ms / 1000;
	until.tv_nsec = deadline_ms % 1000 * 1000000;
	while (q->kept == NULL && deadline_ms > 0)
		if (pthread_cond_timedwait(
			    &q->answered, &engine->lock, &until) == ETIMEDOUT)
			break;
	return q->kept != NULL;
}

static enum mr_lookup wait_for(struct mr_dns_engine *engine,
	struct mr_dns_question *q, int64_t deadline_ms, struct mr_arena *arena,
	struct mr_dns_answer *answer, struct mr_error *error)
{
	enum mr_lookup found = MR_TEMPFAIL;

	q->waiters++;
	if (wait_until(engine, q, deadline_ms))
		found = mr_dns_kept_tell(
			q->kept, engine->clock(), arena, answer, error);
	else
		mr_error_set(
			error, "%s: no answer from the DNS in time", q->name);
	if (--q->waiters == 0 && q->kept != NULL)
		mr_dns_question_free(q);
	return found;
}

static enum mr_lookup engine_ask(void *state, struct mr_arena *arena,
	const char *name, enum mr_dns_type type, int64_t deadline_ms,
	struct mr_dns_answer *answer, struct mr_error *error)
{
	struct mr_dns_engine *engine = state;
	enum mr_lookup found = MR_TEMPFAIL;
	const struct mr_dns_kept *kept;
	struct mr_dns_question *q;
	uint64_t hash;

	pthread_mutex_lock(&engine->lock);
	kept = mr_dns_cache_get(engine->cache, name, type, engine->clock());
	if (kept != NULL) {
		engine->from_cache++;
		found = mr_dns_kept_tell(
			kept, engine->clock(), arena, answer, error);
	} else {
		hash = mr_dns_hash(&engine->secret, name, type);
		q = find(engine, name, type, hash);
		if (q != NULL)
			engine->joined += deadline_ms > 0;
		else
			q = hand_over(engine, name, type, hash, error);
		if (q != NULL)
			found = wait_for(
				engine, q, deadline_ms, arena, answer, error);
	}
	pthread_mutex_unlock(&engine->lock);
	return found;
}

/* --- the whole */

static void engine_status(
	void *state, struct mr_arena *arena, struct mr_dns_status *status)
{
	struct mr_dns_engine *engine = state;
	struct mr_dns_server_status *servers = MR_NEW_ARRAY(
		arena, struct mr_dns_server_status, engine->servers.n);
	int64_t now_ms = mr_clock_ms();

	pthread_mutex_lock(&engine->lock);
	for (size_t i = 0; i < engine->servers.n; i++) {
		const struct mr_dns_server *s = &engine->servers.server[i];

		servers[i].text = mr_arena_strdup(arena, s->text);
		servers[i].set_aside = s->set_aside;
		servers[i].late = s->late;
		servers[i].silent_ms =
			engine->started ? now_ms - s->heard_ms : -1;
		servers[i].mean_ms = s->mean_ms;
		servers[i].asked = s->asked;
		servers[i].answered = s->answered;
	}
	status->servers = servers;
	status->n_servers = engine->servers.n;
	status->under_way = engine->under_way;
	status->asked = engine->asked;
	status->from_cache = engine->from_cache;
	status->joined = engine->joined;
	status->turned_away = engine->turned_away;
	status->cached = mr_dns_cache_count(engine->cache);
	status->cache_octets = mr_dns_cache_octets(engine->cache);
	status->cache_bound = engine->cache_bound;
	pthread_mutex_unlock(&engine->lock);
}

static bool engine_alike(const void *state, const void *other)
{
	const struct mr_dns_engine *a = state, *b = other;

	if (a->timeout_ms != b->timeout_ms ||
		a->cache_bound != b->cache_bound ||
		a->servers.n != b->servers.n)
		return false;
	for (size_t i = 0; i < a->servers.n; i++)
		if (a->servers.server[i].size != b->servers.server[i].size ||
			memcmp(&a->servers.server[i].address,
				&b->servers.server[i].address,
				a->servers.server[i].size) != 0)
			return false;
	return true;
}

static void engine_close(void *state)
{
	struct mr_dns_engine *engine = state;

	pthread_mutex_lock(&engine->lock);
	engine->stopping = true;
	pthread_mutex_unlock(&engine->lock);
	if (engine->started) {
		eventfd_write(engine->wake, 1);
		pthread_join(engine->thread, NULL);
	}
	if (engine->wake >= 0)
		close(engine->wake);
	if (engine->epoll >= 0)
		close(engine->epoll);
	mr_dns_cache_free(&engine->cache);
	pthread_mutex_destroy(&engine->lock);
	mr_arena_free(&engine->arena);
	free(engine);
}

int mr_dns_engine_open(const struct mr_dns_settings *settings,
	int64_t (*clock)(void), void **state_r, struct mr_error *error)
{
	struct mr_arena *arena = mr_arena_new(2048);
	struct mr_dns_servers servers;
	struct mr_dns_engine *engine;

	if (mr_dns_servers_list(arena, &settings->servers, RESOLV_CONF,
		    &servers, error) < 0) {
		mr_arena_free(&arena);
		return -1;
	}
	engine = mr_calloc(1, sizeof(*engine));
	engine->arena = arena;
	engine->servers = servers;
	engine->timeout_ms = settings->timeout * 1000;
	engine->cache_bound = settings->cache;
	engine->clock = clock;
	engine->epoll = engine->wake = -1;
	pthread_mutex_init(&engine->lock, NULL);
	while (getrandom(&engine->secret, sizeof(engine->secret), 0) !=
		sizeof(engine->secret))
		continue;
	engine->cache = mr_dns_cache_new(settings->cache, &engine->secret);
	*state_r = engine;
	return 0;
}

const struct mr_dns_source mr_dns_engine = {
	.ask = engine_ask,
	.prefetch = engine_prefetch,
	.status = engine_status,
	.alike = engine_alike,
	.close = engine_close,
};
