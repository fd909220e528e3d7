/* lmdb_file - see lmdb_file.h.  The only file that includes <lmdb.h>. */
/* SPDX-License-Identifier: ISC */
#include "common/map/lmdb_file.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/map/answers.h"
#include "common/map/map.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file so young may not be complete: postmap(1) creates an empty table and
 * fills it in one go at its end, other programs copy piece by piece. */
enum { FRESH_S = 5 };

struct mr_lmdb_file {
	MDB_env *env;
	MDB_dbi dbi;
	_Atomic(off_t) size; /* the largest seen; LMDB never makes it less */
	dev_t device;
	ino_t inode;
};

/* fcntl(2) has no deadline, so this asks again until there is one. */
static int lock_for_reading(int fd, int64_t deadline_ms, struct mr_error *error)
{
	struct flock read_lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	struct timespec pause = { 0, 500 * 1000 };

	while (fcntl(fd, F_OFD_SETLK, &read_lock) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EACCES)
			return mr_error_set(
				error, "cannot be locked: %s", strerror(errno));
		if (mr_clock_ms() >= deadline_ms)
			return mr_error_set(error,
				"is locked by a program that writes to it");
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 20 * 1000 * 1000)
			pause.tv_nsec *= 2;
	}
	return 0;
}

static void unlock(int fd)
{
	struct flock none = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	fcntl(fd, F_OFD_SETLK, &none);
}

static int open_for_reading(
	const char *path, struct stat *st, struct mr_error *error)
{
	/* Not for ever on a FIFO, should someone put one there. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && fstat(fd, st) == 0)
		return fd;
	mr_error_set(error, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool is_fresh(const struct timespec *changed)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec >= changed->tv_sec &&
	       now.tv_sec - changed->tv_sec < FRESH_S;
}

/* Pages at the end may be missing in a good table, if nothing uses them. */
static bool may_be_incomplete(const struct mr_lmdb_file *file, size_t page_size,
	const struct stat *st)
{
	MDB_envinfo info;

	return mdb_env_info(file->env, &info) != 0 ||
	       ((size_t)st->st_size / page_size <= info.me_last_pgno &&
		       is_fresh(&st->st_mtim));
}

static int open_main_table(struct mr_lmdb_file *file, const struct stat *st)
{
	MDB_stat stat;
	MDB_txn *txn;
	int rc = mdb_txn_begin(file->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &file->dbi);
	if (rc == 0)
		rc = mdb_stat(txn, file->dbi, &stat);
	if (rc == 0 && may_be_incomplete(file, stat.ms_psize, st))
		rc = MDB_PAGE_NOTFOUND;
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	/* Keeps the handle; there is nothing else to commit. */
	return mdb_txn_commit(txn);
}

static struct mr_lmdb_file *open_locked(
	const char *path, const struct stat *st, struct mr_error *error)
{
	const unsigned flags = MDB_RDONLY | MDB_NOSUBDIR | MDB_NOLOCK;
	struct mr_lmdb_file *file = mr_calloc(1, sizeof(*file));
	int rc = mdb_env_create(&file->env);

	file->device = st->st_dev;
	file->inode = st->st_ino;
	atomic_init(&file->size, st->st_size);
	if (rc == 0)
		rc = mdb_env_open(file->env, path, flags, 0);
	if (rc == 0)
		rc = open_main_table(file, st);
	if (rc != 0) {
		mr_error_set(error, "%s: %s", path, mdb_strerror(rc));
		mr_lmdb_file_free(&file);
	}
	return file;
}

struct mr_lmdb_file *mr_lmdb_file_open(
	const char *path, int64_t deadline_ms, struct mr_error *error)
{
	struct mr_lmdb_file *file = NULL;
	struct stat st;
	int fd = open_for_reading(path, &st, error);

	if (fd < 0)
		return NULL;
	if (!S_ISREG(st.st_mode))
		mr_error_set(error, "%s is not a regular file", path);
	else if (lock_for_reading(fd, deadline_ms, error) == 0 &&
		 fstat(fd, &st) == 0)
		file = open_locked(path, &st, error);
	close(fd);
	return file;
}

void mr_lmdb_file_free(struct mr_lmdb_file **file)
{
	if (*file == NULL)
		return;
	if ((*file)->env != NULL)
		mdb_env_close((*file)->env);
	free(*file);
	*file = NULL;
}

bool mr_lmdb_file_is(const struct mr_lmdb_file *file, const struct stat *st)
{
	return st->st_dev == file->device && st->st_ino == file->inode;
}

struct mr_lmdb_reader *mr_lmdb_reader_new(const struct mr_lmdb_file *file,
	const char *path, struct mr_error *error)
{
	struct mr_lmdb_reader *reader;
	struct stat st;
	int fd = open_for_reading(path, &st, error);

	if (fd < 0)
		return NULL;
	if (!mr_lmdb_file_is(file, &st)) {
		mr_error_set(error, "%s was just replaced", path);
		close(fd);
		return NULL;
	}
	reader = mr_calloc(1, sizeof(*reader));
	reader->fd = fd;
	return reader;
}

void mr_lmdb_reader_free(struct mr_lmdb_reader **reader)
{
	if (*reader == NULL)
		return;
	if ((*reader)->txn != NULL)
		mdb_txn_abort((*reader)->txn);
	mr_answers_free(&(*reader)->answers);
	close((*reader)->fd);
	free(*reader);
	*reader = NULL;
}

/* Somebody who copies a table over ours in place takes no lock, and touching a
 * page behind the end of the file is SIGBUS: so look first. */
static int see_whole_file(struct mr_lmdb_file *file, int fd,
	struct mr_lmdb_state *state_r, struct mr_error *error)
{
	off_t seen = atomic_load(&file->size);
	MDB_envinfo info;
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size < seen)
		return mr_error_set(error,
			"was cut short; put tables in place with postmap or "
			"by renaming, not by copying");
	while (st.st_size > seen &&
		!atomic_compare_exchange_weak(&file->size, &seen, st.st_size))
		continue;
	*state_r = (struct mr_lmdb_state){ st.st_size, st.st_ctim, 0 };
	if (mdb_env_info(file->env, &info) == 0)
		state_r->transaction = info.me_last_txnid;
	return 0;
}

static bool is_same(
	const struct mr_lmdb_state *a, const struct mr_lmdb_state *b)
{
	return a->size == b->size && a->transaction == b->transaction &&
	       a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool find_kept(struct mr_lmdb_file *file,
	const struct mr_lmdb_reader *reader, struct mr_arena *arena,
	const char *key, enum mr_lookup *answer_r, const char **value_r)
{
	struct mr_lmdb_state now;
	struct mr_error ignored;
	const char *value;

	if (reader->answers == NULL ||
		!mr_answers_find(reader->answers, key, &value) ||
		see_whole_file(file, reader->fd, &now, &ignored) < 0 ||
		!is_same(&reader->state, &now))
		return false;
	*answer_r = value == NULL ? MR_NOTFOUND : MR_FOUND;
	if (value != NULL)
		*value_r = mr_arena_strdup(arena, value);
	return true;
}

/* `state` is what it was while the lock was held. */
static void keep(struct mr_lmdb_reader *reader,
	const struct mr_lmdb_state *state, const char *key, const char *value)
{
	if (is_fresh(&state->changed))
		return;
	if (reader->answers == NULL)
		reader->answers = mr_answers_new();
	else if (!is_same(&reader->state, state))
		mr_answers_forget(reader->answers);
	reader->state = *state;
	mr_answers_keep(reader->answers, key, value);
}

static int renew(const struct mr_lmdb_file *file, struct mr_lmdb_reader *reader)
{
	MDB_txn *txn;
	int rc;

	if (reader->txn != NULL)
		return mdb_txn_renew(reader->txn);
	rc = mdb_txn_begin(file->env, NULL, MDB_RDONLY, &txn);
	if (rc == 0)
		reader->txn = txn;
	return rc;
}

/* Postfix writes keys and values with a trailing NUL; other tools may not. */
static int find(MDB_txn *txn, MDB_dbi dbi, const char *key, MDB_val *value)
{
	MDB_val wanted = { strlen(key) + 1, (void *)key };
	int rc = mdb_get(txn, dbi, &wanted, value);

	if (rc != MDB_NOTFOUND)
		return rc;
	wanted.mv_size--;
	return mdb_get(txn, dbi, &wanted, value);
}

static bool was_just_created(const struct mr_lmdb_file *file,
	const struct mr_lmdb_reader *reader, struct mr_error *error)
{
	MDB_stat stat;
	struct stat st;

	if (mdb_stat(reader->txn, file->dbi, &stat) != 0 ||
		stat.ms_entries > 0 || fstat(reader->fd, &st) < 0 ||
		!is_fresh(&st.st_mtim))
		return false;
	mr_error_set(error, "is empty and was created just now");
	return true;
}

static enum mr_lookup look_up(const struct mr_lmdb_file *file,
	struct mr_lmdb_reader *reader, struct mr_arena *arena, const char *key,
	const char **value_r, bool *usable_r, bool *outgrown_r,
	struct mr_error *error)
{
	enum mr_lookup answer = MR_TEMPFAIL;
	MDB_val value;
	int rc = renew(file, reader);

	if (rc == 0)
		rc = find(reader->txn, file->dbi, key, &value);
	*usable_r = rc == 0 || rc == MDB_NOTFOUND;
	*outgrown_r = rc == MDB_MAP_RESIZED;
	if (rc == 0) {
		*value_r = mr_arena_strndup(arena, value.mv_data,
			strnlen(value.mv_data, value.mv_size));
		answer = MR_FOUND;
	} else if (rc == MDB_NOTFOUND) {
		answer = was_just_created(file, reader, error) ? MR_TEMPFAIL
		                                               : MR_NOTFOUND;
	} else {
		mr_error_set(error, "%s", mdb_strerror(rc));
	}
	if (*usable_r)
		mdb_txn_reset(reader->txn);
	return answer;
}

enum mr_lookup mr_lmdb_file_get(struct mr_lmdb_file *file,
	struct mr_lmdb_reader *reader, struct mr_arena *arena, const char *key,
	int64_t deadline_ms, const char **value_r, bool *usable_r,
	bool *outgrown_r, struct mr_error *error)
{
	enum mr_lookup answer = MR_TEMPFAIL;
	struct mr_lmdb_state state;

	*usable_r = true;
	*outgrown_r = false;
	if (find_kept(file, reader, arena, key, &answer, value_r))
		return answer;
	if (lock_for_reading(reader->fd, deadline_ms, error) < 0)
		return MR_TEMPFAIL;
	*outgrown_r = see_whole_file(file, reader->fd, &state, error) < 0;
	if (!*outgrown_r)
		answer = look_up(file, reader, arena, key, value_r, usable_r,
			outgrown_r, error);
	unlock(reader->fd);
	if (answer != MR_TEMPFAIL)
		keep(reader, &state, key, answer == MR_FOUND ? *value_r : NULL);
	return answer;
}

/* Without the NUL at its end, if there is one; longer ones are no keys. */
static bool tell_key(const MDB_val *key, const struct mr_map_listener *listener)
{
	char text[MR_MAP_KEY_LONGEST + 1] = "";
	size_t length = strnlen(key->mv_data, key->mv_size);

	if (length > MR_MAP_KEY_LONGEST)
		return true;
	memcpy(text, key->mv_data, length);
	return listener->see(listener->context, text);
}

static int tell_keys(
	MDB_txn *txn, MDB_dbi dbi, const struct mr_map_listener *listener)
{
	MDB_val key, value;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, dbi, &cursor);

	if (rc != 0)
		return rc;
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		if (!tell_key(&key, listener))
			break;
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int list_keys(const struct mr_lmdb_file *file,
	struct mr_lmdb_reader *reader, const struct mr_map_listener *listener,
	bool *usable_r, bool *outgrown_r, struct mr_error *error)
{
	int rc = renew(file, reader);
	bool incomplete;

	if (rc == 0)
		rc = tell_keys(reader->txn, file->dbi, listener);
	*usable_r = rc == 0;
	*outgrown_r = rc == MDB_MAP_RESIZED;
	if (rc != 0)
		return mr_error_set(error, "%s", mdb_strerror(rc));
	incomplete = was_just_created(file, reader, error);
	mdb_txn_reset(reader->txn);
	return incomplete ? -1 : 0;
}

int mr_lmdb_file_list(struct mr_lmdb_file *file, struct mr_lmdb_reader *reader,
	int64_t deadline_ms, const struct mr_map_listener *listener,
	bool *usable_r, bool *outgrown_r, struct mr_error *error)
{
	struct mr_lmdb_state ignored;
	int result = -1;

	*usable_r = true;
	*outgrown_r = false;
	if (lock_for_reading(reader->fd, deadline_ms, error) < 0)
		return -1;
	*outgrown_r = see_whole_file(file, reader->fd, &ignored, error) < 0;
	if (!*outgrown_r)
		result = list_keys(
			file, reader, listener, usable_r, outgrown_r, error);
	unlock(reader->fd);
	return result;
}
