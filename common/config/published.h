/*
 * published - the mailbox copy of the policy, read for one address
 *
 * The copy (see mr_config_publish) is sorted, so that of 100,000 domains only
 * the one that can apply is found by bisection and parsed: the top, the groups
 * and the address's own `domain` and `user`.  It is read, not mapped: somebody
 * who truncates it while it is open gets a mistake, not our SIGBUS.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_PUBLISHED_H
#define MR_CONFIG_PUBLISHED_H

#include "common/config/config.h"

#include <stdbool.h>

/* The top and the groups together, or one domain, may have so many octets. */
enum { MR_PUBLISHED_PART = 4 * 1024 * 1024 };

/* The last line of a copy: without it, it is cut short. */
#define MR_PUBLISHED_END "# The end.\n"

struct mr_published;

/* Reads what can apply to `address` (lower case; without a domain only the top
 * and the groups can).  -1: it is missing, may be written by others, or has a
 * mistake, which is told with FILE:LINE. */
int mr_published_read(const char *path, const char *address,
	struct mr_published **published_r, struct mr_error *error);
/* NULL-safe; clears the pointer. */
void mr_published_free(struct mr_published **published);

const struct mr_config *mr_published_config(
	const struct mr_published *published);
/* The rungs of the address: its user and its domain.  Its group is for the
 * caller to find out, among mr_config_scopes(config, MR_GROUP). */
const struct mr_chain *mr_published_chain(const struct mr_published *published);

/* Is the file at `path` another one than was read? */
bool mr_published_has_changed(const struct mr_published *published);

/* Where the admin wrote a setting: "FILE:LINE" of the policy, from the comment
 * that stands beside it in the copy; "default" for what is set nowhere. */
char *mr_published_origin(const struct mr_published *published,
	const struct mr_place *place, struct mr_arena *arena);

/* The sections that are published, and nothing else. */
const struct mr_schema *mr_mailbox_schema(void);

#endif
