/* every_type - a schema for tests: each type alone and in a list, each way to
 * name a section, each rung. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_TESTS_EVERY_TYPE_H
#define MR_TESTS_EVERY_TYPE_H

#include "common/config/config.h"

struct every {
	bool boolean;
	int64_t number, percent;
	uint64_t size;
	int64_t duration;
	time_t date;
	const char *string;
	int word;
	struct mr_network network;
	const char *pattern;
	int64_t port;
	int tls;
	struct mr_rate rate, volume;
	const char *map, *secret;
	int64_t signed_number;
};

struct every_list {
	struct mr_list booleans, numbers, percents, sizes, durations, dates,
		strings, words, networks, patterns, ports, tlses, rates,
		volumes, maps, secrets;
};

struct every_global {
	const char *hostname;
	int mode;
};

struct every_rule {
	int action, unsure;
};

struct every_range {
	int64_t least, most;
};

struct every_purge {
	int64_t after;
	bool keep_flagged;
};

struct every_group {
	struct mr_list members;
};

struct every_empty {
	char unused;
};

struct every_port {
	int tls;
};

extern const struct mr_section every_global, every_scalar, every_list,
	every_helo, every_sender, every_range, every_purge, every_exception,
	every_listener, every_group, every_domain, every_user;

extern const struct mr_schema every_schema;
/* Only what is published, and the rungs. */
extern const struct mr_schema every_published_schema;

/* Reads the published text of `config`, called `name`, and compares what
 * applies to everybody; NULL, or what is wrong, in `arena`. */
const char *every_compare_published(
	const struct mr_config *config, struct mr_arena *arena);

#endif
