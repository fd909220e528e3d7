/*
 * control - the socket that `mailreeve status` and `mailreeve reload` talk to
 *
 * One line is asked, lines of "name=value" are answered, the first of them "ok"
 * or "error=WHY"; then the connection ends.  The socket is 0660: who may
 * connect at all is the group's matter, and who may do what the handler's, who
 * gets the peer's uid from the kernel (SO_PEERCRED).
 *
 * The server never blocks: its owner polls for it.  A client has
 * MR_CONTROL_ASK_MS to say its line and MR_CONTROL_TAKE_MS to take the answer;
 * beyond MR_CONTROL_CLIENTS the others wait in the kernel's queue.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_CONTROL_H
#define MR_BASE_CONTROL_H

#include "common/base/error.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct mr_arena;
struct mr_control;

enum {
	MR_CONTROL_LONGEST = 64 * 1024,      /* octets of a request */
	MR_CONTROL_ANSWER = 4 * 1024 * 1024, /* octets that are taken of one */
	MR_CONTROL_CLIENTS = 16,
	MR_CONTROL_POLLS = MR_CONTROL_CLIENTS + 1,
	MR_CONTROL_ASK_MS = 1000,
	MR_CONTROL_TAKE_MS = 5000,
};

/* Writes the whole answer to one request (without its line end). */
typedef void mr_control_handler(
	void *context, const char *request, uid_t peer, FILE *answer);

/* Call it before the first thread, see mr_socket_listen. */
int mr_control_open(const char *path, mr_control_handler *handler,
	void *context, struct mr_control **control_r, struct mr_error *error);
/* Removes the path; what is under way is cut off.  NULL-safe. */
void mr_control_close(struct mr_control **control);

/* Fills `polls` with what to wait for, returns how many; *wait_ms becomes the
 * shorter of itself and the next deadline (-1: none).  `now_ms` is a time on
 * CLOCK_MONOTONIC. */
size_t mr_control_watch(struct mr_control *control,
	struct pollfd polls[MR_CONTROL_POLLS], int64_t now_ms, int *wait_ms);
/* Does what `polls` (of the last watch) says can be done. */
void mr_control_serve(
	struct mr_control *control, const struct pollfd *polls, int64_t now_ms);

/* The client's side: asks, and waits for the whole answer. */
int mr_control_ask(const char *path, const char *request, int timeout_ms,
	struct mr_arena *arena, char **answer_r, struct mr_error *error);

#endif
