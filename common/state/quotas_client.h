/*
 * quotas_client - asks the policy daemon's query socket how full mailboxes are
 *
 * Never longer than MR_QUOTAS_CLIENT_MS; whatever goes wrong is "could not find
 * out", and then nobody asks again for MR_QUOTAS_CLIENT_PAUSE_MS.  A few
 * connections are kept.  Books nothing.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_STATE_QUOTAS_CLIENT_H
#define MR_STATE_QUOTAS_CLIENT_H

#include "common/state/quotas.h"

enum {
	MR_QUOTAS_CLIENT_MS = 50,
	MR_QUOTAS_CLIENT_PAUSE_MS = 1000,
	MR_QUOTAS_CLIENT_KEPT = 8,
};

struct mr_quotas_client;

/* Connects when it is first asked. */
struct mr_quotas_client *mr_quotas_client_new(const char *path);
/* NULL-safe; clears the pointer. */
void mr_quotas_client_free(struct mr_quotas_client **client);

/* The client stays the caller's. */
struct mr_quotas mr_quotas_client_quotas(struct mr_quotas_client *client);

#endif
