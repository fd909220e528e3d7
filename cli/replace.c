/* replace - see replace.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/replace.h"
#include "common/base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int finish(FILE *out, const char *path, struct mr_error *error)
{
	if (fflush(out) != 0 || fchmod(fileno(out), 0644) < 0 ||
		fsync(fileno(out)) < 0)
		return mr_error_set(error, "%s: %s", path, strerror(errno));
	if (ferror(out))
		return mr_error_set(error, "%s: a write failed", path);
	return 0;
}

/* After a rename, so that it survives a crash, too. */
static void sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

int mr_replace_file(const char *directory, const char *name,
	int (*fill)(const void *what, FILE *out, struct mr_error *error),
	const void *what, struct mr_arena *arena, const char **path_r,
	struct mr_error *error)
{
	const char *path = mr_arena_printf(arena, "%s/%s", directory, name);
	char *temporary = mr_arena_printf(arena, "%s.XXXXXX", path);
	int fd = mkostemp(temporary, O_CLOEXEC), status;
	FILE *out;

	if (fd < 0)
		return mr_error_set(
			error, "%s: %s", directory, strerror(errno));
	out = fdopen(fd, "w");
	if (out == NULL) {
		close(fd);
		status = mr_error_set(
			error, "%s: %s", temporary, strerror(errno));
	} else {
		status = fill(what, out, error);
		if (status == 0)
			status = finish(out, temporary, error);
		if (fclose(out) != 0 && status == 0)
			status = mr_error_set(
				error, "%s: %s", temporary, strerror(errno));
	}
	if (status == 0 && rename(temporary, path) < 0)
		status = mr_error_set(error, "%s: %s", path, strerror(errno));
	if (status < 0) {
		unlink(temporary);
		return -1;
	}
	sync_directory(directory);
	*path_r = path;
	return 0;
}
