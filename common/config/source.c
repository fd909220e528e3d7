/* source - see source.h. */
/* SPDX-License-Identifier: ISC */
#include "common/config/source.h"
#include "common/base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Judged on the open descriptor: the name could be exchanged in between. */
static int judge(const char *path, const struct stat *st, size_t most,
	bool secret, struct mr_error *error)
{
	if (S_ISDIR(st->st_mode))
		return mr_error_set(error, "%s is a directory", path);
	if (!S_ISREG(st->st_mode))
		return mr_error_set(error, "%s is not a regular file", path);
	if ((st->st_mode & S_IWOTH) != 0)
		return mr_error_set(error,
			"%s can be written by everybody: chmod o-w", path);
	if (secret && (st->st_mode & S_IROTH) != 0)
		return mr_error_set(error,
			"%s holds a secret but can be read by everybody: "
			"chmod o-r",
			path);
	if ((size_t)st->st_size > most)
		return mr_error_set(error,
			"%s is larger than the %zu octets that are read", path,
			most);
	return 0;
}

/* Up to `length` octets; fewer only where the file ends. */
static ssize_t read_all(int fd, char *buffer, size_t length)
{
	size_t have = 0;

	while (have < length) {
		ssize_t got = read(fd, buffer + have, length - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

static int read_open(struct mr_arena *arena, int fd, const char *path,
	size_t most, bool secret, struct mr_source_file *file,
	struct mr_error *error)
{
	struct stat st;
	ssize_t length;
	char *text;

	if (fstat(fd, &st) < 0)
		return mr_error_set(
			error, "cannot read %s: %s", path, strerror(errno));
	if (judge(path, &st, most, secret, error) < 0)
		return -1;
	text = mr_arena_alloc(arena, (size_t)st.st_size + 1);
	length = read_all(fd, text, (size_t)st.st_size);
	if (length < 0)
		return mr_error_set(
			error, "cannot read %s: %s", path, strerror(errno));
	file->text = text;
	file->length = (size_t)length;
	file->device = st.st_dev;
	file->inode = st.st_ino;
	return 0;
}

int mr_source_read(struct mr_arena *arena, const char *path, size_t most,
	bool secret, struct mr_source_file *file, struct mr_error *error)
{
	struct stat st;
	int fd, result;

	memset(file, 0, sizeof(*file));
	/* asked twice: opening a device may do something, and a FIFO that
	 * takes the file's place must not stop us */
	if (stat(path, &st) == 0 && judge(path, &st, most, secret, error) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		file->unreadable = errno == EACCES;
		file->missing = errno == ENOENT;
		return mr_error_set(
			error, "cannot read %s: %s", path, strerror(errno));
	}
	result = read_open(arena, fd, path, most, secret, file, error);
	close(fd);
	return result;
}
