/*
 * queries - the socket on which the milter asks how full mailboxes are
 *
 * The protocol is that of common/state/quotas_wire.h.  Root and our own user
 * are answered; the socket's mode lets nobody else in but our group.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_QUERIES_H
#define MR_POLICYD_QUERIES_H

#include "common/base/error.h"
#include "common/state/quotas.h"

struct mr_queries;

/* Before the first thread, see mr_socket_listen.  `quotas` are copied. */
int mr_queries_open(const char *path, struct mr_quotas quotas,
	struct mr_queries **queries_r, struct mr_error *error);
/* Begins to answer, in threads that run until the process ends; `ended` as of
 * mr_server_start. */
int mr_queries_start(
	struct mr_queries *queries, int ended, struct mr_error *error);
/* Takes no more connections and removes the path.  NULL-safe. */
void mr_queries_stop(struct mr_queries *queries);
/* Answered so far. */
uint64_t mr_queries_count(struct mr_queries *queries);

#endif
