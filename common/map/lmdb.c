/* lmdb - Postfix's lmdb tables, mapped into memory, never read as a whole.
 *
 * postmap(1) rewrites the file in place, other tools put a new one in its
 * place: then it is opened anew, and closed behind its last reader. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/map/current.h"
#include "common/map/lmdb_file.h"
#include "common/map/type.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Idle readers that are kept; more are made and thrown away. */
enum { IDLE_READERS = 64 };
/* How long opening waits for a program that writes. */
enum { OPEN_WAIT_MS = 1000 };

struct shared {
	struct mr_opened opened;
	struct mr_lmdb_file *file;
};

static struct mr_opened *share(struct mr_lmdb_file *file)
{
	struct shared *shared = mr_calloc(1, sizeof(*shared));

	shared->file = file;
	return &shared->opened;
}

static struct mr_lmdb_file *file_of(const struct mr_opened *opened)
{
	return ((const struct shared *)opened)->file;
}

static void free_shared(struct mr_opened *opened)
{
	struct shared *shared = (struct shared *)opened;

	mr_lmdb_file_free(&shared->file);
	free(shared);
}

static void free_idle(struct mr_idle *idle)
{
	struct mr_lmdb_reader *reader = (struct mr_lmdb_reader *)idle;

	mr_lmdb_reader_free(&reader);
}

/* Opens the file that has the name now; if that fails, the old one stays. */
static void replace(struct mr_current *map, int64_t deadline_ms)
{
	struct mr_error error;
	struct mr_lmdb_file *file =
		mr_lmdb_file_open(map->path, deadline_ms, &error);

	if (file == NULL)
		mr_current_gone(map, error.text);
	else
		mr_current_put(map, share(file));
}

static void look_at_file(struct mr_current *map)
{
	struct stat st;

	if (stat(map->path, &st) < 0)
		mr_current_gone(map, strerror(errno));
	else if (!mr_lmdb_file_is(file_of(map->opened), &st))
		replace(map, mr_clock_ms());
	else
		mr_current_gone(map, NULL);
}

static const struct mr_current_kind kind = {
	.type = "lmdb",
	.advice = "keeping what was opened before; run postmap again",
	.most_idle = IDLE_READERS,
	.free_idle = free_idle,
	.free = free_shared,
	.look = look_at_file,
};

static void lmdb_close(void *state)
{
	struct mr_current *map = state;

	mr_current_end(map);
	free(map);
}

static int lmdb_open(const char *name, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	size_t length = strlen(name);
	char *path = mr_calloc(1, length + sizeof(".lmdb"));
	struct mr_lmdb_file *file;
	struct mr_current *map;

	memcpy(path, name, length);
	memcpy(path + length, ".lmdb", sizeof(".lmdb"));
	file = mr_lmdb_file_open(path, mr_clock_ms() + OPEN_WAIT_MS, error);
	if (file == NULL) {
		free(path);
		return -1;
	}
	map = mr_calloc(1, sizeof(*map));
	mr_current_init(map, &kind, path, share(file), now_ms);
	*state_r = map;
	return 0;
}

/* Those who found the same table outgrown wait for the first of them. */
static void replace_outgrown(struct mr_current *map,
	const struct mr_opened *outgrown, int64_t deadline_ms)
{
	int64_t soon = mr_clock_ms() + OPEN_WAIT_MS;

	pthread_mutex_lock(&map->looking);
	if (map->opened == outgrown)
		replace(map, deadline_ms < soon ? deadline_ms : soon);
	pthread_mutex_unlock(&map->looking);
}

/* A key to find, or a listener for all of them. */
struct request {
	struct mr_arena *arena;
	const char *key, **value_r;
	const struct mr_map_listener *listener; /* NULL: look up */
	int64_t deadline_ms;
	struct mr_error *error;
};

static enum mr_lookup serve(struct mr_lmdb_file *file,
	struct mr_lmdb_reader *reader, const struct request *request,
	bool *usable_r, bool *outgrown_r)
{
	if (request->listener == NULL)
		return mr_lmdb_file_get(file, reader, request->arena,
			request->key, request->deadline_ms, request->value_r,
			usable_r, outgrown_r, request->error);
	return mr_lmdb_file_list(file, reader, request->deadline_ms,
		       request->listener, usable_r, outgrown_r,
		       request->error) < 0
	               ? MR_TEMPFAIL
	               : MR_FOUND;
}

/* By the idle one, if there is one. */
static enum mr_lookup ask(const struct mr_current *map,
	struct mr_opened *opened, struct mr_idle **idle,
	const struct request *request, bool *outgrown_r)
{
	struct mr_lmdb_reader *reader = (struct mr_lmdb_reader *)*idle;
	enum mr_lookup answer;
	bool usable;

	*idle = NULL;
	if (reader == NULL)
		reader = mr_lmdb_reader_new(
			file_of(opened), map->path, request->error);
	/* The name stands for another file: that is outgrown, too. */
	*outgrown_r = reader == NULL;
	if (reader == NULL)
		return MR_TEMPFAIL;
	answer = serve(file_of(opened), reader, request, &usable, outgrown_r);
	if (usable)
		*idle = &reader->idle;
	else
		mr_lmdb_reader_free(&reader);
	return answer;
}

static enum mr_lookup ask_current(
	struct mr_current *map, int64_t now_ms, const struct request *request)
{
	struct mr_opened *opened;
	struct mr_idle *idle;
	enum mr_lookup answer;
	bool outgrown, gone;

	mr_current_look(map, now_ms);
	opened = mr_current_hold(map, &idle, &gone);
	answer = ask(map, opened, &idle, request, &outgrown);
	if (outgrown) {
		replace_outgrown(map, opened, request->deadline_ms);
		mr_current_release(map, opened, idle);
		opened = mr_current_hold(map, &idle, &gone);
		answer = ask(map, opened, &idle, request, &outgrown);
	}
	mr_current_release(map, opened, idle);
	/* what is missing may be in the file that cannot be read */
	if (gone && (answer == MR_NOTFOUND || request->listener != NULL)) {
		mr_error_set(request->error, "cannot be read now");
		return MR_TEMPFAIL;
	}
	return answer;
}

static enum mr_lookup lmdb_get(void *state, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	struct request request = {
		.arena = arena,
		.key = key,
		.value_r = value_r,
		.deadline_ms = deadline_ms,
		.error = error,
	};

	return ask_current(state, now_ms, &request);
}

static int lmdb_list(void *state, int64_t now_ms, int64_t deadline_ms,
	const struct mr_map_listener *listener, struct mr_error *error)
{
	struct request request = {
		.listener = listener,
		.deadline_ms = deadline_ms,
		.error = error,
	};

	return ask_current(state, now_ms, &request) == MR_FOUND ? 0 : -1;
}

const struct mr_map_type mr_map_lmdb = {
	.name = "lmdb",
	.check = mr_map_check_path,
	.open = lmdb_open,
	.close = lmdb_close,
	.get = lmdb_get,
	.list = lmdb_list,
};
