/* server - see server.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/server.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "policyd/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

/* How often the deadlines are looked at, how often the same trouble is told of,
 * how many are accepted in one go, and descriptors for everything else. */
enum { TICK_S = 1, WARN_MS = 60 * 1000, ACCEPTS = 64, OTHER_FDS = 256 };
/* While no thread is free, how often it is looked whether they wait; they do if
 * they answered less than so many meanwhile, as each takes some 50 us to work
 * out. */
enum { LOOK_MS = 5, BUSY = 20 };
/* How many connections' answers are sent in one go while there is no end of
 * requests: one that wakes its asker costs as much as judging it, the next ones
 * to wake there do not. */
enum { HELD = 16 };

/* What epoll(7) tells of.  `armed` is how C's memory model hears that one
 * thread hands it over to another. */
struct source {
	void (*act)(struct mr_server *server, struct source *source);
	int fd;
	atomic_bool armed;
};

struct client {
	struct source source;
	struct mr_connection connection;
	/* Of the list of those with a deadline; under the server's lock. */
	struct client *prev, *next;
	int64_t deadline_ms; /* 0: not in the list */
	bool late;
	/* Of whoever has the client: may it be in the list?  Is there another
	 * request, once the answers can be sent? */
	bool timed, more;
};

struct mr_server {
	const struct mr_answerer *answerer;
	int epoll, ended, starved; /* starved: eventfd(2) for the keeper */
	struct source listen[MR_SOCKETS_MOST], timer;
	size_t n_listen;
	unsigned most; /* connections */
	atomic_uint connections, threads, idle, under_way;
	atomic_ullong requests;
	atomic_bool stopping, looking; /* looking: the keeper is awake */
	atomic_int_fast64_t warned_ms;

	pthread_mutex_t lock;     /* of what follows */
	struct client *deadlines; /* all are equally long: the first is next */
	bool ticking;

	pthread_mutex_t held_lock; /* of what follows */
	struct client *held[HELD]; /* their answers are not sent yet */
	atomic_uint n_held;
};

/* --- the set of sources */

/* Behind it the source may be another thread's. */
static int watch(
	struct mr_server *s, int how, struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events | EPOLLONESHOT,
		.data.ptr = source };
	int fd = source->fd;

	atomic_store(&source->armed, true);
	return epoll_ctl(s->epoll, how, fd, &event);
}

static void watch_again(
	struct mr_server *s, struct source *source, uint32_t events)
{
	watch(s, EPOLL_CTL_MOD, source, events);
}

/* --- deadlines */

static void start_ticking(struct mr_server *s)
{
	const struct itimerspec soon = { .it_value.tv_sec = TICK_S };

	if (!s->ticking)
		timerfd_settime(s->timer.fd, 0, &soon, NULL);
	s->ticking = true;
}

/* From the first octet of a request that is not whole, whatever follows. */
static void set_deadline(struct mr_server *s, struct client *client, int in_ms)
{
	client->timed = true;
	pthread_mutex_lock(&s->lock);
	if (client->deadline_ms == 0) {
		client->deadline_ms = mr_clock_ms() + in_ms;
		DL_APPEND(s->deadlines, client);
		start_ticking(s);
	}
	pthread_mutex_unlock(&s->lock);
}

/* Was it late? */
static bool clear_deadline(struct mr_server *s, struct client *client)
{
	if (client->timed) {
		client->timed = false;
		pthread_mutex_lock(&s->lock);
		if (client->deadline_ms != 0)
			DL_DELETE(s->deadlines, client);
		client->deadline_ms = 0;
		pthread_mutex_unlock(&s->lock);
	}
	return client->late;
}

/* Whoever has the client, or gets it now, finds it at its end. */
static void act_timer(struct mr_server *s, struct source *source)
{
	int64_t now = mr_clock_ms();
	struct client *client;
	uint64_t ticks;

	if (read(source->fd, &ticks, sizeof(ticks)) < 0)
		ticks = 0;
	pthread_mutex_lock(&s->lock);
	while ((client = s->deadlines) != NULL && client->deadline_ms <= now) {
		DL_DELETE(s->deadlines, client);
		client->deadline_ms = 0;
		client->late = true;
		shutdown(client->connection.fd, SHUT_RDWR);
	}
	s->ticking = false;
	if (s->deadlines != NULL)
		start_ticking(s);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n_listen; i++)
		watch_again(s, &s->listen[i], EPOLLIN);
	watch_again(s, source, EPOLLIN);
}

/* --- connections */

/* Is it time to tell of that kind of trouble again? */
static bool may_warn(struct mr_server *s)
{
	int64_t now = mr_clock_ms(), last = atomic_load(&s->warned_ms);

	return (last == 0 || now - last >= WARN_MS) &&
	       atomic_compare_exchange_strong(&s->warned_ms, &last, now);
}

static void end_client(
	struct mr_server *s, struct client *client, const char *why)
{
	char peer[128];

	if (clear_deadline(s, client))
		why = "it did not go on in time";
	if (why != NULL) {
		mr_connection_peer(client->connection.fd, peer, sizeof(peer));
		mr_log(MR_LOG_WARNING, "the connection of %s is ended: %s",
			peer, why);
	}
	mr_connection_close(&client->connection);
	free(client);
	atomic_fetch_sub(&s->connections, 1);
}

static void go_on(struct mr_server *s, struct client *client,
	enum mr_connection_state state, const char *why)
{
	switch (state) {
	case MR_CONNECTION_WAITS:
		clear_deadline(s, client);
		watch_again(s, &client->source, EPOLLIN);
		break;
	case MR_CONNECTION_READS:
		set_deadline(s, client, MR_SERVER_READ_MS);
		watch_again(s, &client->source, EPOLLIN);
		break;
	case MR_CONNECTION_HAS_MORE:
	case MR_CONNECTION_ANSWERS:
	case MR_CONNECTION_WRITES:
		client->more = state == MR_CONNECTION_HAS_MORE;
		set_deadline(s, client, MR_SERVER_WRITE_MS);
		watch_again(s, &client->source, EPOLLOUT);
		break;
	case MR_CONNECTION_ENDED:
	case MR_CONNECTION_REFUSED:
		end_client(s, client, why);
		break;
	}
	atomic_fetch_sub(&s->under_way, 1);
}

/* All of them, then what is next for each: whoever is woken first shall not
 * sleep again before the last. */
static void send_answers(
	struct mr_server *s, struct client *const *clients, unsigned n)
{
	enum mr_connection_state states[HELD];

	for (unsigned i = 0; i < n; i++)
		states[i] = mr_connection_say(&clients[i]->connection);
	for (unsigned i = 0; i < n; i++)
		go_on(s, clients[i], states[i], NULL);
}

/* Under the lock: all that are held, which then are not. */
static unsigned take_held(struct mr_server *s, struct client **clients)
{
	unsigned n = atomic_exchange(&s->n_held, 0);

	memcpy(clients, s->held, n * sizeof(struct client *));
	return n;
}

static void send_held(struct mr_server *s)
{
	struct client *clients[HELD];
	unsigned n;

	pthread_mutex_lock(&s->held_lock);
	n = take_held(s, clients);
	pthread_mutex_unlock(&s->held_lock);
	send_answers(s, clients, n);
}

/* Until there are enough; not at all while a thread is idle, as that one has
 * looked already. */
static void hold(struct mr_server *s, struct client *client)
{
	struct client *clients[HELD];
	unsigned n = 0;

	pthread_mutex_lock(&s->held_lock);
	s->held[atomic_fetch_add(&s->n_held, 1)] = client;
	if (atomic_load(&s->n_held) == HELD || atomic_load(&s->idle) > 0)
		n = take_held(s, clients);
	pthread_mutex_unlock(&s->held_lock);
	send_answers(s, clients, n);
}

static void act_client(struct mr_server *s, struct source *source)
{
	struct client *client = (struct client *)source;
	unsigned answered = 0;
	const char *why;
	enum mr_connection_state state;

	atomic_fetch_add(&s->under_way, 1);
	if (client->more)
		clear_deadline(s, client);
	client->more = false;
	state = mr_connection_serve(
		&client->connection, s->answerer, &answered, &why);
	atomic_fetch_add(&s->requests, answered);
	if (answered > 0)
		clear_deadline(s, client);
	if (state != MR_CONNECTION_ANSWERS)
		go_on(s, client, state, why);
	else
		hold(s, client);
}

static void greet(struct mr_server *s, int fd)
{
	struct client *client;

	if (atomic_fetch_add(&s->connections, 1) >= s->most) {
		atomic_fetch_sub(&s->connections, 1);
		if (may_warn(s))
			mr_log(MR_LOG_WARNING,
				"there are %u connections, more are turned "
				"away: look for who opens so many, or raise "
				"LimitNOFILE",
				s->most);
		close(fd);
		return;
	}
	client = mr_calloc(1, sizeof(*client));
	client->source = (struct source){ act_client, fd };
	client->connection.fd = fd;
	if (watch(s, EPOLL_CTL_ADD, &client->source, EPOLLIN) < 0)
		end_client(s, client, strerror(errno));
}

/* The timer arms it again where there is no descriptor left. */
static void act_listen(struct mr_server *s, struct source *source)
{
	for (int i = 0; i < ACCEPTS && !atomic_load(&s->stopping); i++) {
		int fd = accept4(
			source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			greet(s, fd);
		} else if (errno == EMFILE || errno == ENFILE ||
			   errno == ENOBUFS || errno == ENOMEM) {
			if (may_warn(s))
				mr_log(MR_LOG_WARNING,
					"cannot take a connection: %s",
					strerror(errno));
			pthread_mutex_lock(&s->lock);
			start_ticking(s);
			pthread_mutex_unlock(&s->lock);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			break;
		}
	}
	if (!atomic_load(&s->stopping))
		watch_again(s, source, EPOLLIN);
}

/* --- threads */

static void *work(void *context);

/* The new one counts as idle from now on, so that one event makes one. */
static int add_thread(struct mr_server *s)
{
	pthread_t thread;
	int problem;

	atomic_fetch_add(&s->idle, 1);
	atomic_fetch_add(&s->threads, 1);
	problem = pthread_create(&thread, NULL, work, s);
	if (problem == 0) {
		pthread_detach(thread);
		return 0;
	}
	atomic_fetch_sub(&s->threads, 1);
	atomic_fetch_sub(&s->idle, 1);
	return problem;
}

static void leave_idle(struct mr_server *s)
{
	if (atomic_fetch_sub(&s->idle, 1) == 1 &&
		!atomic_exchange(&s->looking, true))
		eventfd_write(s->starved, 1);
}

/* As many again: of a hundred requests that come together none then waits for
 * long. */
static void add_threads(struct mr_server *s)
{
	unsigned n = atomic_load(&s->threads);
	int problem = 0;

	if (n > MR_SERVER_THREADS - n)
		n = MR_SERVER_THREADS - n;
	for (unsigned i = 0; i < n && problem == 0; i++)
		problem = add_thread(s);
	if (problem != 0 && may_warn(s))
		mr_log(MR_LOG_WARNING,
			"cannot start a thread: %s; requests wait for each "
			"other",
			strerror(problem));
}

/* Until a thread is free. */
static void look(struct mr_server *s)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };

	do {
		unsigned long long before = atomic_load(&s->requests);

		nanosleep(&pause, NULL);
		if (atomic_load(&s->idle) == 0 &&
			atomic_load(&s->requests) - before < BUSY) {
			add_threads(s);
			send_held(s);
		}
	} while (atomic_load(&s->idle) == 0);
}

/* The thread that sees to it that there are enough of the others. */
static void *keep(void *context)
{
	struct mr_server *s = context;
	eventfd_t ignored;

	for (;;) {
		if (eventfd_read(s->starved, &ignored) < 0)
			continue;
		look(s);
		atomic_store(&s->looking, false);
		if (atomic_load(&s->idle) == 0 &&
			!atomic_exchange(&s->looking, true))
			eventfd_write(s->starved, 1);
	}
	return NULL;
}

/* One stays. */
static bool may_go(struct mr_server *s)
{
	unsigned idle = atomic_load(&s->idle);

	while (idle > 1)
		if (atomic_compare_exchange_weak(&s->idle, &idle, idle - 1)) {
			atomic_fetch_sub(&s->threads, 1);
			return true;
		}
	return false;
}

/* One more event, if it is there already; else what is held is sent. */
static bool take_another(struct mr_server *s, struct epoll_event *event)
{
	if (atomic_load(&s->n_held) == 0)
		return false;
	if (epoll_wait(s->epoll, event, 1, 0) > 0)
		return true;
	send_held(s);
	return false;
}

static void act_on(struct mr_server *s, const struct epoll_event *event)
{
	struct source *source = event->data.ptr;

	atomic_exchange(&source->armed, false);
	source->act(s, source);
}

static void *work(void *context)
{
	struct mr_server *s = context;

	for (;;) {
		struct epoll_event event;
		int n = epoll_wait(s->epoll, &event, 1, MR_SERVER_IDLE_MS);

		if (n < 0 && errno != EINTR) {
			mr_log(MR_LOG_ERROR, "epoll: %s", strerror(errno));
			eventfd_write(s->ended, 1);
			return NULL;
		}
		if (n == 0 && may_go(s))
			return NULL;
		if (n <= 0)
			continue;
		leave_idle(s);
		do
			act_on(s, &event);
		while (take_another(s, &event));
		atomic_fetch_add(&s->idle, 1);
		if (atomic_load(&s->n_held) > 0)
			send_held(s);
	}
}

/* --- from outside */

static unsigned most_connections(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
		limit.rlim_cur >= MR_SERVER_CONNECTIONS + OTHER_FDS)
		return MR_SERVER_CONNECTIONS;
	if (limit.rlim_cur < 2 * OTHER_FDS)
		return (unsigned)limit.rlim_cur / 2;
	return (unsigned)limit.rlim_cur - OTHER_FDS;
}

static int open_source(struct mr_server *s, struct source *source, int fd,
	void (*act)(struct mr_server *server, struct source *source))
{
	*source = (struct source){ act, fd };
	return fcntl(fd, F_SETFL, O_NONBLOCK) < 0
	               ? -1
	               : watch(s, EPOLL_CTL_ADD, source, EPOLLIN);
}

int mr_server_open(const struct mr_answerer *answerer,
	struct mr_listens *listens, struct mr_server **server_r,
	struct mr_error *error)
{
	struct mr_server *s = mr_calloc(1, sizeof(*s));
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	s->answerer = answerer;
	s->most = most_connections();
	s->n_listen = listens->n;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->held_lock, NULL);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->starved = eventfd(0, EFD_CLOEXEC);
	if (s->epoll < 0 || s->starved < 0 || timer < 0 ||
		open_source(s, &s->timer, timer, act_timer) < 0)
		return mr_error_set(error, "epoll: %s", strerror(errno));
	for (size_t i = 0; i < s->n_listen; i++)
		if (open_source(s, &s->listen[i], listens->socket[i].fd,
			    act_listen) < 0)
			return mr_error_set(
				error, "epoll: %s", strerror(errno));
	*server_r = s;
	return 0;
}

int mr_server_start(struct mr_server *s, int ended, struct mr_error *error)
{
	pthread_t keeper;
	int problem;

	s->ended = ended;
	problem = add_thread(s);
	if (problem == 0)
		problem = pthread_create(&keeper, NULL, keep, s);
	if (problem != 0)
		return mr_error_set(error, "thread: %s", strerror(problem));
	pthread_detach(keeper);
	return 0;
}

void mr_server_quiesce(struct mr_server *s)
{
	atomic_store(&s->stopping, true);
	for (size_t i = 0; i < s->n_listen; i++)
		epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listen[i].fd, NULL);
}

struct mr_server_status mr_server_status(struct mr_server *s)
{
	return (struct mr_server_status){
		.connections = atomic_load(&s->connections),
		.threads = atomic_load(&s->threads),
		.under_way = atomic_load(&s->under_way),
		.requests = atomic_load(&s->requests),
	};
}
