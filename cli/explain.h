/*
 * explain - a made-up mail, judged as the milter would judge it
 *
 * The verb tells the engine what the options say; how the result looks is
 * explain_text.c's (for people) and json.c's (for programs) matter.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_EXPLAIN_H
#define MR_CLI_EXPLAIN_H

#include "common/policy/transaction.h"

#include <stdbool.h>

struct mr_arena;

struct mr_explained {
	const struct mr_txn *txn;
	const struct mr_verdict *summary;
	const char *tag;       /* "X-Mailreeve: ..." for an accepted mail */
	const char *name_note; /* how the client's name was found, or NULL */
};

void mr_explain_print(const struct mr_explained *explained,
	struct mr_arena *arena, bool colour);
void mr_explain_print_json(
	const struct mr_explained *explained, struct mr_arena *arena);

#endif
