/*
 * schema - one option table per section: parsing, defaults, documentation
 *
 * A section's table says for each setting its name, type, place in the
 * section's struct, default (in the policy's own language) and meaning.  From
 * it come the parser, `mailreeve settings`, `mailreeve show`, the published
 * copy and the test that compares settings with the manual.  Adding a setting
 * is adding a line.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_SCHEMA_H
#define MR_CONFIG_SCHEMA_H

#include "common/base/error.h"
#include "common/base/ip.h"
#include "common/base/units.h"
#include "common/config/place.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_arena;
struct mr_config;
struct mr_problems;

enum mr_type {            /* what the struct's member is; in lists, the items */
	MR_TYPE_BOOLEAN,  /* bool: yes | no */
	MR_TYPE_NUMBER,   /* int64_t, between least and most */
	MR_TYPE_PERCENT,  /* int64_t, 0 to 100 */
	MR_TYPE_SIZE,     /* uint64_t, octets or MR_UNLIMITED */
	MR_TYPE_DURATION, /* int64_t, seconds */
	MR_TYPE_DATE,     /* time_t, see mr_date_parse */
	MR_TYPE_STRING,   /* const char * */
	MR_TYPE_ENUM,     /* int, the index into words; MR_UNSET if not set */
	MR_TYPE_NETWORK,  /* struct mr_network */
	MR_TYPE_PATTERN,  /* const char *, see mr_address_pattern_check */
	MR_TYPE_PORT,     /* int64_t, 1 to 65535 */
	MR_TYPE_TLS,      /* int, enum mr_tls */
	MR_TYPE_RATE,     /* struct mr_rate */
	MR_TYPE_VOLUME,   /* struct mr_rate, of octets */
	MR_TYPE_MAP,      /* const char *, TYPE:NAME, see common/map/map.h */
	MR_TYPE_SECRET,   /* const char *, read from the @FILE that is named;
	                     "" where this process may not read that file and
	                     only checks; never printed */
};

/* The least version that is accepted. */
enum mr_tls {
	MR_TLS_NONE, /* `no`: cleartext is fine */
	MR_TLS_ANY,  /* `yes`: any version */
	MR_TLS_1_0,  /* TLSv1 */
	MR_TLS_1_1,
	MR_TLS_1_2,
	MR_TLS_1_3,
};
/* Also for what Postfix says in {tls_version}; -1 if it is none of ours. */
int mr_tls_parse(const char *text, enum mr_tls *version);
const char *mr_tls_name(enum mr_tls version);

enum { MR_UNSET = -1 };

/* A list member of a struct: `count` items of the option's type. */
struct mr_list {
	size_t count;
	const void *items;
};

struct mr_option {
	const char *name; /* NULL ends a table */
	enum mr_type type;
	bool list; /* items are separated by blanks or commas */
	size_t offset;
	const char *initial;      /* the default; NULL: not set */
	const char *const *words; /* MR_TYPE_ENUM, ends with NULL */
	bool unpublished;         /* stays out of the mailbox copy */
	int64_t least, most;      /* MR_TYPE_NUMBER; 0, 0: not negative */
	const char *help;         /* one sentence for `mailreeve settings` */
};

/* Where a section may stand; also the rungs of the one precedence
 * user > group > domain > listener > global. */
enum mr_rung {
	MR_USER,
	MR_GROUP,
	MR_DOMAIN,
	MR_LISTENER,
	MR_GLOBAL,
	MR_RUNGS,
};
#define MR_IN(rung) (1u << (rung))
#define MR_EVERYWHERE ((1u << MR_RUNGS) - 1)

struct mr_section {
	const char *name;  /* "purge"; NULL for the top level */
	const char *kind;  /* "helo" in `check helo {`: part of the name */
	const char *title; /* "FOLDER": a word for the titles that make
	                      instances; NULL: there is one instance */
	bool one_title;    /* exactly one title, not several */
	int rung;          /* the section *is* such a rung (listener, group,
	                      domain, user), else MR_UNSET */
	unsigned where;    /* MR_IN(...) of the rungs it may stand in */
	bool published;    /* part of the mailbox copy that Dovecot reads */
	const struct mr_option *options;
	size_t size; /* of the struct that the options fill */
	/* A title's own grammar (a port, a domain); NULL: any printable text.
	 */
	int (*check_title)(const char *title, struct mr_error *error);
	/* Contradictions within one instance, told with the effective values;
	 * adds its own problems.  The place of what is set nowhere is the
	 * section's.  NULL: none possible. */
	void (*validate)(const void *values, const struct mr_place *places,
		struct mr_problems *problems);
	const char *help;
};

/* All sections a program understands; the first is the top level. */
struct mr_schema {
	const struct mr_section *const *sections; /* ends with NULL */
	/* What no single section can say; also asked of a file with other
	 * mistakes, so that all are told in one run.  NULL: nothing. */
	void (*verify)(
		const struct mr_config *config, struct mr_problems *problems);
	/* For the copy that Dovecot reads, of a policy that was checked: what
	 * stays out of it has no default, and no section that has such options
	 * is validated again. */
	bool copy;
};

#endif
