/* memory - see memory.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/memory.h"
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/base/units.h"
#include "common/config/sections.h"
#include "common/daemon/status.h"
#include "policyd/counter_rows.h"
#include "policyd/counters.h"
#include "policyd/owners.h"
#include "policyd/queries.h"
#include "policyd/quotas.h"
#include "policyd/rates.h"
#include "policyd/reports.h"
#include "policyd/store.h"
#include "policyd/usages.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

struct mr_memory {
	char *place;
	struct mr_counters *counters;
	struct mr_counter_rows rows; /* the store's thread's */
	struct mr_rates rates;
	struct mr_usages *usages;
	struct mr_quotas quotas;
	struct mr_reports *reports;   /* NULL: nobody can report */
	struct mr_queries *queries;   /* NULL: nobody can ask */
	struct mr_state_store *store; /* NULL: not started, or ended */
};

/* The numbers of those that exist. */
static size_t find_users(const struct mr_list *names, uid_t *users)
{
	const char *const *name = names->items;
	size_t n = 0;

	for (size_t i = 0; i < names->count; i++) {
		const struct passwd *entry = getpwnam(name[i]);

		if (entry != NULL)
			users[n++] = entry->pw_uid;
		else
			mr_log(MR_LOG_INFO,
				"policyd { mail_users }: no system user %s",
				name[i]);
	}
	return n;
}

struct mr_memory *mr_memory_new(const struct mr_service *settings)
{
	struct mr_memory *memory = mr_calloc(1, sizeof(*memory));
	uid_t *users = mr_calloc(settings->mail_users.count + 1, sizeof(uid_t));
	size_t n = find_users(&settings->mail_users, users);
	struct mr_error error;

	memory->place = mr_calloc(1, strlen(settings->state) + 1);
	strcpy(memory->place, settings->state);
	memory->counters = mr_counters_new(MR_COUNTERS_MOST);
	memory->rows.counters = memory->counters;
	mr_counter_rows_read_boot(memory->rows.boot);
	memory->rates = mr_rates_of(memory->counters);
	memory->usages = mr_usages_new(MR_USAGES_MOST, settings->hold * 1000);
	memory->quotas = mr_quotas_of(memory->usages);
	if (mr_reports_open(
		    settings->usage, users, n, &memory->reports, &error) < 0)
		mr_log(MR_LOG_WARNING,
			"%s: going on without reports of usage: see policyd "
			"{ usage }",
			error.text);
	if (mr_queries_open(settings->query, memory->quotas, &memory->queries,
		    &error) < 0)
		mr_log(MR_LOG_WARNING,
			"%s: the milter cannot ask how full mailboxes are: see "
			"policyd { query }",
			error.text);
	free(users);
	return memory;
}

static void seen(void *context, const struct mr_state_store_row *row)
{
	struct mr_memory *memory = context;

	if (strcmp(row->kind, MR_STORE_USAGE) == 0) {
		struct mr_usages_now now = mr_usages_now();

		mr_usages_load(memory->usages, row, &now);
	} else {
		struct mr_counter_rows_now now = mr_counter_rows_now();

		mr_counter_rows_load(&memory->rows, row, &now);
	}
}

static void save(void *context, struct mr_state_store *store, bool all)
{
	struct mr_memory *memory = context;
	struct mr_counter_rows_now now = mr_counter_rows_now();

	mr_counter_rows_save(&memory->rows, store, all, &now);
	if (all) {
		struct mr_usages_now usages_now = mr_usages_now();

		mr_usages_save(memory->usages, &usages_now, store);
	}
}

void mr_memory_start(
	struct mr_memory *memory, struct mr_engine *engine, int ended)
{
	const struct mr_state_store_owner owner = { memory, seen, save };
	const struct mr_owners_source owners = { mr_owners_in_userdb, engine };
	struct mr_error error;

	memory->store = mr_state_store_new(
		&mr_state_store_sqlite, memory->place, &owner);
	if (memory->reports != NULL &&
		mr_reports_start(memory->reports, memory->usages, memory->store,
			&owners, &error) < 0)
		mr_log(MR_LOG_WARNING, "%s: going on without reports of usage",
			error.text);
	if (memory->queries != NULL &&
		mr_queries_start(memory->queries, ended, &error) < 0)
		mr_log(MR_LOG_WARNING,
			"%s: the milter cannot ask how full mailboxes are",
			error.text);
}

void mr_memory_end(struct mr_memory *memory)
{
	mr_queries_stop(memory->queries);
	mr_reports_free(&memory->reports);
	mr_state_store_free(&memory->store);
}

const struct mr_rates *mr_memory_rates(const struct mr_memory *memory)
{
	return &memory->rates;
}

const struct mr_quotas *mr_memory_quotas(const struct mr_memory *memory)
{
	return &memory->quotas;
}

static const char *how_it_does(const struct mr_state_store_status *store)
{
	if (store->reading)
		return "is being read";
	return store->works ? "works" : store->error;
}

static void store_status(
	struct mr_memory *memory, struct mr_arena *arena, FILE *out)
{
	/* in this order: a row that was unsaved is pending by then */
	size_t unsaved = mr_counters_status(memory->counters).unsaved;
	struct mr_state_store_status store =
		mr_state_store_status(memory->store);

	mr_status_say(arena, out, "store", "%s: %s", memory->place,
		how_it_does(&store));
	mr_status_say(arena, out, "store_rows",
		"%" PRIu64 " written, %zu pending, %" PRIu64 " lost",
		store.written, store.pending + unsaved, store.lost);
	if (store.set_aside > 0)
		mr_status_say(
			arena, out, "store_set_aside", "%u", store.set_aside);
}

void mr_memory_status(
	struct mr_memory *memory, struct mr_arena *arena, FILE *out)
{
	struct mr_usages_now now = mr_usages_now();
	struct mr_usages_status usages = mr_usages_status(memory->usages, &now);
	struct mr_reports_status reports;

	mr_rates_say(memory->counters, arena, out);
	mr_status_say(arena, out, "mailboxes", "%zu", usages.mailboxes);
	mr_status_say(arena, out, "bookings", "%zu, %s", usages.bookings,
		mr_size_for_people(arena, usages.booked));
	if (memory->store != NULL)
		store_status(memory, arena, out);
	if (memory->queries != NULL)
		mr_status_say(arena, out, "queries", "%" PRIu64,
			mr_queries_count(memory->queries));
	if (memory->reports == NULL)
		return;
	reports = mr_reports_status(memory->reports);
	mr_status_say(arena, out, "reports",
		"%" PRIu64 " taken, %" PRIu64 " refused, %" PRIu64
		" broken, %" PRIu64 " dropped",
		reports.taken, reports.refused, reports.broken,
		reports.dropped);
}

void mr_memory_say_rates(
	struct mr_memory *memory, struct mr_arena *arena, FILE *out)
{
	mr_rates_say_top(memory->counters, arena, out);
}
