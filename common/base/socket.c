/* socket - see socket.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/socket.h"
#include "common/base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int mr_socket_address(
	const char *path, struct sockaddr_un *address, struct mr_error *error)
{
	if (strlen(path) >= sizeof(address->sun_path))
		return mr_error_set(error,
			"socket path %s is longer than %zu octets", path,
			sizeof(address->sun_path) - 1);
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, path, strlen(path) + 1);
	return 0;
}

/* The lock file stays: removing it would let two processes lock two files of
 * one name. */
static int lock(const char *path, struct mr_error *error)
{
	char *name = mr_calloc(1, strlen(path) + sizeof(".lock"));
	int fd;

	sprintf(name, "%s.lock", path);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0) {
		mr_error_set(
			error, "cannot lock %s: %s", name, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	free(name);
	return fd;
}

/* Is nobody there?  A full queue (EAGAIN) is somebody. */
static int remove_stale(const char *path, const struct sockaddr_un *address,
	int type, struct mr_error *error)
{
	struct stat info;
	int fd, problem = 0;

	if (lstat(path, &info) < 0) {
		if (errno == ENOENT)
			return 0;
		return mr_error_set(error, "%s: %s", path, strerror(errno));
	}
	if (!S_ISSOCK(info.st_mode))
		return mr_error_set(
			error, "%s is there and is not a socket", path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return mr_error_set(error, "socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		problem = errno;
	close(fd);
	if (problem == 0 || problem == EAGAIN)
		return mr_error_set(error,
			"%s is served by another process, which must end first",
			path);
	if (problem != ECONNREFUSED)
		return mr_error_set(error, "cannot tell if %s is in use: %s",
			path, strerror(problem));
	if (unlink(path) < 0)
		return mr_error_set(error, "cannot remove the old %s: %s", path,
			strerror(errno));
	return 0;
}

static int bind_and_listen(const char *path, const struct sockaddr_un *address,
	int type, mode_t masked, struct mr_error *error)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	mode_t mask = umask(masked);
	int bound = fd < 0 ? -1
	                   : bind(fd, (const struct sockaddr *)address,
				     sizeof(*address));
	int problem = errno;

	umask(mask);
	if (bound == 0 && (type == SOCK_DGRAM || listen(fd, SOMAXCONN) == 0))
		return fd;
	if (bound == 0)
		problem = errno;
	if (fd >= 0)
		close(fd);
	return mr_error_set(
		error, "cannot listen on %s: %s", path, strerror(problem));
}

static int make(const char *path, int type, mode_t masked,
	struct mr_socket *sock, struct mr_error *error)
{
	struct sockaddr_un address;
	struct stat info = { 0 };
	int lock_fd;

	*sock = (struct mr_socket){ .fd = -1 };
	if (mr_socket_address(path, &address, error) < 0)
		return -1;
	lock_fd = lock(path, error);
	if (lock_fd < 0)
		return -1;
	if (remove_stale(path, &address, type, error) == 0)
		sock->fd = bind_and_listen(path, &address, type, masked, error);
	if (sock->fd >= 0 && lstat(path, &info) == 0) {
		sock->path = mr_calloc(1, strlen(path) + 1);
		memcpy(sock->path, path, strlen(path));
		sock->device = info.st_dev;
		sock->inode = info.st_ino;
	}
	close(lock_fd);
	return sock->fd < 0 ? -1 : 0;
}

int mr_socket_listen(
	const char *path, struct mr_socket *sock, struct mr_error *error)
{
	return make(path, SOCK_STREAM, 0117, sock, error);
}

int mr_socket_receive(
	const char *path, struct mr_socket *sock, struct mr_error *error)
{
	return make(path, SOCK_DGRAM, 0111, sock, error);
}

void mr_socket_remove(struct mr_socket *sock)
{
	struct stat info;

	if (sock->path == NULL)
		return;
	if (lstat(sock->path, &info) == 0 && info.st_dev == sock->device &&
		info.st_ino == sock->inode)
		unlink(sock->path);
	free(sock->path);
	sock->path = NULL;
}
