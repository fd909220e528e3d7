/* counter_rows - see counter_rows.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/counter_rows.h"
#include "common/config/sections.h"
#include "policyd/counters.h"
#include "policyd/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* AT_ONCE: of a second; bounds what is waiting for the disk.  FORGET_MS: how
 * often rows whose time is over are deleted. */
enum { AT_ONCE = 50 * 1000, FORGET_MS = 10 * 60 * 1000, KIND = 64 };

static int64_t ms_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct mr_counter_rows_now mr_counter_rows_now(void)
{
	return (struct mr_counter_rows_now){
		.boot_ms = ms_of(CLOCK_BOOTTIME),
		.wall_ms = ms_of(CLOCK_REALTIME),
	};
}

void mr_counter_rows_read_boot(char boot[MR_COUNTER_ROWS_BOOT])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	boot[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(boot, MR_COUNTER_ROWS_BOOT, file) == NULL)
		boot[0] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	fclose(file);
}

/* --- the clock */

/* What the file says may be anything. */
static int64_t passed_ms(int64_t from, int64_t to)
{
	int64_t passed;

	if (from >= to)
		return 0;
	return __builtin_sub_overflow(to, from, &passed) ? INT64_MAX : passed;
}

static void date_by(struct mr_counter_rows *rows,
	const struct mr_state_store_row *saved,
	const struct mr_counter_rows_now *now)
{
	int64_t boot_ms = saved->value[0], wall_ms = saved->value[1];
	bool same =
		rows->boot[0] != '\0' && strcmp(saved->name, rows->boot) == 0;
	int64_t passed = same ? passed_ms(boot_ms, now->boot_ms)
	                      : passed_ms(wall_ms, now->wall_ms);

	rows->dated =
		!__builtin_add_overflow(saved->at, passed, &rows->ahead_ms) &&
		!__builtin_sub_overflow(
			rows->ahead_ms, now->boot_ms, &rows->ahead_ms);
}

static int64_t date(
	struct mr_counter_rows *rows, const struct mr_counter_rows_now *now)
{
	if (!rows->dated)
		rows->ahead_ms = now->wall_ms - now->boot_ms;
	rows->dated = true;
	return rows->ahead_ms + now->boot_ms;
}

static void save_clock(const struct mr_counter_rows *rows,
	struct mr_state_store *store, int64_t date_ms,
	const struct mr_counter_rows_now *now)
{
	mr_state_store_put(
		store, &(struct mr_state_store_row){
			       .kind = MR_STORE_CLOCK,
			       .name = rows->boot,
			       .at = date_ms,
			       .value = { now->boot_ms, now->wall_ms },
		       });
}

/* --- a counter: its kind is "login/recipients/3600" */

static int find_word(const char *const *words, const char *text, size_t length)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strlen(words[i]) == length &&
			memcmp(words[i], text, length) == 0)
			return i;
	return -1;
}

static bool read_kind(const char *text, struct mr_rate_key *key)
{
	size_t kind = strcspn(text, "/"), measure;
	int found = find_word(mr_rate_kind_words, text, kind);
	char end;

	if (found < 0 || text[kind] == '\0')
		return false;
	key->kind = (unsigned)found;
	text += kind + 1;
	measure = strcspn(text, "/");
	found = find_word(mr_rate_measure_words, text, measure);
	key->measure = (unsigned)found;
	return found >= 0 && sscanf(text + measure, "/%9" SCNd64 "%c",
				     &key->seconds, &end) == 1;
}

static void load_counter(struct mr_counter_rows *rows,
	const struct mr_state_store_row *row,
	const struct mr_counter_rows_now *now)
{
	struct mr_counter counter = { .key.name = row->name };

	if (row->value[0] < 0 || row->value[1] < 0 || row->value[2] < 0 ||
		!read_kind(row->kind, &counter.key))
		return;
	counter.before = (uint64_t)row->value[0];
	counter.current = (uint64_t)row->value[1];
	counter.limit = (uint64_t)row->value[2];
	counter.age_ms = passed_ms(row->at, date(rows, now));
	mr_counters_load(rows->counters, &counter, now->boot_ms);
}

void mr_counter_rows_load(struct mr_counter_rows *rows,
	const struct mr_state_store_row *row,
	const struct mr_counter_rows_now *now)
{
	if (strcmp(row->kind, MR_STORE_CLOCK) == 0)
		date_by(rows, row, now);
	else
		load_counter(rows, row, now);
}

/* --- saving */

struct saving {
	struct mr_state_store *store;
	int64_t date_ms;
};

static int64_t bounded(uint64_t count)
{
	return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

static void save_counter(void *context, const struct mr_counter *counter)
{
	const struct saving *saving = context;
	const struct mr_rate_key *key = &counter->key;
	int64_t begun_ms = saving->date_ms - counter->age_ms;
	char kind[KIND];

	snprintf(kind, sizeof(kind), "%s/%s/%" PRId64,
		mr_rate_kind_words[key->kind],
		mr_rate_measure_words[key->measure], key->seconds);
	mr_state_store_put(
		saving->store, &(struct mr_state_store_row){
				       .kind = kind,
				       .name = key->name,
				       .at = begun_ms,
				       .until = begun_ms + 2000 * key->seconds,
				       .value = { bounded(counter->before),
					       bounded(counter->current),
					       bounded(counter->limit) },
			       });
}

void mr_counter_rows_save(struct mr_counter_rows *rows,
	struct mr_state_store *store, bool all,
	const struct mr_counter_rows_now *now)
{
	struct saving saving = { store, date(rows, now) };

	if (all)
		mr_counters_unsave(rows->counters);
	if (mr_counters_changed(rows->counters, now->boot_ms, AT_ONCE,
		    save_counter, &saving) > 0)
		save_clock(rows, store, saving.date_ms, now);
	if (now->boot_ms - rows->forgot_ms < FORGET_MS)
		return;
	rows->forgot_ms = now->boot_ms;
	mr_state_store_forget(store, saving.date_ms);
}
