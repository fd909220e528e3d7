/*
 * memory - what the policy daemon remembers beyond one mail, put together
 *
 * Counters of rates, usage of mailboxes and what is on its way there, the
 * sockets that bring it and tell of it, and the store that keeps it.  What of
 * it does not work is logged, and the daemon goes on without.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_MEMORY_H
#define MR_POLICYD_MEMORY_H

#include <stdio.h>

struct mr_arena;
struct mr_engine;
struct mr_rates;
struct mr_service;
struct mr_memory;
struct mr_quotas;

/* Before the first thread. */
struct mr_memory *mr_memory_new(const struct mr_service *settings);
/* Reads the store, and begins to listen and to write.  `engine`, borrowed,
 * knows the userdb; `ended` as of mr_server_start. */
void mr_memory_start(
	struct mr_memory *memory, struct mr_engine *engine, int ended);
/* Takes no more reports, and writes what is not written yet.  What others use
 * of it stays: their threads run until the process ends. */
void mr_memory_end(struct mr_memory *memory);

/* Borrowed. */
const struct mr_rates *mr_memory_rates(const struct mr_memory *memory);
const struct mr_quotas *mr_memory_quotas(const struct mr_memory *memory);

/* Its part of `mailreeve status`, and `mailreeve status --rates`. */
void mr_memory_status(
	struct mr_memory *memory, struct mr_arena *arena, FILE *out);
void mr_memory_say_rates(
	struct mr_memory *memory, struct mr_arena *arena, FILE *out);

#endif
