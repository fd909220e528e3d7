/*
 * scan - what scanners say of a mail, and what becomes of it
 *
 * The front end tells the headers.  At the end of an accepted mail the engine
 * concludes: each scanner that found something leaves a mark (mark.h), and its
 * tag goes in front of the Subject if any recipient who gets the mail wants
 * that.  Not if the mail is signed (DKIM, ARC) and one of them is not, or may
 * not be, a mailbox of ours: a signature that is forwarded must still fit.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_SCAN_H
#define MR_POLICY_SCAN_H

#include "common/policy/transaction.h"

#include <stdbool.h>

/* A header of the mail, its value as it stands behind the colon.  Returns that
 * it is forged: it claims to be a scanner's, which it cannot be here. */
bool mr_scan_header(struct mr_txn *txn, const char *name, const char *value);

/* Has the mail been here before, and comes from a content filter?  Then our
 * own headers in it are ours. */
bool mr_scan_is_reinjected(const struct mr_txn *txn);

/* For the engine, at the end of an accepted mail: settles what follows, and
 * adds it to the trace. */
void mr_scan_conclude(struct mr_txn *txn);

/* The names of the scanners whose marks are added; ends with NULL.  None in
 * mode observe. */
const char *const *mr_scan_marks(const struct mr_txn *txn);
/* The new value of the Subject; NULL: it stays.  *add_r: the mail has none. */
const char *mr_scan_subject(const struct mr_txn *txn, bool *add_r);

#endif
