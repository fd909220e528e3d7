/*
 * report - a verdict as a log line, in Postfix's words
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICY_REPORT_H
#define MR_POLICY_REPORT_H

#include "common/policy/mailing.h"
#include "common/policy/transaction.h"

/*
 * NOQUEUE: reject: RCPT from out.example.org[192.0.2.7]: 550 5.1.1 No such...;
 * from=<a@example.org> to=<b@example.net> helo=<out.example.org>
 * rule=recipient.unknown at=/etc/mailreeve/mailreeve.conf:31 id=7F3K9Q2M
 */
char *mr_report_line(const struct mr_txn *txn, enum mr_stage stage,
	const struct mr_recipient *recipient, const struct mr_verdict *verdict);
/* The same for one observed or tagged rule of the trace. */
char *mr_report_trace(const struct mr_txn *txn, const struct mr_trace *trace);

/* "expand: ..." where members take the place of lists, or "observe: ..." where
 * they would. */
char *mr_report_envelope(
	const struct mr_txn *txn, const struct mr_envelope *envelope);

#endif
