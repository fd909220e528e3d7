/* texthash - Postfix's table text, read into memory and again when it changes.
 */
/* SPDX-License-Identifier: ISC */
#include "common/map/texthash.h"
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/map/table.h"
#include "common/map/type.h"
#include "common/map/watched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_all(int fd, char *text, size_t size, size_t *length_r)
{
	size_t length = 0;
	ssize_t got;

	while (length < size) {
		got = read(fd, text + length, size - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	*length_r = length;
	return 0;
}

static void *read_table(const char *path, int fd, size_t size, bool fresh,
	struct mr_error *error)
{
	size_t length, ignored, first_line;
	char *text = mr_calloc(1, size + 1);
	struct mr_table *table;

	if (read_all(fd, text, size, &length) < 0) {
		mr_error_set(error, "%s", strerror(errno));
		free(text);
		return NULL;
	}
	/* The value there might be half an address. */
	if (fresh && length > 0 && text[length - 1] != '\n') {
		mr_error_set(error,
			"ends in the middle of a line, and changed just now");
		free(text);
		return NULL;
	}
	table = mr_table_new(text);
	ignored = mr_texthash_parse(table, text, length, &first_line);
	if (ignored > 0)
		mr_log(MR_LOG_WARNING,
			"map=texthash:%s ignored_lines=%zu first=%zu: expected "
			"\"key value\", each key once; correct these lines",
			path, ignored, first_line);
	return table;
}

static void *hold(void *table)
{
	return mr_table_hold(table);
}

static void release(void *table)
{
	struct mr_table *held = table;

	mr_table_release(&held);
}

static size_t count(const void *table)
{
	return mr_table_count(table);
}

static enum mr_lookup get(void *table, struct mr_arena *arena, const char *key,
	const char **value_r, struct mr_error *error)
{
	const char *value = mr_table_get(table, key);

	(void)error;
	if (value == NULL)
		return MR_NOTFOUND;
	*value_r = mr_arena_strdup(arena, value);
	return MR_FOUND;
}

static bool list(const void *table, const struct mr_map_listener *listener)
{
	return mr_table_list(table, listener);
}

static const struct mr_watched_kind kind = {
	.type = "texthash",
	.suffix = "",
	.read = read_table,
	.hold = hold,
	.release = release,
	.count = count,
	.get = get,
	.list = list,
};

static int texthash_open(const char *name, int64_t now_ms, void **state_r,
	struct mr_error *error)
{
	return mr_watched_open(&kind, name, now_ms, state_r, error);
}

const struct mr_map_type mr_map_texthash = {
	.name = "texthash",
	.check = mr_map_check_path,
	.open = texthash_open,
	.close = mr_watched_close,
	.get = mr_watched_get,
	.list = mr_watched_list,
};
