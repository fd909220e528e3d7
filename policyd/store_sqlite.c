/* store_sqlite - the store in a file of SQLite (WAL), which this process has
 * for itself.  A commit is on the disk when it is done (synchronous = FULL): it
 * is one a second.  The only file here that includes <sqlite3.h>. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "policyd/store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* In PRAGMA user_version; of a new file it is 0.  One of another version is set
 * aside. */
#define VERSION "1"
/* Broken files of the past that are kept, at most. */
enum { ASIDE = 10 };

/* In the order of reading. */
enum { CLOCK, USAGE, COUNTER, TABLES };

struct base {
	sqlite3 *db;
	sqlite3_stmt *put[TABLES], *drop[TABLES], *forget;
	struct stat file; /* as it was when it was opened, or longer */
};

/* The same order of columns for each: kind, name, at, three values, until. */
static const struct table {
	const char *read, *put, *drop;
} tables[TABLES] = {
	[CLOCK] = {
		"SELECT '" MR_STORE_CLOCK "', boot, at, boot_ms, wall_ms, 0, 0"
		" FROM clock",
		"INSERT OR REPLACE INTO clock (one, boot, at, boot_ms, wall_ms)"
		" VALUES (1, ?2, ?3, ?4, ?5)",
		"DELETE FROM clock WHERE boot = ?2",
	},
	[USAGE] = {
		"SELECT '" MR_STORE_USAGE "', mailbox, at, bytes, messages,"
		" \"limit\", 0 FROM usage",
		"INSERT OR REPLACE INTO usage"
		" (mailbox, at, bytes, messages, \"limit\")"
		" VALUES (?2, ?3, ?4, ?5, ?6)",
		"DELETE FROM usage WHERE mailbox = ?2",
	},
	[COUNTER] = {
		"SELECT kind, name, epoch, prev, cur, \"limit\", until"
		" FROM counter",
		"INSERT OR REPLACE INTO counter"
		" (kind, name, epoch, prev, cur, \"limit\", until)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		"DELETE FROM counter WHERE kind = ?1 AND name = ?2",
	},
};

static const char forget[] =
	"DELETE FROM counter WHERE until > 0 AND until < ?1";

static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
			       "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA journal_size_limit = 10000000;"
			       "PRAGMA cell_size_check = ON;";

static const char schema[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE IF NOT EXISTS usage (mailbox TEXT PRIMARY KEY NOT NULL,"
	" bytes INTEGER NOT NULL, messages INTEGER NOT NULL,"
	" \"limit\" INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS counter (kind TEXT NOT NULL,"
	" name TEXT NOT NULL, epoch INTEGER NOT NULL, prev INTEGER NOT NULL,"
	" cur INTEGER NOT NULL, \"limit\" INTEGER NOT NULL,"
	" until INTEGER NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY NOT NULL,"
	" boot TEXT NOT NULL, at INTEGER NOT NULL, boot_ms INTEGER NOT NULL,"
	" wall_ms INTEGER NOT NULL);"
	"PRAGMA user_version = " VERSION ";"
	"COMMIT";

static void close_base(void *handle)
{
	struct base *base = handle;

	for (int i = 0; i < TABLES; i++) {
		sqlite3_finalize(base->put[i]);
		sqlite3_finalize(base->drop[i]);
	}
	sqlite3_finalize(base->forget);
	sqlite3_close(base->db);
	free(base);
}

static enum mr_state_store_result failed(
	const struct base *base, const char *doing, struct mr_error *error)
{
	int code = sqlite3_errcode(base->db) & 0xff;

	mr_error_set(error, "%s: %s", doing, sqlite3_errmsg(base->db));
	/* SQLITE_ERROR: a table that is not as ours, as all else is bound */
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB ||
	                       code == SQLITE_ERROR
	               ? MR_STORE_BROKEN
	               : MR_STORE_LATER;
}

/* Of a PRAGMA that answers with one number or word. */
static bool says(struct base *base, const char *pragma, const char *const *good)
{
	sqlite3_stmt *statement;
	bool found = false;

	if (sqlite3_prepare_v2(base->db, pragma, -1, &statement, NULL) !=
		SQLITE_OK)
		return false;
	if (sqlite3_step(statement) == SQLITE_ROW) {
		const char *said =
			(const char *)sqlite3_column_text(statement, 0);

		for (; *good != NULL && said != NULL; good++)
			found = found || strcmp(said, *good) == 0;
	}
	return sqlite3_finalize(statement) == SQLITE_OK && found;
}

/* An error of the disk is no verdict on the file. */
static enum mr_state_store_result check(
	struct base *base, struct mr_error *error)
{
	static const char *const versions[] = { "0", VERSION, NULL };
	static const char *const ok[] = { "ok", NULL };
	static const struct {
		const char *pragma, *wrong;
		const char *const *good;
	} checks[] = {
		{ "PRAGMA user_version", "it is of another version", versions },
		{ "PRAGMA quick_check(1)", "quick_check found damage", ok },
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (says(base, checks[i].pragma, checks[i].good))
			continue;
		if (sqlite3_errcode(base->db) != SQLITE_OK)
			return failed(base, "check", error);
		mr_error_set(error, "%s", checks[i].wrong);
		return MR_STORE_BROKEN;
	}
	return MR_STORE_DONE;
}

static bool prepare(struct base *base)
{
	for (int i = 0; i < TABLES; i++)
		if (sqlite3_prepare_v2(base->db, tables[i].put, -1,
			    &base->put[i], NULL) != SQLITE_OK ||
			sqlite3_prepare_v2(base->db, tables[i].drop, -1,
				&base->drop[i], NULL) != SQLITE_OK)
			return false;
	return sqlite3_prepare_v2(base->db, forget, -1, &base->forget, NULL) ==
	       SQLITE_OK;
}

static enum mr_state_store_result set_up(
	struct base *base, struct mr_error *error)
{
	static const char *const current[] = { VERSION, NULL };
	enum mr_state_store_result result;

	sqlite3_db_config(base->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(base->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_limit(base->db, SQLITE_LIMIT_ATTACHED, 0);
	if (sqlite3_exec(base->db, settings, NULL, NULL, NULL) != SQLITE_OK)
		return failed(base, "open", error);
	result = check(base, error);
	if (result != MR_STORE_DONE)
		return result;
	/* what is there already can be read from a full disk, too */
	if (!says(base, "PRAGMA user_version", current) &&
		sqlite3_exec(base->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return failed(base, "create the tables", error);
	if (!prepare(base))
		return failed(base, "prepare", error);
	return MR_STORE_DONE;
}

static enum mr_state_store_result open_base(
	const char *place, void **handle_r, struct mr_error *error)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
	                  SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
	struct base *base = mr_calloc(1, sizeof(*base));
	enum mr_state_store_result result;

	if (sqlite3_open_v2(place, &base->db, flags, NULL) != SQLITE_OK) {
		/* nothing has been read yet: never broken */
		failed(base, "open", error);
		result = MR_STORE_LATER;
	} else {
		result = set_up(base, error);
	}
	if (result == MR_STORE_DONE && stat(place, &base->file) < 0) {
		mr_error_set(error, "%s", strerror(errno));
		result = MR_STORE_LATER;
	}
	if (result == MR_STORE_DONE)
		*handle_r = base;
	else
		close_base(base);
	return result;
}

/* It never gets shorter by itself. */
static bool is_there(const char *place, void *handle)
{
	struct base *base = handle;
	struct stat st;
	bool same = stat(place, &st) == 0 && st.st_dev == base->file.st_dev &&
	            st.st_ino == base->file.st_ino &&
	            st.st_size >= base->file.st_size;

	if (same)
		base->file = st;
	return same;
}

static int read_table(struct base *base, const struct table *table,
	mr_state_store_seen *seen, void *context)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(base->db, table->read, -1, &statement, NULL) !=
		SQLITE_OK)
		return sqlite3_errcode(base->db);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		struct mr_state_store_row row = {
			.kind = (const char *)sqlite3_column_text(statement, 0),
			.name = (const char *)sqlite3_column_text(statement, 1),
			.at = sqlite3_column_int64(statement, 2),
			.until = sqlite3_column_int64(statement, 6),
		};

		for (int i = 0; i < 3; i++)
			row.value[i] = sqlite3_column_int64(statement, 3 + i);
		if (row.kind != NULL && row.name != NULL)
			seen(context, &row);
	}
	return sqlite3_finalize(statement);
}

static enum mr_state_store_result load(void *handle, mr_state_store_seen *seen,
	void *context, struct mr_error *error)
{
	for (int i = 0; i < TABLES; i++)
		if (read_table(handle, &tables[i], seen, context) != SQLITE_OK)
			return failed(handle, "read", error);
	return MR_STORE_DONE;
}

static int table_of(const char *kind)
{
	if (strcmp(kind, MR_STORE_CLOCK) == 0)
		return CLOCK;
	return strcmp(kind, MR_STORE_USAGE) == 0 ? USAGE : COUNTER;
}

static bool write_row(struct base *base, const struct mr_state_store_row *row)
{
	int table = table_of(row->kind);
	bool gone = (row->value[0] | row->value[1] | row->value[2]) == 0;
	sqlite3_stmt *statement = gone ? base->drop[table] : base->put[table];

	sqlite3_bind_text(statement, 1, row->kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, row->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, row->at);
	for (int i = 0; i < 3; i++)
		sqlite3_bind_int64(statement, 4 + i, row->value[i]);
	sqlite3_bind_int64(statement, 7, row->until);
	sqlite3_step(statement);
	return sqlite3_reset(statement) == SQLITE_OK;
}

static bool forget_old(struct base *base, int64_t before)
{
	sqlite3_bind_int64(base->forget, 1, before);
	sqlite3_step(base->forget);
	return sqlite3_reset(base->forget) == SQLITE_OK;
}

static enum mr_state_store_result write_rows(void *handle,
	const struct mr_state_store_row *const *rows, size_t n,
	int64_t forget_before, struct mr_error *error)
{
	struct base *base = handle;
	bool fine = sqlite3_exec(base->db, "BEGIN IMMEDIATE", NULL, NULL,
			    NULL) == SQLITE_OK;
	enum mr_state_store_result result;

	for (size_t i = 0; fine && i < n; i++)
		fine = write_row(base, rows[i]);
	if (forget_before != INT64_MIN)
		fine = fine && forget_old(base, forget_before);
	if (fine &&
		sqlite3_exec(base->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return MR_STORE_DONE;
	result = failed(base, "write", error);
	sqlite3_exec(base->db, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

/* PLACE.broken-1 and so on; the log beside it belongs to it. */
static int set_aside(const char *place, struct mr_error *error)
{
	static const char *const parts[] = { "", "-wal", "-shm", "-journal" };
	struct mr_arena *arena = mr_arena_new(512);
	const char *to = NULL;
	struct stat st;
	int result = 0;

	for (int i = 1; i <= ASIDE; i++) {
		to = mr_arena_printf(arena, "%s.broken-%d", place, i);
		if (lstat(to, &st) < 0)
			break;
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *from =
			mr_arena_printf(arena, "%s%s", place, parts[i]);

		if (rename(from, mr_arena_printf(arena, "%s%s", to, parts[i])) <
				0 &&
			errno != ENOENT)
			result = mr_error_set(error, "set %s aside: %s", from,
				strerror(errno));
	}
	mr_arena_free(&arena);
	return result;
}

const struct mr_state_store_backend mr_state_store_sqlite = {
	.open = open_base,
	.load = load,
	.write = write_rows,
	.is_there = is_there,
	.close = close_base,
	.set_aside = set_aside,
};
