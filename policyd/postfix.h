/*
 * postfix - Postfix's policy delegation protocol, as in SMTPD_POLICY_README
 *
 *   request=smtpd_access_policy           action=550 5.7.1 No
 *   recipient=ann@example.net
 *   ...
 *
 * Lines of name=value in any order, then an empty line; the answer is one such
 * line, and an empty one.  A connection carries any number of requests, one
 * after the other.  Names that are not ours are passed over, as newer versions
 * of Postfix have more.  A name that is ours twice is an error: whoever could
 * make Postfix send it would choose which value counts.
 *
 * Nothing here reads or writes a socket.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_POSTFIX_H
#define MR_POLICYD_POSTFIX_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_arena;

/* Octets.  Postfix's own requests have about 1 KB; its values are cut at
 * line_length_limit (2048). */
enum { MR_REQUEST_LONGEST = 64 * 1024, MR_ANSWER_LONGEST = 1024 };

/* Names of attributes (Postfix 3.7 and 3.10), in the order in which it sends
 * them. */
#define MR_ATTRIBUTES(A)            \
	A(request)                  \
	A(protocol_state)           \
	A(protocol_name)            \
	A(client_address)           \
	A(client_name)              \
	A(client_port)              \
	A(reverse_client_name)      \
	A(server_address)           \
	A(server_port)              \
	A(helo_name)                \
	A(sender)                   \
	A(recipient)                \
	A(recipient_count)          \
	A(queue_id)                 \
	A(instance)                 \
	A(size)                     \
	A(etrn_domain)              \
	A(stress)                   \
	A(sasl_method)              \
	A(sasl_username)            \
	A(sasl_sender)              \
	A(ccert_subject)            \
	A(ccert_issuer)             \
	A(ccert_fingerprint)        \
	A(ccert_pubkey_fingerprint) \
	A(encryption_protocol)      \
	A(encryption_cipher)        \
	A(encryption_keysize)       \
	A(policy_context)

/* A request's values; "" where nothing was said. */
struct mr_request {
#define A(name) const char *name;
	MR_ATTRIBUTES(A)
#undef A
};

/* How long the first request in `text` is, with its empty line; 0: its end is
 * not there yet. */
size_t mr_request_length(const char *text, size_t length);

/* `text` is a whole request of `length` octets.  It is changed, and the values
 * point into it. */
int mr_request_parse(char *text, size_t length, struct mr_request *request,
	struct mr_error *error);

/* A number's value (size, server_port); what is none is 0, one that is too
 * large UINT64_MAX. */
uint64_t mr_request_number(const char *value);

/* "action=..." with the empty line.  What is not printable ASCII becomes `?`,
 * as a line end would begin another attribute. */
const char *mr_answer_write(struct mr_arena *arena, const char *action);

#endif
