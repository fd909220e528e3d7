/* workers - see workers.h. */
/* SPDX-License-Identifier: ISC */
#include "milter/workers.h"
#include "common/base/arena.h"
#include "common/base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A callback that takes longer than a tick waits.  Twice as many calls as
 * callbacks began, so that 100 run after a handful of ticks; so many that wait
 * are enough, as each takes a thread. */
enum { TICK_MS = 20, CALLS_EACH = 2, MOST_WAITING = 1000 };

struct mr_workers {
	struct sockaddr_storage address;
	socklen_t size;
	int wake; /* eventfd(2) */
	atomic_uint
		under_way[2]; /* callbacks, by the tick that they began in */
	atomic_uint tick;
	atomic_uint begun;
	atomic_bool asleep, quiet;
	unsigned answered; /* of those begun: calls were made for them */
	bool failed;       /* and that was logged */
};

int mr_workers_new(
	int fd, struct mr_workers **workers_r, struct mr_error *error)
{
	struct mr_workers *w = mr_calloc(1, sizeof(*w));

	w->size = sizeof(w->address);
	w->wake = eventfd(0, EFD_CLOEXEC);
	if (w->wake >= 0 && getsockname(fd, (struct sockaddr *)&w->address,
				    &w->size) == 0) {
		*workers_r = w;
		return 0;
	}
	mr_error_set(error, "milter socket: %s", strerror(errno));
	if (w->wake >= 0)
		close(w->wake);
	free(w);
	return -1;
}

unsigned mr_workers_begin(struct mr_workers *w)
{
	unsigned began = atomic_load(&w->tick) % 2;

	atomic_fetch_add(&w->begun, 1);
	atomic_fetch_add(&w->under_way[began], 1);
	if (atomic_load(&w->asleep) && atomic_exchange(&w->asleep, false))
		eventfd_write(w->wake, 1);
	return began;
}

void mr_workers_end(struct mr_workers *w, unsigned began)
{
	atomic_fetch_sub(&w->under_way[began], 1);
}

/* false: not now.  A backlog that is full holds connections that do the same
 * as ours would. */
static bool call(struct mr_workers *w)
{
	int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int fd = socket(w->address.ss_family, type, 0);
	bool called = fd >= 0 && (connect(fd, (struct sockaddr *)&w->address,
					  w->size) == 0 ||
					 errno == EINPROGRESS);

	if (!called && errno != EAGAIN && !w->failed) {
		w->failed = true;
		mr_log(MR_LOG_WARNING,
			"cannot connect to the milter's own socket: %s; "
			"many sessions at once may have to wait for each other",
			strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return called;
}

static unsigned waiting(struct mr_workers *w)
{
	return atomic_load(&w->under_way[0]) + atomic_load(&w->under_way[1]);
}

static void look(struct mr_workers *w)
{
	unsigned begun = atomic_load(&w->begun), tick = atomic_load(&w->tick);
	unsigned calls = CALLS_EACH * (begun - w->answered);
	unsigned most = CALLS_EACH * waiting(w);

	/* The next tick's counter holds who began before this one. */
	if (atomic_load(&w->under_way[(tick + 1) % 2]) > 0 &&
		waiting(w) < MOST_WAITING && !atomic_load(&w->quiet)) {
		if (calls > most)
			calls = most;
		while (calls > 0 && call(w))
			calls--;
		w->answered = calls == 0 ? begun : w->answered;
	}
	atomic_store(&w->tick, tick + 1);
}

static void sleep_until_begun(struct mr_workers *w)
{
	eventfd_t ignored;

	atomic_store(&w->asleep, true);
	if (waiting(w) > 0 && atomic_exchange(&w->asleep, false))
		return;
	(void)eventfd_read(w->wake, &ignored);
}

static void *watch(void *context)
{
	struct mr_workers *w = context;

	for (;;) {
		if (waiting(w) == 0) {
			w->answered = atomic_load(&w->begun);
			sleep_until_begun(w);
		}
		poll(NULL, 0, TICK_MS);
		look(w);
	}
	return NULL;
}

int mr_workers_watch(struct mr_workers *w, struct mr_error *error)
{
	pthread_t thread;
	int problem = pthread_create(&thread, NULL, watch, w);

	if (problem != 0)
		return mr_error_set(error, "thread: %s", strerror(problem));
	pthread_detach(thread);
	return 0;
}

void mr_workers_quiesce(struct mr_workers *w)
{
	atomic_store(&w->quiet, true);
}
