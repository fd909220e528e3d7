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
#include "common/lookup/dns.h"
#include "common/lookup/dnsbl.h"
#include "common/lookup/spf_box.h"
#include "common/lookup/recipient.h"

#include <stdbool.h>
#include <stdint.h>

struct mr_arena;
struct mr_check;
struct mr_recipient;
struct mr_scanner_rule;
struct mr_txn;
struct mr_counted;
struct mr_tally;

/* Of all sections: core, mailbox and one per check. */
const struct mr_schema *mr_policy_schema(void);

struct mr_rule_exception {
	const char *name; /* NULL ends the array */
	const struct mr_exception *values;
	struct mr_place at;
	struct mr_counted *mails; /* that used it; the engine's */
};

struct mr_group_maps {
	const struct mr_scope *scope; /* NULL ends the array */
	struct mr_map **members;      /* ends with NULL */
	int64_t warned_ms; /* when it was last said that they are dead */
};

/* A list like all@example.net, see mailing.h. */
struct mr_mailing {
	const char *title; /* NULL ends the array */
	const struct mr_mailing_settings *values;
	struct mr_place at; /* the first of its settings */
	struct mr_map **members;
	size_t n_members; /* 0: the mailboxes' own tables */
};

/* Headers that tell what was found, see results.h. */
enum mr_results { MR_AUTHENTICATION_RESULTS = 1, MR_RECEIVED_SPF = 2 };

struct mr_policy {
	struct mr_config *config;
	struct mr_arena *arena;
	const struct mr_global *global;
	const struct mr_service *milter, *policyd;
	const struct mr_results_settings *results;
	struct mr_dns *dns;
	struct mr_dnsbl *lists;
	struct mr_spf_box *spf_box; /* started when first asked */
	struct mr_recipient_maps maps;
	struct mr_group_maps *groups;         /* in the file's order */
	struct mr_rule_exception *exceptions; /* in the file's order */
	size_t n_exceptions;
	struct mr_scanner_rule *scanners; /* see scanners.h */
	size_t n_scanners;
	struct mr_mailing *mailings; /* in the file's order */
	uint64_t largest; /* message.size anyone has, octets, and where */
	struct mr_place largest_at;
	uint64_t at_mail;   /* the checks that MAIL may ask, by number */
	uint64_t on;        /* those that are on for anybody, or whose facts are
	                       wanted */
	bool needs_content; /* does any rule ask for the true size? */
	bool rates;         /* does it have any rate section? */
	bool books;         /* is check quota on for anybody? */
	bool tags;          /* may any rule tag? */
	bool asks_early;    /* is the DNS asked before MAIL? */
	bool expands;       /* does it put members in the place of lists? */
	unsigned headers;   /* which of enum mr_results it adds */
	enum mr_judge verify; /* who compares a mail's size with its limit */
	unsigned judges;      /* 1 << enum mr_judge: who judges any mail */
	unsigned references;
};

/* Reads, checks, opens the maps (a table that is missing is a warning: it may
 * come, and until then its questions are unsure). */
int mr_policy_load(const char *path, struct mr_policy **policy_r,
	struct mr_problems *problems);
struct mr_policy *mr_policy_hold(struct mr_policy *policy);
/* NULL-safe; clears the pointer. */
void mr_policy_release(struct mr_policy **policy);

/* Before the first mail: look names up there instead, which the policy frees.
 */
void mr_policy_use_dns(struct mr_policy *policy, struct mr_dns *dns);
/* Before the first mail: goes on with the servers' health and the cache of
 * `old`, if both would ask alike. */
void mr_policy_keep_dns(struct mr_policy *policy, const struct mr_policy *old);

/* The same for the health of block lists, after mr_policy_keep_dns. */
void mr_policy_keep_lists(
	struct mr_policy *policy, const struct mr_policy *old);
/* Begins to probe them in a thread, if anybody has check dnsbl on. */
void mr_policy_watch_lists(struct mr_policy *policy);

/* Does anybody want to know what the check finds? */
bool mr_policy_asks(const struct mr_policy *policy, const char *check);

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
/* Before the first mail: their mails are counted there, by name. */
void mr_policy_count_exceptions(
	struct mr_policy *policy, struct mr_tally *tally);
/* A check of the mail was not asked because of that exception of its policy,
 * which counts once a mail. */
void mr_exception_used(
	struct mr_txn *txn, const struct mr_rule_exception *exception);

#endif
