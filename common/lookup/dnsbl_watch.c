/* dnsbl_watch - probes the lists by their test points, in a thread of its own;
 * see dnsbl.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/lookup/dnsbl_set.h"

#include <signal.h>
#include <strings.h>

/* A probe waits for all answers together, and the thread between two looks. */
enum { PROBE_WAIT_MS = 5 * 1000, LOOK_MS = 2 * 1000 };

struct probe {
	const char *listed, *unlisted, *made_up;
};

/* RFC 5782 section 5; `test` instead of what must be listed. */
static struct probe plan(
	struct mr_arena *arena, const struct mr_dnsbl_list *list, int kind)
{
	static const unsigned char one[] = { 0, 0, 1 }, two[] = { 0, 0, 2 };
	struct probe probe = { .made_up = mr_dnsbl_made_up(arena, list, kind) };
	bool own = list->test != NULL;
	struct mr_error ignored;
	struct mr_ip ip;

	if (list->ask == MR_LISTED_CLIENT) {
		probe.unlisted = mr_dnsbl_test_address(arena, list, kind, one);
		if (!own)
			probe.listed =
				mr_dnsbl_test_address(arena, list, kind, two);
		else if (mr_ip_parse(list->test, &ip, &ignored) == 0 &&
			 (ip.family == AF_INET6) == (kind == MR_DNSBL_IPV6))
			probe.listed =
				mr_dns_reverse_name(arena, &ip, list->zone);
	} else {
		probe.unlisted = mr_dnsbl_name(arena, list, "invalid");
		if (!own || strcasecmp(list->test, "none") != 0)
			probe.listed = mr_dnsbl_name(
				arena, list, own ? list->test : "test");
	}
	return probe;
}

static void ask_one(struct mr_dns *dns, const struct mr_dnsbl_list *list,
	const char *name, int64_t deadline_ms, struct mr_arena *arena,
	enum mr_dnsbl_says *says, struct mr_ip *code)
{
	struct mr_ip seen;

	*says = mr_dnsbl_question(dns, list, name, deadline_ms, arena, &seen);
	if (*says != MR_DNSBL_CLEAR && code->family == 0)
		*code = seen;
}

static void finish_probe(struct mr_dnsbl *d, struct mr_dns *dns, size_t i,
	int kind, const struct probe *plan, int64_t deadline_ms,
	struct mr_arena *arena)
{
	const struct mr_dnsbl_list *list = &d->lists[i];
	struct mr_dnsbl_probe probe = { .listed = MR_DNSBL_LISTED,
		.may_be_absent = kind == MR_DNSBL_IPV6 };
	struct mr_ip ignored = { .family = AF_INET };
	bool changed;

	ask_one(dns, list, plan->made_up, deadline_ms, arena, &probe.made_up,
		&probe.code);
	ask_one(dns, list, plan->unlisted, deadline_ms, arena, &probe.unlisted,
		&probe.code);
	if (plan->listed != NULL)
		ask_one(dns, list, plan->listed, deadline_ms, arena,
			&probe.listed,
			probe.code.family == 0 ? &probe.code : &ignored);
	if (probe.listed == MR_DNSBL_LISTED &&
		probe.made_up == MR_DNSBL_CLEAR &&
		probe.unlisted == MR_DNSBL_CLEAR)
		probe.code.family = 0;
	pthread_mutex_lock(&d->lock);
	changed = mr_dnsbl_health_probed(
		&d->health[i][kind], &probe, mr_clock_ms());
	mr_dnsbl_unlock(d, i, kind, changed);
}

static bool is_due(struct mr_dnsbl *d, size_t i, int kind)
{
	bool due;

	if (kind == MR_DNSBL_IPV6 && d->lists[i].ask != MR_LISTED_CLIENT)
		return false;
	pthread_mutex_lock(&d->lock);
	due = mr_dnsbl_health_is_due(&d->health[i][kind], mr_clock_ms());
	pthread_mutex_unlock(&d->lock);
	return due;
}

/* All that are due, together: the dead ones do not hold up the others. */
void mr_dnsbl_probe(struct mr_dnsbl *d, struct mr_dns *dns)
{
	struct mr_arena *arena = mr_arena_new(4096);
	struct probe(*plans)[MR_DNSBL_KINDS] =
		mr_arena_alloc(arena, d->n * sizeof(*plans));
	int64_t deadline_ms;

	for (size_t i = 0; i < d->n; i++)
		for (int kind = MR_DNSBL_FIRST; kind < MR_DNSBL_KINDS; kind++) {
			struct probe *p = &plans[i][kind];

			if (!is_due(d, i, kind))
				continue;
			*p = plan(arena, &d->lists[i], kind);
			mr_dns_prefetch(dns, p->made_up, MR_DNS_A);
			mr_dns_prefetch(dns, p->unlisted, MR_DNS_A);
			if (p->listed != NULL)
				mr_dns_prefetch(dns, p->listed, MR_DNS_A);
		}
	deadline_ms = mr_clock_ms() + PROBE_WAIT_MS;
	for (size_t i = 0; i < d->n; i++)
		for (int kind = MR_DNSBL_FIRST; kind < MR_DNSBL_KINDS; kind++)
			if (plans[i][kind].made_up != NULL)
				finish_probe(d, dns, i, kind, &plans[i][kind],
					deadline_ms, arena);
	mr_arena_free(&arena);
}

static void *watch(void *context)
{
	struct mr_dnsbl *d = context;

	pthread_mutex_lock(&d->lock);
	while (!d->ending) {
		int64_t next_ms;
		struct timespec next;

		pthread_mutex_unlock(&d->lock);
		mr_dnsbl_probe(d, d->dns);
		next_ms = mr_clock_ms() + LOOK_MS;
		next.tv_sec = next_ms / 1000;
		next.tv_nsec = next_ms % 1000 * 1000000;
		pthread_mutex_lock(&d->lock);
		while (!d->ending && mr_clock_ms() < next_ms)
			pthread_cond_timedwait(&d->ended, &d->lock, &next);
	}
	pthread_mutex_unlock(&d->lock);
	mr_dnsbl_destroy(d);
	return NULL;
}

void mr_dnsbl_watch(struct mr_dnsbl *d, struct mr_dns *dns)
{
	sigset_t all, before;
	pthread_t thread;

	if (d->n == 0 || d->dns != NULL)
		return;
	d->dns = mr_dns_hold(dns);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (pthread_create(&thread, NULL, watch, d) == 0) {
		pthread_detach(thread);
	} else {
		mr_dns_free(&d->dns);
		mr_log(MR_LOG_WARNING,
			"no thread to watch the lists: they are only checked "
			"when they list something; restart when there is more "
			"memory");
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
