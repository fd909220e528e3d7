/*
 * filing - mail that a scanner's mark is on goes to the folder of the policy
 *
 * At delivery by LMTP and LDA, which have a hook for it; no other process of
 * Dovecot does.  Only the mark counts, which the milter adds, and removes where
 * it is forged; never a Subject.  With `sieve = first` the mail is filed where
 * Sieve keeps what its script has not put elsewhere, with `skipped` no script is
 * asked.  What cannot be filed goes where it would without a mark: nothing is
 * lost, and nothing refused but for the quota.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_FILING_H
#define MR_PLUGIN_FILING_H

/* Behind the hook of Sieve: the last that is set is the first that is called. */
void mr_filing_init(void);
void mr_filing_deinit(void);

#endif
