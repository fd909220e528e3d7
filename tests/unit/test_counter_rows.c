/* test_counter_rows - counters over a restart: what the clocks say then, and
 * what may be in the file. */
/* SPDX-License-Identifier: ISC */
#include "policyd/counter_rows.h"
#include "common/config/sections.h"
#include "policyd/counters.h"
#include "policyd/store.h"
#include "tests/unit/expect.h"
#include "tests/unit/files.h"

enum { HOUR = 3600, HOUR_MS = HOUR * 1000, MINUTE_MS = 60 * 1000 };
static const int64_t DAY_MS = 24 * (int64_t)HOUR_MS;
static const int64_t WALL_MS = INT64_C(1764000000000);

static const struct mr_rate_key ann = { MR_RATE_LOGIN, MR_RATE_RECIPIENTS, HOUR,
	"ann@a.example" };

/* A daemon's life: what it loads and saves, at these times. */
struct life {
	struct mr_counter_rows rows;
	struct mr_counter_rows_now now;
	struct mr_state_store *store;
	size_t loaded;
};

static void seen(void *context, const struct mr_state_store_row *row)
{
	struct life *life = context;

	life->loaded++;
	mr_counter_rows_load(&life->rows, row, &life->now);
}

static void save(void *context, struct mr_state_store *store, bool all)
{
	struct life *life = context;

	mr_counter_rows_save(&life->rows, store, all, &life->now);
}

static void begin(struct life *life, const char *boot,
	const struct mr_counter_rows_now *now)
{
	*life = (struct life){ .now = *now };
	life->rows.counters = mr_counters_new(MR_COUNTERS_MOST);
	strcpy(life->rows.boot, boot);
	life->store = mr_state_store_new(&mr_state_store_sqlite, "state.sqlite",
		&(struct mr_state_store_owner){ life, seen, save });
}

static void end(struct life *life)
{
	mr_state_store_free(&life->store);
	mr_counters_free(&life->rows.counters);
}

static long long sum(struct life *life, int64_t later_ms)
{
	return (long long)mr_counters_sum(
		life->rows.counters, &ann, life->now.boot_ms + later_ms);
}

/* Saved: 20 at 10:00 of boot "x" and of the clock, as `WALL_MS`. */
static const struct {
	const char *name, *boot;
	struct mr_counter_rows_now now;
	long long sum, later; /* half an hour later */
} restarts[] = {
	{ "at once", "x", { 10 * HOUR_MS, WALL_MS }, 20, 20 },
	{ "in half an hour", "x",
		{ 10 * HOUR_MS + HOUR_MS / 2, WALL_MS + HOUR_MS / 2 }, 20, 20 },
	{ "the clock set forward by a day", "x", { 10 * HOUR_MS, WALL_MS + 1 },
		20, 20 },
	{ "in an hour and a half", "x", { 11 * HOUR_MS + HOUR_MS / 2, WALL_MS },
		10, 0 },
	{ "in two hours, the clock set back", "x", { 12 * HOUR_MS, 0 }, 0, 0 },
	{ "another boot", "y", { MINUTE_MS, WALL_MS + HOUR_MS / 2 }, 20, 20 },
	{ "another boot, much later", "y", { MINUTE_MS, WALL_MS + 9 * HOUR_MS },
		0, 0 },
	{ "another boot, without a clock", "y", { MINUTE_MS, 5 }, 20, 20 },
	{ "who knows which boot", "", { MINUTE_MS, WALL_MS }, 20, 20 },
};

static void test_restarts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(restarts) / sizeof(restarts[0]); i++) {
		struct life life;

		begin(&life, "x",
			&(struct mr_counter_rows_now){ 10 * HOUR_MS, WALL_MS });
		mr_counters_add(
			life.rows.counters, &ann, 20, 30, life.now.boot_ms);
		end(&life);
		begin(&life, restarts[i].boot, &restarts[i].now);
		expect_number(restarts[i].name, sum(&life, 0), restarts[i].sum);
		expect_number(restarts[i].name, sum(&life, HOUR_MS / 2),
			restarts[i].later);
		end(&life);
		expect_number("removed", remove("state.sqlite"), 0);
	}
	expect_done();
}

/* The clock jumps while it runs, and between two boots it stands for good: what
 * was counted before and after adds up. */
static void test_goes_on(void **state)
{
	struct life life;

	(void)state;
	begin(&life, "x", &(struct mr_counter_rows_now){ HOUR_MS, WALL_MS });
	mr_counters_add(life.rows.counters, &ann, 5, 30, life.now.boot_ms);
	end(&life);
	begin(&life, "x",
		&(struct mr_counter_rows_now){
			HOUR_MS + MINUTE_MS, WALL_MS - 9 * DAY_MS });
	mr_counters_add(life.rows.counters, &ann, 5, 30, life.now.boot_ms);
	end(&life);
	begin(&life, "y", &(struct mr_counter_rows_now){ 7, 100 });
	mr_counters_add(life.rows.counters, &ann, 5, 30, life.now.boot_ms);
	expect_number("all three", sum(&life, 0), 15);
	end(&life);
	begin(&life, "y",
		&(struct mr_counter_rows_now){ 7 + MINUTE_MS, WALL_MS });
	expect_number("and again", sum(&life, 0), 15);
	expect_number("until it is over", sum(&life, 2 * HOUR_MS), 0);
	end(&life);
	expect_done();
}

/* Counted before the store could be read. */
static void test_late(void **state)
{
	struct life life;

	(void)state;
	begin(&life, "x", &(struct mr_counter_rows_now){ HOUR_MS, WALL_MS });
	mr_counters_add(life.rows.counters, &ann, 20, 30, life.now.boot_ms);
	end(&life);
	assert_int_equal(rename("state.sqlite", "away"), 0);
	assert_int_equal(mkdir("state.sqlite", 0700), 0);
	begin(&life, "x", &(struct mr_counter_rows_now){ HOUR_MS, WALL_MS });
	mr_counters_add(life.rows.counters, &ann, 3, 30, life.now.boot_ms);
	assert_int_equal(rmdir("state.sqlite"), 0);
	assert_int_equal(rename("away", "state.sqlite"), 0);
	/* its last try */
	mr_state_store_free(&life.store);
	expect_number("both", sum(&life, 0), 23);
	end(&life);
	begin(&life, "x", &(struct mr_counter_rows_now){ HOUR_MS, WALL_MS });
	expect_number("saved", sum(&life, 0), 23);
	end(&life);
	expect_done();
}

static void test_over_is_deleted(void **state)
{
	struct life life;

	(void)state;
	begin(&life, "x", &(struct mr_counter_rows_now){ HOUR_MS, WALL_MS });
	mr_counters_add(life.rows.counters, &ann, 20, 30, life.now.boot_ms);
	end(&life);
	begin(&life, "x",
		&(struct mr_counter_rows_now){ 3 * HOUR_MS + 1, WALL_MS });
	expect_number("there", (long)life.loaded, 2);
	end(&life);
	begin(&life, "x", &(struct mr_counter_rows_now){ 3 * HOUR_MS, 0 });
	expect_number("but for the clock", (long)life.loaded, 1);
	end(&life);
	expect_done();
}

/* --- what nobody of us has written */

static const struct {
	const char *name;
	struct mr_state_store_row row;
} odd[] = {
	{ "no such kind",
		{ "logout/recipients/3600", "a", 0, 0, { 1, 1, 1 } } },
	{ "no such measure", { "login/pounds/3600", "a", 0, 0, { 1, 1, 1 } } },
	{ "a kind alone", { "login", "a", 0, 0, { 1, 1, 1 } } },
	{ "no window", { "login/recipients", "a", 0, 0, { 1, 1, 1 } } },
	{ "none", { "login/recipients/", "a", 0, 0, { 1, 1, 1 } } },
	{ "of words", { "login/recipients/x", "a", 0, 0, { 1, 1, 1 } } },
	{ "and more", { "login/recipients/3600s", "a", 0, 0, { 1, 1, 1 } } },
	{ "endless", { "login/recipients/99999999999999999999", "a", 0, 0,
			     { 1, 1, 1 } } },
	{ "backwards", { "login/recipients/-9", "a", 0, 0, { 1, 1, 1 } } },
	{ "negative", { "login/recipients/3600", "a", 0, 0, { -1, 1, 1 } } },
	{ "long ago",
		{ "login/recipients/3600", "a", INT64_MIN, 0, { 1, 1, 1 } } },
	{ "usage", { MR_STORE_USAGE, "a", 0, 0, { 1, 1, 1 } } },
};

static const struct mr_state_store_row odd_clocks[] = {
	{ MR_STORE_CLOCK, "x", INT64_MAX, 0, { 0, 0, 0 } },
	{ MR_STORE_CLOCK, "x", INT64_MIN, 0, { INT64_MIN, INT64_MIN, 0 } },
	{ MR_STORE_CLOCK, "z", INT64_MAX, 0, { INT64_MAX, INT64_MIN, 0 } },
	{ MR_STORE_CLOCK, "x", INT64_MAX, 0, { INT64_MAX, INT64_MAX, 0 } },
};

static void test_odd(void **state)
{
	const struct mr_counter_rows_now now = { HOUR_MS, WALL_MS };
	struct mr_counter_rows rows = { mr_counters_new(MR_COUNTERS_MOST),
		.boot = "x" };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		mr_counter_rows_load(&rows, &odd[i].row, &now);
		expect_number(odd[i].name,
			(long long)mr_counters_status(rows.counters).count, 0);
	}
	for (size_t i = 0; i < sizeof(odd_clocks) / sizeof(odd_clocks[0]);
		i++) {
		struct mr_state_store_row row = { "login/recipients/3600", "a",
			INT64_MIN, 0, { 1, 1, 1 } };

		mr_counter_rows_load(&rows, &odd_clocks[i], &now);
		mr_counter_rows_load(&rows, &row, &now);
		row.at = INT64_MAX;
		mr_counter_rows_load(&rows, &row, &now);
	}
	expect_number("counted once",
		(long long)mr_counters_status(rows.counters).count, 1);
	mr_counters_free(&rows.counters);
	expect_done();
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, files_enter, files_leave)
	const struct CMUnitTest tests[] = {
		T(test_restarts),
		T(test_goes_on),
		T(test_late),
		T(test_over_is_deleted),
		cmocka_unit_test(test_odd),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
