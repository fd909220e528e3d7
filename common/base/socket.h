/*
 * socket - a unix socket to listen on, made without taking a live one away
 *
 * A path that a crash left behind is removed; one that somebody still serves is
 * an error.  Both are found out by connecting, under the lock file PATH.lock,
 * so that two that start together cannot remove each other's.  The group is
 * the directory's where that is setgid, as with tmpfiles' 2750.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_SOCKET_H
#define MR_BASE_SOCKET_H

#include "common/base/error.h"

#include <sys/types.h>
#include <sys/un.h>

struct mr_socket {
	int fd;     /* listening, close-on-exec; the caller closes it */
	char *path; /* NULL: nothing to remove */
	dev_t device;
	ino_t inode;
};

/* Mode 0660.  Changes the umask for a moment: call it before the first
 * thread. */
int mr_socket_listen(
	const char *path, struct mr_socket *socket, struct mr_error *error);
/* The same for datagrams, mode 0666: whoever reads them asks who sent them. */
int mr_socket_receive(
	const char *path, struct mr_socket *socket, struct mr_error *error);
/* Removes the path if it is still this socket's; the descriptor stays. */
void mr_socket_remove(struct mr_socket *socket);

/* -1: the path is too long for a socket (107 octets on Linux). */
int mr_socket_address(
	const char *path, struct sockaddr_un *address, struct mr_error *error);

#endif
