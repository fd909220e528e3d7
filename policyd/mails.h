/*
 * mails - the mails under way, by Postfix's `instance`
 *
 * Each recipient and the end of a mail is a request of its own, over whichever
 * connection.  What was found out so far is kept here in between.  Nobody tells
 * us when a client gives a mail up, so it is forgotten after a while; and when
 * there are too many the oldest is, mails without an accepted recipient first.
 * One that is forgotten and then ends is judged by what its last request says.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_POLICYD_MAILS_H
#define MR_POLICYD_MAILS_H

#include "common/policy/transaction.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

/* How long a client may take for the content, and between two recipients
 * (Postfix's smtpd_timeout is 5 minutes). */
enum {
	MR_MAILS_ACCEPTED_MS = 60 * 60 * 1000,
	MR_MAILS_REFUSED_MS = 6 * 60 * 1000,
};

struct mr_mails;

struct mr_mail {
	char *instance;
	struct mr_session *session;
	struct mr_txn *txn;
	const char *refusal; /* at MAIL, for each recipient; NULL: none */
	const char *answer;  /* to the newest recipient */
	unsigned headers;    /* that Postfix was given already */
	unsigned n_taken;    /* recipients that we let pass, each as often as we
	                        were asked */
	/* the rest is mails.c's */
	UT_hash_handle hh;
	struct mr_mail *prev, *next;
	int64_t until_ms;
	size_t octets;
	bool accepted;
};

/* `most` are kept at once, and no more than so many octets. */
struct mr_mails *mr_mails_new(size_t most, size_t most_octets);
void mr_mails_free(struct mr_mails **mails);

struct mr_mail *mr_mail_new(const char *instance);
/* NULL-safe; clears the pointer. */
void mr_mail_free(struct mr_mail **mail);

/* The mail is the caller's alone, until he keeps or frees it; NULL: unknown, or
 * another thread has it. */
struct mr_mail *mr_mails_take(struct mr_mails *mails, const char *instance);
/* Takes it over.  `now_ms` is a time on CLOCK_MONOTONIC. */
void mr_mails_keep(
	struct mr_mails *mails, struct mr_mail **mail, int64_t now_ms);
size_t mr_mails_count(struct mr_mails *mails);

#endif
