/*
 * quotas_wire - how a program asks the policy daemon about a mailbox
 *
 *   request=mailreeve_quota        known=yes
 *   mailbox=ann@example.net        bytes=1048576
 *                                  booked=22528
 *                                  age=1500
 *                                  least=1048576
 *
 * In the attribute format (attributes.h), each with its empty line.  The age is
 * in milliseconds; without `least' that is as much as the bytes.  Of a
 * mailbox that nothing is known of the answer is known=no; what the policy
 * daemon will not answer is error=WHY.
 *
 * Nothing here reads or writes a socket.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_STATE_QUOTAS_WIRE_H
#define MR_STATE_QUOTAS_WIRE_H

#include "common/state/quotas.h"

#include <stdbool.h>

struct mr_arena;

/* Octets of a mailbox's name, and of a question or answer. */
enum { MR_QUOTA_NAME = 512, MR_QUOTA_WIRE = 1024 };

/* Is it printable, and no longer than that? */
bool mr_quota_is_name(const char *mailbox);

/* `text` is changed, and the mailbox points into it. */
int mr_quota_question_parse(char *text, size_t length, const char **mailbox_r,
	struct mr_error *error);
/* Of a name that mr_quota_is_name. */
const char *mr_quota_question(struct mr_arena *arena, const char *mailbox);

/* MR_TEMPFAIL: it is broken, or a refusal.  `text` is changed. */
enum mr_lookup mr_quota_answer_parse(char *text, size_t length,
	struct mr_fill *fill, struct mr_error *error);
const char *mr_quota_answer(struct mr_arena *arena, enum mr_lookup found,
	const struct mr_fill *fill, const struct mr_error *error);

#endif
