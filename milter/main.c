/* main - mailreeve-milter: the policy at SMTP time, for Postfix. */
/* SPDX-License-Identifier: ISC */
#include "common/base/clock.h"
#include "common/daemon/daemon.h"
#include "common/daemon/status.h"
#include "common/policy/engine.h"
#include "common/policy/policy.h"
#include "common/state/quotas_client.h"
#include "milter/events.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

/* While stopping: libmilter writes an answer after our callback gave it; and a
 * client that has come and has not begun its mail would hear 451 to it. */
enum { WRITE_MS = 200, FRESH_MS = 2000 };

struct milter {
	struct mr_events events;
	struct mr_quotas quotas;
	int ended;
};

static const struct mr_service *settings(const struct mr_policy *policy)
{
	return policy->milter;
}

static int open_mta(void *state, struct mr_engine *engine,
	struct mr_listens *listens, struct mr_error *error)
{
	struct milter *milter = state;
	struct mr_policy *policy = mr_engine_policy(engine);

	milter->quotas = mr_quotas_client_quotas(
		mr_quotas_client_new(policy->policyd->query));
	mr_policy_release(&policy);
	milter->events.quotas = &milter->quotas;
	milter->events.engine = engine;
	return mr_mta_open(listens->socket[0].fd, &mr_events_callbacks,
		&milter->events, error);
}

static void *answer(void *state)
{
	const struct milter *milter = state;

	mr_mta_run();
	eventfd_write(milter->ended, 1);
	return NULL;
}

static int start(void *state, int ended, struct mr_error *error)
{
	struct milter *milter = state;
	pthread_t thread;
	int problem;

	milter->ended = ended;
	problem = pthread_create(&thread, NULL, answer, milter);
	if (problem != 0)
		return mr_error_set(error, "thread: %s", strerror(problem));
	pthread_detach(thread);
	return 0;
}

static int quiesce(
	void *state, struct mr_listens *listens, struct mr_error *error)
{
	struct milter *milter = state;
	int fd;

	/* whom libmilter has just accepted, we do not know yet */
	atomic_store(&milter->events.spoke_ms, mr_clock_ms());
	fd = mr_mta_quiesce(error);
	if (fd < 0)
		return -1;
	listens->socket[0].fd = fd;
	return 0;
}

static struct mr_front_work work(void *state)
{
	struct mr_events *events = &((struct milter *)state)->events;
	struct mr_front_work work = {
		.mails = atomic_load(&events->transactions),
		.quiet_ms = atomic_load(&events->spoke_ms) + WRITE_MS,
	};
	int64_t fresh_ms = atomic_load(&events->came_ms) + FRESH_MS;

	if (atomic_load(&events->fresh) > 0 && work.quiet_ms < fresh_ms)
		work.quiet_ms = fresh_ms;
	return work;
}

static void status(void *state, struct mr_arena *arena, FILE *out)
{
	struct mr_events *events = &((struct milter *)state)->events;

	mr_status_say(
		arena, out, "sessions", "%u", atomic_load(&events->sessions));
	mr_status_say(arena, out, "transactions", "%u",
		atomic_load(&events->transactions));
}

int main(int argc, char **argv)
{
	static const struct mr_front front = {
		.program = "mailreeve-milter",
		.section = &mr_section_milter,
		.sockets = 1,
		.settings = settings,
		.open = open_mta,
		.start = start,
		.quiesce = quiesce,
		.work = work,
		.status = status,
	};
	static struct milter milter;

	mr_daemon_run(argc, argv, &front, &milter);
}
