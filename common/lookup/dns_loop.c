/* dns_loop - the I/O thread of the DNS engine, see dns_engine.h.
 *
 * A question goes to the first server in order that is well; when that one is
 * late, to the next that was not asked yet, and when there is none, again to
 * those that were.  Answers to all of them are good until the question's end.
 */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/lookup/dns_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	EVENTS = 256,
	LONGEST_PAUSE_MS = 2000, /* until the same server is asked again */
	SHORT_PAUSE_MS = 50,     /* when it said that nobody listens */
	LOOK_MS = 5,             /* the least between two looks at all clocks */
	LONGEST_SLEEP_MS = 1000,
};

/* A question that every server answers by itself (RFC 6761 section 6.3). */
static const char PROBE_NAME[] = "localhost";

struct loop {
	struct mr_dns_engine *engine;
	int epoll;
	struct mr_dns_line asked, waiting; /* those without a socket wait */
	struct mr_dns_exchange *probes;
	struct mr_dns_exchange *ended; /* freed when no event can name them */
	size_t sockets, most_sockets;
	int64_t due_ms; /* when something may have to be done */
	uint8_t *buffer;
};

/* --- servers; their health is read by others */

static size_t count_well(const struct loop *loop)
{
	const struct mr_dns_servers *all = &loop->engine->servers;
	size_t well = 0;

	for (size_t i = 0; i < all->n; i++)
		well += !all->server[i].set_aside;
	return well;
}

static void say_set_aside(
	const struct loop *loop, const struct mr_dns_server *server)
{
	size_t well = count_well(loop);

	mr_log(well > 0 ? MR_LOG_WARNING : MR_LOG_ERROR,
		"the DNS server %s does not answer and is set aside until it "
		"does: %s",
		server->text,
		well > 0 ? "the others are asked; see to it or take it out of "
			   "dns { servers }"
			 : "there is no other, all DNS questions fail; see to "
			   "it or change dns { servers }");
}

static void heard(struct loop *loop, const struct mr_dns_exchange *exchange,
	int64_t now_ms)
{
	struct mr_dns_server *server = exchange->server;
	bool back;

	pthread_mutex_lock(&loop->engine->lock);
	back = mr_dns_server_heard(server, now_ms, now_ms - exchange->asked_ms);
	pthread_mutex_unlock(&loop->engine->lock);
	if (back)
		mr_log(MR_LOG_INFO, "the DNS server %s answers again",
			server->text);
}

static void late(struct loop *loop, struct mr_dns_server *server)
{
	pthread_mutex_lock(&loop->engine->lock);
	mr_dns_server_late(server);
	pthread_mutex_unlock(&loop->engine->lock);
}

static void be_due(struct loop *loop, int64_t when_ms)
{
	if (when_ms < loop->due_ms)
		loop->due_ms = when_ms;
}

/* --- exchanges */

static struct mr_dns_exchange *begin_exchange(struct loop *loop, void *owner,
	struct mr_dns_server *server, const char *name, enum mr_dns_type type,
	int64_t now_ms, struct mr_error *error)
{
	struct mr_dns_exchange *exchange = mr_calloc(1, sizeof(*exchange));

	exchange->owner = owner;
	exchange->server = server;
	exchange->name = name;
	exchange->type = type;
	if (mr_dns_exchange_begin(exchange, loop->epoll, now_ms, error) == 0)
		loop->sockets++;
	pthread_mutex_lock(&loop->engine->lock);
	server->asked++;
	pthread_mutex_unlock(&loop->engine->lock);
	return exchange;
}

static void close_exchange(struct loop *loop, struct mr_dns_exchange *exchange)
{
	/* A change to TCP that failed has closed it already. */
	if (exchange->octets != NULL)
		loop->sockets--;
	mr_dns_exchange_end(exchange);
}

static void drop(struct loop *loop, struct mr_dns_exchange *exchange)
{
	close_exchange(loop, exchange);
	exchange->next = loop->ended;
	loop->ended = exchange;
}

static void free_ended(struct loop *loop)
{
	while (loop->ended != NULL) {
		struct mr_dns_exchange *next = loop->ended->next;

		free(loop->ended);
		loop->ended = next;
	}
}

/* --- the end of a question */

static void finish(struct loop *loop, struct mr_dns_question *q,
	struct mr_dns_line *line, enum mr_lookup found,
	const struct mr_dns_answer *answer, bool keep)
{
	struct mr_dns_engine *engine = loop->engine;
	struct mr_dns_kept *kept =
		mr_dns_kept_new(found, answer, &q->error, engine->clock());

	mr_dns_line_remove(line, q);
	while (q->exchanges != NULL) {
		struct mr_dns_exchange *exchange = q->exchanges;

		q->exchanges = exchange->next;
		drop(loop, exchange);
	}
	pthread_mutex_lock(&engine->lock);
	mr_dns_question_forget(engine, q);
	if (keep)
		mr_dns_cache_put(engine->cache, q->name, q->type, kept);
	q->kept = kept;
	if (q->waiters > 0)
		pthread_cond_broadcast(&q->answered);
	else
		mr_dns_question_free(q); /* with the lock: it counts `kept` */
	pthread_mutex_unlock(&engine->lock);
}

static void fail(struct loop *loop, struct mr_dns_question *q,
	struct mr_dns_line *line, bool keep)
{
	if (q->error.text[0] == '\0')
		mr_error_set(&q->error, "%s: no answer from the DNS in time",
			q->name);
	finish(loop, q, line, MR_TEMPFAIL, NULL, keep);
}

/* --- asking */

static bool was_asked(
	const struct mr_dns_question *q, const struct mr_dns_server *server)
{
	const struct mr_dns_exchange *exchange = q->exchanges;

	while (exchange != NULL && exchange->server != server)
		exchange = exchange->next;
	return exchange != NULL;
}

static struct mr_dns_server *next_server(
	const struct loop *loop, const struct mr_dns_question *q)
{
	const struct mr_dns_servers *servers = &loop->engine->servers;
	struct mr_dns_server *best = NULL;

	for (size_t i = 0; i < servers->n; i++) {
		struct mr_dns_server *server = &servers->server[i];

		if (server->set_aside || was_asked(q, server))
			continue;
		if (!mr_dns_server_is_suspect(server))
			return server;
		if (best == NULL)
			best = server;
	}
	return best;
}

static struct mr_dns_exchange *least_repeated(const struct mr_dns_question *q)
{
	struct mr_dns_exchange *least = NULL;

	for (struct mr_dns_exchange *e = q->exchanges; e != NULL; e = e->next)
		if (e->fd >= 0 && !e->tcp &&
			(least == NULL || e->times < least->times))
			least = e;
	return least;
}

static bool is_open(const struct mr_dns_question *q)
{
	const struct mr_dns_exchange *exchange = q->exchanges;

	while (exchange != NULL && exchange->fd < 0)
		exchange = exchange->next;
	return exchange != NULL;
}

static bool has_socket(const struct loop *loop)
{
	return loop->sockets < loop->most_sockets;
}

/* A server that was not asked; false: there is none that could be. */
static bool ask_another(
	struct loop *loop, struct mr_dns_question *q, int64_t now_ms)
{
	struct mr_dns_server *server;

	while (has_socket(loop) && (server = next_server(loop, q)) != NULL) {
		struct mr_dns_exchange *exchange = begin_exchange(
			loop, q, server, q->name, q->type, now_ms, &q->error);

		exchange->next = q->exchanges;
		q->exchanges = exchange;
		if (exchange->fd < 0)
			continue;
		q->due_ms = now_ms + mr_dns_server_pace(server);
		q->times++;
		be_due(loop, q->due_ms);
		return true;
	}
	return false;
}

/* Each round twice as slow as the one before. */
static void ask_once_more(
	struct loop *loop, struct mr_dns_question *q, int64_t now_ms)
{
	struct mr_dns_exchange *exchange;
	int64_t pause_ms = LONGEST_PAUSE_MS;

	if (ask_another(loop, q, now_ms))
		return;
	exchange = least_repeated(q);
	if (exchange != NULL) {
		if (exchange->times < 4)
			pause_ms = mr_dns_server_pace(exchange->server)
			           << exchange->times;
		mr_dns_exchange_repeat(exchange);
	}
	q->times++;
	q->due_ms = now_ms +
	            (pause_ms > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause_ms);
}

static void begin_question(
	struct loop *loop, struct mr_dns_question *q, int64_t now_ms)
{
	mr_dns_line_remove(&loop->waiting, q);
	mr_dns_line_add(&loop->asked, q);
	if (ask_another(loop, q, now_ms)) {
		be_due(loop, q->deadline_ms);
		return;
	}
	if (q->error.text[0] == '\0')
		mr_error_set(&q->error,
			"%s: not asked, no DNS server answers at present",
			q->name);
	fail(loop, q, &loop->asked, false);
}

static void begin_waiting(struct loop *loop, int64_t now_ms)
{
	while (loop->waiting.first != NULL && has_socket(loop))
		begin_question(loop, loop->waiting.first, now_ms);
}

static void take_handed(struct loop *loop)
{
	struct mr_dns_line handed;

	pthread_mutex_lock(&loop->engine->lock);
	handed = loop->engine->handed;
	loop->engine->handed = (struct mr_dns_line){ NULL, NULL };
	pthread_mutex_unlock(&loop->engine->lock);
	while (handed.first != NULL) {
		struct mr_dns_question *q = handed.first;

		mr_dns_line_remove(&handed, q);
		mr_dns_line_add(&loop->waiting, q);
		be_due(loop, q->deadline_ms);
	}
}

/* --- hearing */

static void server_will_not(struct loop *loop, struct mr_dns_question *q,
	struct mr_dns_exchange *exchange, int64_t now_ms)
{
	close_exchange(loop, exchange);
	if (!ask_another(loop, q, now_ms) && !is_open(q))
		fail(loop, q, &loop->asked, true);
}

static void nobody_listens(
	struct loop *loop, struct mr_dns_question *q, int64_t now_ms)
{
	if (q->due_ms > now_ms + SHORT_PAUSE_MS && next_server(loop, q) != NULL)
		q->due_ms = now_ms + SHORT_PAUSE_MS;
	be_due(loop, q->due_ms);
}

static void hear_question(
	struct loop *loop, struct mr_dns_exchange *exchange, int64_t now_ms)
{
	struct mr_dns_question *q = exchange->owner;
	struct mr_arena *arena = mr_arena_new(4096);
	struct mr_dns_section section;
	struct mr_dns_answer answer;
	enum mr_lookup found;

	switch (mr_dns_exchange_event(
		exchange, loop->buffer, arena, &section, &q->error)) {
	case MR_DNS_WAIT:
		if (exchange->refused)
			nobody_listens(loop, q, now_ms);
		break;
	case MR_DNS_ANSWER:
		heard(loop, exchange, now_ms);
		found = mr_dns_section_answer(
			arena, &section, q->name, q->type, &answer);
		finish(loop, q, &loop->asked, found, &answer, true);
		break;
	case MR_DNS_REFUSAL:
		heard(loop, exchange, now_ms);
		server_will_not(loop, q, exchange, now_ms);
		break;
	case MR_DNS_BROKEN:
		server_will_not(loop, q, exchange, now_ms);
		break;
	}
	mr_arena_free(&arena);
}

/* --- probes */

static void drop_probe(struct loop *loop, struct mr_dns_exchange *probe)
{
	struct mr_dns_exchange **at = &loop->probes;

	while (*at != probe)
		at = &(*at)->next;
	*at = probe->next;
	drop(loop, probe);
}

/* Whatever a server says, it is alive. */
static void hear_probe(
	struct loop *loop, struct mr_dns_exchange *probe, int64_t now_ms)
{
	struct mr_arena *arena = mr_arena_new(4096);
	struct mr_dns_section section;
	struct mr_error ignored;

	switch (mr_dns_exchange_event(
		probe, loop->buffer, arena, &section, &ignored)) {
	case MR_DNS_WAIT:
		break;
	case MR_DNS_ANSWER:
	case MR_DNS_REFUSAL:
		heard(loop, probe, now_ms);
		drop_probe(loop, probe);
		break;
	case MR_DNS_BROKEN:
		drop_probe(loop, probe);
		break;
	}
	mr_arena_free(&arena);
}

static void begin_probe(
	struct loop *loop, struct mr_dns_server *server, int64_t now_ms)
{
	struct mr_error ignored;
	struct mr_dns_exchange *probe = begin_exchange(
		loop, NULL, server, PROBE_NAME, MR_DNS_A, now_ms, &ignored);

	probe->next = loop->probes;
	loop->probes = probe;
	pthread_mutex_lock(&loop->engine->lock);
	mr_dns_server_probed(server, now_ms);
	pthread_mutex_unlock(&loop->engine->lock);
	if (probe->fd < 0)
		drop_probe(loop, probe);
}

static void fail_line(struct loop *loop, struct mr_dns_line *line)
{
	while (line->first != NULL) {
		if (line->first->error.text[0] == '\0')
			mr_error_set(&line->first->error,
				"%s: no answer, no DNS server answers at "
				"present",
				line->first->name);
		fail(loop, line->first, line, false);
	}
}

/* What is asked from now on fails at once; so does what is under way, for which
 * the next mail would wait as long as the last one did. */
static void fail_all(struct loop *loop)
{
	fail_line(loop, &loop->asked);
	fail_line(loop, &loop->waiting);
}

static void look_at_server(
	struct loop *loop, struct mr_dns_server *server, int64_t now_ms)
{
	bool gives_up;

	pthread_mutex_lock(&loop->engine->lock);
	gives_up = mr_dns_server_give_up(server, now_ms);
	pthread_mutex_unlock(&loop->engine->lock);
	if (gives_up)
		say_set_aside(loop, server);
	if (gives_up && count_well(loop) == 0)
		fail_all(loop);
	if (mr_dns_server_probe_due(server) <= now_ms)
		begin_probe(loop, server, now_ms);
	be_due(loop, mr_dns_server_probe_due(server));
}

/* --- clocks */

static void look_at_question(
	struct loop *loop, struct mr_dns_question *q, int64_t now_ms)
{
	if (now_ms >= q->deadline_ms) {
		fail(loop, q, &loop->asked, true);
		return;
	}
	if (now_ms >= q->due_ms) {
		for (struct mr_dns_exchange *e = q->exchanges; e != NULL;
			e = e->next)
			if (e->fd >= 0)
				late(loop, e->server);
		ask_once_more(loop, q, now_ms);
	}
	be_due(loop, q->due_ms);
	be_due(loop, q->deadline_ms);
}

static void look_at_clocks(struct loop *loop, int64_t now_ms)
{
	struct mr_dns_question *q, *next;
	struct mr_dns_exchange *probe, *next_probe;

	loop->due_ms = now_ms + LONGEST_SLEEP_MS;
	for (q = loop->asked.first; q != NULL; q = next) {
		next = q->next;
		look_at_question(loop, q, now_ms);
	}
	/* In their order: the first ends first. */
	while ((q = loop->waiting.first) != NULL && now_ms >= q->deadline_ms)
		fail(loop, q, &loop->waiting, false);
	if (q != NULL)
		be_due(loop, q->deadline_ms);
	for (probe = loop->probes; probe != NULL; probe = next_probe) {
		next_probe = probe->next;
		if (now_ms - probe->asked_ms >= loop->engine->timeout_ms)
			drop_probe(loop, probe);
	}
	for (size_t i = 0; i < loop->engine->servers.n; i++)
		look_at_server(loop, &loop->engine->servers.server[i], now_ms);
	if (loop->due_ms < now_ms + LOOK_MS)
		loop->due_ms = now_ms + LOOK_MS;
}

/* --- the thread */

static void take_events(struct loop *loop, int sleep_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(loop->epoll, events, EVENTS, sleep_ms);
	int64_t now_ms = mr_clock_ms();
	eventfd_t ignored;

	for (int i = 0; i < n; i++) {
		struct mr_dns_exchange *exchange = events[i].data.ptr;

		if (exchange == NULL)
			(void)eventfd_read(loop->engine->wake, &ignored);
		else if (exchange->fd < 0)
			continue; /* an event before this one ended it */
		else if (exchange->owner == NULL)
			hear_probe(loop, exchange, now_ms);
		else
			hear_question(loop, exchange, now_ms);
	}
	free_ended(loop);
}

static bool is_stopping(struct loop *loop)
{
	bool stopping;

	pthread_mutex_lock(&loop->engine->lock);
	stopping = loop->engine->stopping;
	pthread_mutex_unlock(&loop->engine->lock);
	return stopping;
}

static size_t most_sockets(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
		limit.rlim_cur / 2 < MR_DNS_MOST_SOCKETS)
		return limit.rlim_cur / 2;
	return MR_DNS_MOST_SOCKETS;
}

static void end(struct loop *loop)
{
	take_handed(loop);
	fail_all(loop);
	while (loop->probes != NULL)
		drop_probe(loop, loop->probes);
	free_ended(loop);
	free(loop->buffer);
}

void *mr_dns_loop(void *context)
{
	struct mr_dns_engine *engine = context;
	struct loop loop = { .engine = engine,
		.epoll = engine->epoll,
		.most_sockets = most_sockets(),
		.buffer = mr_calloc(1, MR_DNS_LONGEST) };

	while (!is_stopping(&loop)) {
		int64_t now_ms = mr_clock_ms();

		take_handed(&loop);
		begin_waiting(&loop, now_ms);
		if (now_ms >= loop.due_ms)
			look_at_clocks(&loop, now_ms);
		take_events(&loop, mr_clock_left(loop.due_ms));
	}
	end(&loop);
	return NULL;
}
