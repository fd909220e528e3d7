/*
 * published - the mailbox parts of the policy, where Dovecot's plugin reads
 * them
 *
 * The plugin never reads the file that is being edited: `mailreeve reload`
 * publishes a copy once it is known to be good.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_PUBLISHED_H
#define MR_CLI_PUBLISHED_H

#include "common/base/error.h"

struct mr_arena;
struct mr_config;

/* Writes DIRECTORY/mailbox.conf, mode 0644, so that at any moment (and after a
 * crash) there is either the old one or the whole new one. */
int mr_published_write(const struct mr_config *config, const char *directory,
	struct mr_arena *arena, const char **path_r, struct mr_error *error);

#endif
