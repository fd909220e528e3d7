/* map_world - what the tests of maps share: a directory, an arena, a clock that
 * they set, and threads that ask while a table changes under them. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_TESTS_MAP_WORLD_H
#define MR_TESTS_MAP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/map/map.h"
#include "common/map/type.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECOND = 1000 };

struct world {
	char directory[64];
	struct mr_arena *arena;
	int64_t now;
};

static inline int begin(void **state)
{
	struct world *w = mr_calloc(1, sizeof(*w));

	strcpy(w->directory, "/tmp/test_map.XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	w->arena = mr_arena_new(0);
	w->now = mr_clock_ms();
	*state = w;
	return 0;
}

static inline int end(void **state)
{
	struct world *w = *state;
	char *command =
		mr_arena_printf(w->arena, "rm -r -- '%s'", w->directory);

	assert_int_equal(system(command), 0);
	mr_arena_free(&w->arena);
	free(w);
	return 0;
}

static inline char *path_of(struct world *w, const char *name)
{
	return mr_arena_printf(w->arena, "%s/%s", w->directory, name);
}

static inline void set_age(const char *path, time_t seconds)
{
	struct timespec times[2];

	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= seconds;
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Renames into place, as careful editors do; `age` in seconds. */
static inline char *write_file(
	struct world *w, const char *name, const char *text, time_t age)
{
	char *path = path_of(w, name), *new = path_of(w, "new");
	FILE *file = fopen(new, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	set_age(new, age);
	assert_int_equal(rename(new, path), 0);
	return path;
}

/* Makes a table of TYPE from `text` with the real postmap(1). */
static inline void postmap(
	struct world *w, const char *type, const char *name, const char *text)
{
	char *path = write_file(w, name, text, 100);
	char *command = mr_arena_printf(
		w->arena, "postmap %s:%s 2>/dev/null", type, path);

	assert_int_equal(system(command), 0);
}

static inline void need_postmap(const char *type)
{
	char command[100];

	snprintf(command, sizeof(command),
		"postconf -m 2>/dev/null | grep -qx %s", type);
	if (system(command) == 0)
		return;
	print_error("SKIPPED: no postmap with %s here; install postfix and "
		    "postfix-%s\n",
		type, type);
	skip();
}

static inline struct mr_map *open_map(
	struct world *w, const char *type, const char *name)
{
	struct mr_error error;
	struct mr_map *map;

	if (mr_map_open(mr_arena_printf(w->arena, "%s:%s", type, name), &map,
		    &error) < 0)
		fail_msg("%s", error.text);
	if (w->now < mr_clock_ms())
		w->now = mr_clock_ms();
	return map;
}

/* The value, or "-" for not found, or "?" for try later. */
static inline const char *ask(
	struct world *w, struct mr_map *map, const char *key)
{
	struct mr_error error = { "" };
	const char *value;

	switch (mr_map_get_at(map, w->arena, key, w->now, mr_clock_ms() + 2000,
		&value, &error)) {
	case MR_TEMPFAIL:
		assert_string_not_equal(error.text, "");
		return "?";
	case MR_NOTFOUND:
		return "-";
	case MR_FOUND:
		return value;
	}
	return NULL;
}

#define expect(w, map, key, want)                                             \
	do {                                                                  \
		const char *got_ = ask(w, map, key);                          \
		if (strcmp(got_, want) != 0)                                  \
			fail_msg("%.80s: got \"%s\", want \"%s\"", key, got_, \
				want);                                        \
	} while (0)

/* Threads that ask while the table changes under them. */
struct crowd {
	struct mr_map *map;
	const char *stable; /* a key that is always there */
	atomic_bool stop;
	atomic_int wrong;
	atomic_llong now;
	atomic_uint answers;
};

static inline void *keep_asking(void *argument)
{
	struct crowd *crowd = argument;

	while (!atomic_load(&crowd->stop)) {
		struct mr_arena *arena = mr_arena_new(0);
		struct mr_error error;
		const char *value;

		for (int i = 0; i < 50; i++) {
			enum mr_lookup found = mr_map_get_at(crowd->map, arena,
				crowd->stable, atomic_load(&crowd->now),
				mr_clock_ms() + 5000, &value, &error);

			atomic_fetch_add(&crowd->answers, 1);
			if (found == MR_FOUND && strcmp(value, "here") == 0)
				continue;
			if (atomic_fetch_add(&crowd->wrong, 1) == 0)
				print_error("%s\n", found == MR_TEMPFAIL
							    ? error.text
							    : "not found");
		}
		mr_arena_free(&arena);
	}
	return NULL;
}

enum { CROWD = 4 };

static inline void run_crowd(struct world *w, struct mr_map *map,
	const char *stable, void (*change)(struct world *w, int round),
	int rounds)
{
	struct crowd crowd = { .map = map, .stable = stable };
	pthread_t threads[CROWD];

	atomic_store(&crowd.now, w->now);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, keep_asking, &crowd),
			0);
	for (int round = 0; round < rounds; round++) {
		unsigned before = atomic_load(&crowd.answers);

		change(w, round);
		atomic_fetch_add(&crowd.now, SECOND);
		while (atomic_load(&crowd.answers) < before + 200)
			sched_yield();
	}
	atomic_store(&crowd.stop, true);
	for (int i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&crowd.wrong), 0);
	w->now = atomic_load(&crowd.now);
}

#endif
