/* prepend - the headers that an accepted mail is to carry, as PREPEND takes
 * them: one at a time, on one line. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_PREPEND_H
#define MR_POLICYD_PREPEND_H

#include "common/policy/transaction.h"

/* RFC 5322 section 2.1.1; one that is longer is left out. */
enum { MR_HEADER_LONGEST = 998 };

/* "Name: value", or NULL: there is none left.  *told_r starts as 0 with each
 * mail, and remembers what was told.  May wait for look-ups. */
const char *mr_prepend_next(struct mr_txn *txn, unsigned *told_r);

#endif
