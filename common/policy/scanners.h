/*
 * scanners - the scanner sections: whose header says what, and when it counts
 *
 * One pass cannot both strip a forged header and trust a real one, so each
 * scanner is trusted in one of three ways (who strips stands in
 * mailreeve.conf(5)):
 *
 *   before       a milter in front of ours has added it
 *   reinjected   a content filter, behind which the mail comes in again at a
 *                listener of its own, from a trusted client
 *   authserv-id  another server of ours, a trusted client, says it as a result
 *                of Authentication-Results (RFC 8601)
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_SCANNERS_H
#define MR_POLICY_SCANNERS_H

#include "common/policy/policy.h"

enum { MR_SCANNERS_MOST = 32 };

enum mr_trust { MR_TRUST_BEFORE, MR_TRUST_REINJECTED, MR_TRUST_AUTHSERV_ID };

/* A scanner as the top of the file has it. */
struct mr_scanner_rule {
	const char *name; /* NULL ends the array */
	const char *header, *pattern;
	enum mr_trust trust;
	struct mr_ip address; /* of the listener; MR_TRUST_REINJECTED */
	uint16_t port;
	const char *authserv_id; /* MR_TRUST_AUTHSERV_ID */
	struct mr_place at;
};

/* Fills policy->scanners, of a config without mistakes. */
void mr_policy_open_scanners(struct mr_policy *policy);

/* What no single section can say. */
void mr_policy_verify_scanners(
	const struct mr_config *config, struct mr_problems *problems);

#endif
