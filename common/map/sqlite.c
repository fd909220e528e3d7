/* sqlite - a database of SQLite, with Postfix's own sqlite_table(5) file.  Read
 * only, with bound parameters only; whoever writes to it meanwhile is waited
 * for until the deadline.  The only file of this layer that includes
 * <sqlite3.h>. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/map/current.h"
#include "common/map/mark.h"
#include "common/map/sqlite_cf.h"
#include "common/map/type.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CF_LONGEST = 64 * 1024 };
/* Idle connections that are kept; more are made and thrown away. */
enum { IDLE_CONNECTIONS = 16 };
/* How long opening waits for a program that writes. */
enum { OPEN_WAIT_MS = 1000 };
/* Instructions of SQLite's machine between two looks at the clock. */
enum { STEPS = 1000 };

/* For one thread at a time. */
struct connection {
	struct mr_idle idle;
	sqlite3 *db;
	sqlite3_stmt *query;
	int64_t deadline_ms;
	char *values; /* of the last question, joined */
	size_t length, size;
};

/* A .cf file and the database that it names. */
struct base {
	struct mr_opened opened;
	struct mr_arena *arena;
	struct mr_sqlite_cf cf;
	struct mr_mark cf_mark;
	dev_t device;
	ino_t inode;
};

static void disconnect(struct connection *connection)
{
	sqlite3_finalize(connection->query);
	sqlite3_close(connection->db);
	free(connection->values);
	free(connection);
}

static int is_late(void *argument)
{
	const struct connection *connection = argument;

	return mr_clock_left(connection->deadline_ms) <= 0;
}

static void set_deadline(struct connection *connection, int64_t deadline_ms)
{
	connection->deadline_ms = deadline_ms;
	sqlite3_busy_timeout(connection->db, mr_clock_left(deadline_ms));
}

/* The file is the admin's, but it need not be trusted either. */
static void confine(struct connection *connection)
{
	sqlite3_db_config(
		connection->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_limit(connection->db, SQLITE_LIMIT_LENGTH, 1024 * 1024);
	sqlite3_limit(connection->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_progress_handler(connection->db, STEPS, is_late, connection);
}

static int prepare(struct connection *connection, const char *query,
	struct mr_error *error)
{
	const char *rest;

	if (sqlite3_prepare_v3(connection->db, query, -1,
		    SQLITE_PREPARE_PERSISTENT, &connection->query,
		    &rest) != SQLITE_OK)
		return mr_error_set(
			error, "%s", sqlite3_errmsg(connection->db));
	if (rest[strspn(rest, "; \t\r\n")] != '\0')
		return mr_error_set(error, "the query is more than one");
	if (sqlite3_column_count(connection->query) == 0 ||
		!sqlite3_stmt_readonly(connection->query))
		return mr_error_set(error, "the query does not select");
	return 0;
}

static struct connection *dial(const struct mr_sqlite_cf *cf,
	int64_t deadline_ms, struct mr_error *error)
{
	const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
	struct connection *connection = mr_calloc(1, sizeof(*connection));

	if (sqlite3_open_v2(cf->dbpath, &connection->db, flags, NULL) !=
		SQLITE_OK) {
		mr_error_set(error, "%s: %s", cf->dbpath,
			sqlite3_errmsg(connection->db));
		disconnect(connection);
		return NULL;
	}
	confine(connection);
	set_deadline(connection, deadline_ms);
	if (prepare(connection, cf->query, error) < 0) {
		disconnect(connection);
		return NULL;
	}
	return connection;
}

static void free_idle(struct mr_idle *idle)
{
	disconnect((struct connection *)idle);
}

static void free_base(struct mr_opened *opened)
{
	struct base *base = (struct base *)opened;

	mr_arena_free(&base->arena);
	free(base);
}

static int read_cf(const char *path, struct base *base, struct mr_error *error)
{
	char *text = mr_arena_alloc(base->arena, CF_LONGEST);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t length = -1;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		length = read(fd, text, CF_LONGEST);
	if (length < 0)
		mr_error_set(error, "%s", strerror(errno));
	else if (length == CF_LONGEST)
		mr_error_set(error, "is too large for a sqlite_table(5) file");
	if (fd >= 0)
		close(fd);
	if (length < 0 || length == CF_LONGEST)
		return -1;
	base->cf_mark = mr_mark_of(&st);
	return mr_sqlite_cf_parse(
		base->arena, text, (size_t)length, &base->cf, error);
}

static struct base *open_base(const char *path, struct mr_error *error)
{
	struct base *base = mr_calloc(1, sizeof(*base));
	struct connection *first = NULL;
	struct stat st;

	base->arena = mr_arena_new(0);
	if (read_cf(path, base, error) == 0) {
		if (stat(base->cf.dbpath, &st) < 0)
			mr_error_set(error, "%s: %s", base->cf.dbpath,
				strerror(errno));
		else
			first = dial(
				&base->cf, mr_clock_ms() + OPEN_WAIT_MS, error);
	}
	if (first == NULL) {
		free_base(&base->opened);
		return NULL;
	}
	base->opened.idle = &first->idle;
	base->opened.n_idle = 1;
	base->device = st.st_dev;
	base->inode = st.st_ino;
	return base;
}

static bool is_current(const struct base *base, const char *path)
{
	struct mr_mark mark;
	struct stat cf, db;

	if (stat(path, &cf) < 0 || stat(base->cf.dbpath, &db) < 0)
		return false;
	mark = mr_mark_of(&cf);
	return mr_mark_same(&mark, &base->cf_mark) &&
	       db.st_dev == base->device && db.st_ino == base->inode;
}

static void look_at_files(struct mr_current *current)
{
	struct mr_error error;
	struct base *fresh;

	if (is_current((struct base *)current->opened, current->path)) {
		mr_current_gone(current, NULL);
		return;
	}
	fresh = open_base(current->path, &error);
	if (fresh == NULL)
		mr_current_gone(current, error.text);
	else
		mr_current_put(current, &fresh->opened);
}

static const struct mr_current_kind kind = {
	.type = "sqlite",
	.advice = "what was opened before still counts, what it lacks is "
		  "unsure",
	.most_idle = IDLE_CONNECTIONS,
	.free_idle = free_idle,
	.free = free_base,
	.look = look_at_files,
};

/* Takes the idle one, if there is one. */
static struct connection *take(struct base *base, struct mr_idle **idle,
	int64_t deadline_ms, struct mr_error *error)
{
	struct connection *connection = (struct connection *)*idle;

	*idle = NULL;
	if (connection == NULL)
		return dial(&base->cf, deadline_ms, error);
	set_deadline(connection, deadline_ms);
	return connection;
}

static bool bind_all(const struct mr_sqlite_cf *cf, struct mr_arena *arena,
	sqlite3_stmt *query, const char *key)
{
	for (size_t i = 0; i < cf->n_parameters; i++)
		if (sqlite3_bind_text(query, (int)i + 1,
			    mr_sqlite_cf_parameter(
				    arena, cf->parameters[i], key),
			    -1, SQLITE_STATIC) != SQLITE_OK)
			return false;
	return true;
}

static int add_value(struct connection *connection, const char *value,
	struct mr_error *error)
{
	size_t length = strlen(value);
	size_t needed = connection->length + length + sizeof(",");

	if (needed > MR_MAP_VALUE_LONGEST + sizeof(","))
		return mr_error_set(error, "the value is too long");
	if (needed > connection->size) {
		connection->size = needed * 2;
		connection->values =
			mr_realloc(connection->values, connection->size);
	}
	if (connection->length > 0)
		connection->values[connection->length++] = ',';
	memcpy(connection->values + connection->length, value, length + 1);
	connection->length += length;
	return 0;
}

/* The first column of each row, joined as Postfix joins them. */
static int collect(const struct mr_sqlite_cf *cf, struct mr_arena *arena,
	struct connection *connection, const char *key, struct mr_error *error)
{
	int64_t count = 0;
	int rc;

	connection->length = 0;
	while ((rc = sqlite3_step(connection->query)) == SQLITE_ROW) {
		const char *text =
			(const char *)sqlite3_column_text(connection->query, 0);
		const char *value = text == NULL ? NULL
		                                 : mr_sqlite_cf_result(cf,
							   arena, text, key);

		if (value == NULL)
			continue;
		if (cf->limit > 0 && ++count > cf->limit)
			return mr_error_set(error,
				"more than expansion_limit = %lld values",
				(long long)cf->limit);
		if (add_value(connection, value, error) < 0)
			return -1;
	}
	if (rc == SQLITE_INTERRUPT)
		return mr_error_set(error, "no answer before the deadline");
	if (rc != SQLITE_DONE)
		return mr_error_set(
			error, "%s", sqlite3_errmsg(connection->db));
	return 0;
}

static enum mr_lookup ask(struct base *base, struct mr_idle **idle,
	struct mr_arena *arena, const char *key, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	struct connection *connection = take(base, idle, deadline_ms, error);
	enum mr_lookup answer = MR_NOTFOUND;
	int result = -1;

	if (connection == NULL)
		return MR_TEMPFAIL;
	if (!bind_all(&base->cf, arena, connection->query, key))
		mr_error_set(error, "%s", sqlite3_errmsg(connection->db));
	else
		result = collect(&base->cf, arena, connection, key, error);
	/* Ends the read transaction, and with it what writers wait for. */
	sqlite3_reset(connection->query);
	sqlite3_clear_bindings(connection->query);
	if (result < 0) {
		disconnect(connection);
		return MR_TEMPFAIL;
	}
	if (connection->length > 0) {
		*value_r = mr_arena_strdup(arena, connection->values);
		answer = MR_FOUND;
	}
	*idle = &connection->idle;
	return answer;
}

static enum mr_lookup sqlite_get(void *state, struct mr_arena *arena,
	const char *key, int64_t now_ms, int64_t deadline_ms,
	const char **value_r, struct mr_error *error)
{
	struct mr_current *map = state;
	enum mr_lookup answer = MR_NOTFOUND;
	struct mr_idle *idle;
	struct base *base;
	bool gone;

	mr_current_look(map, now_ms);
	base = (struct base *)mr_current_hold(map, &idle, &gone);
	if (mr_sqlite_cf_asks(&base->cf, arena, key))
		answer = ask(
			base, &idle, arena, key, deadline_ms, value_r, error);
	mr_current_release(map, &base->opened, idle);
	if (answer == MR_NOTFOUND && gone) {
		mr_error_set(error, "cannot be read now");
		return MR_TEMPFAIL;
	}
	return answer;
}

static void sqlite_close(void *state)
{
	struct mr_current *map = state;

	mr_current_end(map);
	free(map);
}

static int sqlite_open(const char *name, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	struct base *base = open_base(name, error);
	struct mr_current *map;
	char *path;

	if (base == NULL)
		return -1;
	map = mr_calloc(1, sizeof(*map));
	path = mr_calloc(1, strlen(name) + 1);
	strcpy(path, name);
	mr_current_init(map, &kind, path, &base->opened, now_ms);
	*state_r = map;
	return 0;
}

const struct mr_map_type mr_map_sqlite = {
	.name = "sqlite",
	.check = mr_map_check_path,
	.open = sqlite_open,
	.close = sqlite_close,
	.get = sqlite_get,
};
