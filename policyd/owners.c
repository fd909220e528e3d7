/* owners - see owners.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/owners.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/map/map.h"
#include "common/policy/engine.h"
#include "common/policy/policy.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* For one question. */
enum { WAIT_MS = 1000 };

struct waiting {
	bool used;
	uid_t sender;
	struct mr_report report;
	char mailbox[MR_REPORT_MAILBOX + 1];
};

struct mr_owners {
	struct mr_owners_source source;
	struct mr_owners_listener listener;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t more;
	bool ends;
	size_t n_waiting, next;
	struct waiting waiting[MR_OWNERS_WAITING];
};

/* --- the userdb --------------------------------------------------------- */

static int parse_uid(const char *text, size_t length, uid_t *owner_r)
{
	uint64_t number = 0;

	if (length == 0 || length > 10)
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	/* -1 is what the kernel says of nobody */
	if (number >= (uid_t)-1)
		return -1;
	*owner_r = (uid_t)number;
	return 0;
}

int mr_owners_parse(const char *value, const char *mailbox, uid_t *owner_r)
{
	size_t length = strcspn(value, "\t");

	if (strlen(mailbox) != length || memcmp(value, mailbox, length) != 0)
		return -1;
	for (value += length; *value == '\t'; value += length) {
		value++;
		length = strcspn(value, "\t");
		if (strncmp(value, "uid=", 4) == 0)
			return parse_uid(value + 4, length - 4, owner_r);
	}
	return -1;
}

enum mr_lookup mr_owners_in_userdb(
	void *context, const char *mailbox, uid_t *owner_r)
{
	struct mr_policy *policy = mr_engine_policy(context);
	struct mr_arena *arena = mr_arena_new(1024);
	int64_t deadline_ms = mr_clock_ms() + WAIT_MS;
	enum mr_lookup answer = MR_NOTFOUND;

	for (size_t i = 0;
		i < policy->maps.n_mailboxes && answer == MR_NOTFOUND; i++) {
		struct mr_map *map = policy->maps.mailboxes[i];
		struct mr_error ignored;
		const char *value;

		if (!mr_map_names_users(map))
			continue;
		answer = mr_map_get(
			map, arena, mailbox, deadline_ms, &value, &ignored);
		if (answer == MR_FOUND &&
			mr_owners_parse(value, mailbox, owner_r) < 0)
			answer = MR_NOTFOUND;
	}
	mr_arena_free(&arena);
	mr_policy_release(&policy);
	return answer;
}

/* --- the thread --------------------------------------------------------- */

/* Under the lock: the next one in turn.  NULL: it is time to end. */
static struct waiting *wait_for_one(struct mr_owners *owners)
{
	struct waiting *one;

	while (owners->n_waiting == 0 && !owners->ends)
		pthread_cond_wait(&owners->more, &owners->lock);
	if (owners->ends)
		return NULL;
	do {
		one = &owners->waiting[owners->next++ % MR_OWNERS_WAITING];
	} while (!one->used);
	return one;
}

/* What the sender has sent meanwhile is in its place. */
static void take(struct mr_owners *owners, struct waiting *one,
	struct mr_report *report, char *mailbox)
{
	strcpy(mailbox, one->mailbox);
	*report = one->report;
	report->mailbox = mailbox;
	one->used = false;
	owners->n_waiting--;
}

static void *run(void *argument)
{
	struct mr_owners *owners = argument;
	char mailbox[MR_REPORT_MAILBOX + 1];
	struct mr_report report;
	struct waiting *one;

	pthread_mutex_lock(&owners->lock);
	while ((one = wait_for_one(owners)) != NULL) {
		uid_t sender = one->sender, owner;
		enum mr_lookup answer;

		strcpy(mailbox, one->mailbox);
		pthread_mutex_unlock(&owners->lock);
		answer = owners->source.find(
			owners->source.context, mailbox, &owner);
		if (answer == MR_FOUND && owner != sender)
			answer = MR_NOTFOUND;
		pthread_mutex_lock(&owners->lock);
		take(owners, one, &report, mailbox);
		pthread_mutex_unlock(&owners->lock);
		owners->listener.decided(
			owners->listener.context, answer, sender, &report);
		pthread_mutex_lock(&owners->lock);
	}
	pthread_mutex_unlock(&owners->lock);
	return NULL;
}

int mr_owners_new(const struct mr_owners_source *source,
	const struct mr_owners_listener *listener, struct mr_owners **owners_r,
	struct mr_error *error)
{
	struct mr_owners *owners = mr_calloc(1, sizeof(*owners));
	int problem;

	owners->source = *source;
	owners->listener = *listener;
	pthread_mutex_init(&owners->lock, NULL);
	pthread_cond_init(&owners->more, NULL);
	problem = pthread_create(&owners->thread, NULL, run, owners);
	if (problem == 0) {
		*owners_r = owners;
		return 0;
	}
	pthread_cond_destroy(&owners->more);
	pthread_mutex_destroy(&owners->lock);
	free(owners);
	*owners_r = NULL;
	return mr_error_set(error, "thread: %s", strerror(problem));
}

void mr_owners_free(struct mr_owners **owners)
{
	struct mr_owners *o = *owners;

	if (o == NULL)
		return;
	*owners = NULL;
	pthread_mutex_lock(&o->lock);
	o->ends = true;
	pthread_cond_signal(&o->more);
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->thread, NULL);
	pthread_cond_destroy(&o->more);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

/* Under the lock: the sender's own place, or a free one, or NULL. */
static struct waiting *place_of(struct mr_owners *owners, uid_t sender)
{
	struct waiting *free_one = NULL;

	for (size_t i = 0; i < MR_OWNERS_WAITING; i++) {
		struct waiting *one = &owners->waiting[i];

		if (one->used && one->sender == sender)
			return one;
		if (!one->used && free_one == NULL)
			free_one = one;
	}
	return free_one;
}

int mr_owners_ask(
	struct mr_owners *owners, uid_t sender, const struct mr_report *report)
{
	struct waiting *one;
	int result = -1;

	pthread_mutex_lock(&owners->lock);
	one = place_of(owners, sender);
	if (one != NULL && !one->used) {
		one->used = true;
		one->sender = sender;
		strcpy(one->mailbox, report->mailbox);
		owners->n_waiting++;
		pthread_cond_signal(&owners->more);
	}
	if (one != NULL && strcmp(one->mailbox, report->mailbox) == 0) {
		one->report = *report;
		one->report.mailbox = NULL;
		result = 0;
	}
	pthread_mutex_unlock(&owners->lock);
	return result;
}
