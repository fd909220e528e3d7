/*
 * headers - the headers that we add to a mail, and forged ones of their name
 *
 * Whoever reads them may believe them, so those that a mail brings along are
 * deleted: from the highest index down, as each deletion moves those behind it.
 * The same goes for those of scanners; and the Subject is tagged here.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MILTER_HEADERS_H
#define MR_MILTER_HEADERS_H

#include "common/policy/transaction.h"
#include "milter/mta.h"

#include <stdbool.h>

/* Each forged header costs the MTA a deletion; no honest mail has many. */
enum { MR_FORGED_MOST = 100 };

/* Headers of one name. */
struct mr_forged {
	int seen;
	int at[MR_FORGED_MOST]; /* which of them claim to be ours, from 1 */
	int n;                  /* may be more */
};

/* Starts zeroed with each mail. */
struct mr_headers {
	struct mr_forged tag, results, spf;
	/* one for each scanner of the policy; NULL: no header yet */
	struct mr_forged *scanned;
};

/* A header of the mail. */
void mr_headers_see(struct mr_headers *headers, struct mr_txn *txn,
	const char *name, const char *value);
/* More forged ones than are deleted: the mail means harm. */
bool mr_headers_too_many(
	const struct mr_headers *headers, const struct mr_txn *txn);
/* At the end of an accepted mail: deletes and adds. */
void mr_headers_change(const struct mr_headers *headers, struct mr_txn *txn,
	struct mr_mta *mta);

#endif
