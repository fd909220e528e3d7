/*
 * policy - a loaded policy file, with its tables open: what an engine runs on
 *
 * Immutable and counted: a reload publishes a new one, and the old one goes
 * when the last mail that began under it is done.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_POLICY_H
#define MR_POLICY_POLICY_H

#include "common/config/config.h"
#include "common/config/sections.h"
#include "common/lookup/recipient.h"

#include <stdbool.h>
#include <stdint.h>

struct mr_arena;
struct mr_check;
struct mr_recipient;
struct mr_txn;

/* Of all sections: core, mailbox and one per check. */
const struct mr_schema *mr_policy_schema(void);

struct mr_rule_exception {
	const char *name; /* NULL ends the array */
	const struct mr_exception *values;
	struct mr_place at;
};

struct mr_group_maps {
	const struct mr_scope *scope; /* NULL ends the array */
	struct mr_map **members;      /* ends with NULL */
	int64_t warned_ms; /* when it was last said that they are dead */
};

struct mr_policy {
	struct mr_config *config;
	struct mr_arena *arena;
	const struct mr_global *global;
	const struct mr_milter *milter;
	struct mr_recipient_maps maps;
	struct mr_group_maps *groups;         /* in the file's order */
	struct mr_rule_exception *exceptions; /* in the file's order */
	uint64_t largest; /* message.size anyone has, octets, and where */
	struct mr_place largest_at;
	uint64_t at_mail;   /* the checks that MAIL may ask, by number */
	bool needs_content; /* does any rule ask for the true size? */
	bool tags;          /* may any rule tag? */
	unsigned references;
};

/* Reads, checks, opens the maps (a table that is missing is a warning: it may
 * come, and until then its questions are unsure). */
int mr_policy_load(const char *path, struct mr_policy **policy_r,
	struct mr_problems *problems);
struct mr_policy *mr_policy_hold(struct mr_policy *policy);
/* NULL-safe; clears the pointer. */
void mr_policy_release(struct mr_policy **policy);

/* Whose rules apply: the user, group, domain and listener of an address. */
struct mr_who {
	struct mr_chain chain;
	/* The groups that the address may be in, as their tables could not be
	 * read; NULL: none, else ends with NULL.  The most generous of all
	 * counts. */
	const struct mr_scope **perhaps;
};

/* `address` is lower case without detail; `listener` may be NULL. */
void mr_policy_who(const struct mr_policy *policy, const char *address,
	const struct mr_scope *listener, int64_t deadline_ms,
	struct mr_arena *arena, struct mr_who *who);
/* By port or daemon_name; NULL: no such listener section. */
const struct mr_scope *mr_policy_listener(
	const struct mr_policy *policy, unsigned port, const char *daemon_name);
bool mr_policy_trusts(const struct mr_policy *policy, const struct mr_ip *ip);

/* The size of mail that `who` may send or get, and where that was set. */
uint64_t mr_policy_message_size(const struct mr_policy *policy,
	const struct mr_who *who, struct mr_arena *arena, struct mr_place *at);

/* The exception that lets `recipient` (NULL at MAIL) of `txn` pass `check`, or
 * NULL. */
const struct mr_rule_exception *mr_policy_exception(const struct mr_txn *txn,
	const struct mr_recipient *recipient, const struct mr_check *check);

#endif
