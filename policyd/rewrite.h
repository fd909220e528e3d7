/*
 * rewrite - a recipient as Postfix will rewrite it
 *
 * A policy request has what the client said: net.example!bob and
 * bob%net.example are delivered to bob@net.example (swap_bangpath,
 * allow_percent_hack), and so is bob%net.example@HOST, where HOST is this
 * machine's name.  The rules must see bob.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_REWRITE_H
#define MR_POLICYD_REWRITE_H

struct mr_arena;

/* `host` is our own name; localhost and address literals are this machine, too.
 * Without anything to rewrite it is `address` itself, else in `arena`. */
const char *mr_rewrite_recipient(
	struct mr_arena *arena, const char *address, const char *host);

#endif
