/*
 * facts - what is looked up about a transaction, each at most once
 *
 * All waiting of one mail together is bounded by the `wait` setting: each
 * look-up gets what is left of it.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_FACTS_H
#define MR_POLICY_FACTS_H

#include "common/lookup/dns.h"
#include "common/lookup/spf.h"
#include "common/policy/check.h"
#include "common/policy/transaction.h"

/* Until when a look-up that begins now may wait, on CLOCK_MONOTONIC; and that
 * it began at `since_ms` and is over: how long that was. */
int64_t mr_fact_deadline(const struct mr_txn *txn);
int64_t mr_fact_waited(struct mr_txn *txn, int64_t since_ms);

/* Whose rules apply to an address, see mr_policy_who. */
void mr_fact_who(struct mr_txn *txn, const char *address, struct mr_who *who);

/* How the question's recipient resolves; MR_TEMPFAIL: recipient->unresolved
 * says why. */
enum mr_lookup mr_fact_recipient(const struct mr_question *question);

/* The octets that this recipient takes of this sender, and where that was set:
 * of a login its own limit, of anybody else the recipient's; of a login writing
 * to one of ours the stricter of the two. */
uint64_t mr_fact_limit(const struct mr_question *question,
	struct mr_recipient *recipient, struct mr_place *at);

/* A question to the DNS, which gets the same answer for the whole mail.  As
 * mr_dns_ask; MR_TEMPFAIL: *why_r says why. */
enum mr_lookup mr_fact_dns(struct mr_txn *txn, const char *name,
	enum mr_dns_type type, struct mr_dns_answer *answer,
	const char **why_r);
/* Has the name any address, A or AAAA? */
enum mr_lookup mr_fact_has_address(
	struct mr_txn *txn, const char *name, const char **why_r);

/* A name that the client's address claims (PTR), by Postfix's word if it had
 * one. */
enum mr_lookup mr_fact_client_name(
	struct mr_txn *txn, const char **name_r, const char **why_r);
/* One that has the client's address, too (RFC 8601 section 3, "iprev").
 * MR_NOTFOUND: *name_r is one that has not, NULL if there is none. */
enum mr_lookup mr_fact_client_confirmed(
	struct mr_txn *txn, const char **name_r, const char **why_r);

/* Who is asked about (RFC 7208 sections 2.3 and 2.4). */
enum mr_identity { MR_IDENTITY_HELO, MR_IDENTITY_MAIL_FROM, MR_IDENTITIES };

/* Who evaluates. */
enum mr_spf_engine { MR_SPF_OWN, MR_SPF_LIBSPF2, MR_SPF_ENGINES };

/* Of the identity that counts: HELO if it fails, and for the null sender, which
 * has no other. */
const struct mr_spf_answer *mr_fact_spf_decision(struct mr_txn *txn,
	enum mr_spf_engine engine, enum mr_identity *identity_r);
/* The last one of the mail; without any, our own evaluator's. */
const struct mr_spf_answer *mr_fact_spf_result(
	struct mr_txn *txn, enum mr_identity *identity_r);

/* What the policy's lists (see lists.h) say of client and sender, one for each
 * in the order of mr_dnsbl_lists. */
const struct mr_dnsbl_found *mr_fact_lists(struct mr_txn *txn);

#endif
