/* mails - see mails.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/mails.h"
#include "common/base/arena.h"
#include "common/base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { WARN_MS = 60 * 1000 };

struct mr_mails {
	pthread_mutex_t lock;
	size_t most, most_octets, octets;
	struct mr_mail *by_instance; /* uthash */
	/* By the time of their last use; those with an accepted recipient. */
	struct mr_mail *refused, *accepted;
	int64_t warned_ms;
};

struct mr_mails *mr_mails_new(size_t most, size_t most_octets)
{
	struct mr_mails *mails = mr_calloc(1, sizeof(*mails));

	pthread_mutex_init(&mails->lock, NULL);
	mails->most = most;
	mails->most_octets = most_octets;
	return mails;
}

static struct mr_mail **list_of(struct mr_mails *mails, bool accepted)
{
	return accepted ? &mails->accepted : &mails->refused;
}

static void take_out(struct mr_mails *mails, struct mr_mail *mail)
{
	struct mr_mail **list = list_of(mails, mail->accepted);

	HASH_DEL(mails->by_instance, mail);
	DL_DELETE(*list, mail);
	mail->prev = mail->next = NULL;
	mails->octets -= mail->octets;
}

void mr_mails_free(struct mr_mails **mails)
{
	struct mr_mails *m = *mails;

	if (m == NULL)
		return;
	while (m->by_instance != NULL) {
		struct mr_mail *mail = m->by_instance;

		take_out(m, mail);
		mr_mail_free(&mail);
	}
	pthread_mutex_destroy(&m->lock);
	free(m);
	*mails = NULL;
}

struct mr_mail *mr_mail_new(const char *instance)
{
	struct mr_mail *mail = mr_calloc(1, sizeof(*mail));

	mail->instance = mr_calloc(1, strlen(instance) + 1);
	memcpy(mail->instance, instance, strlen(instance));
	return mail;
}

void mr_mail_free(struct mr_mail **mail)
{
	struct mr_mail *m = *mail;

	if (m == NULL)
		return;
	mr_txn_free(&m->txn);
	mr_session_free(&m->session);
	free(m->instance);
	free(m);
	*mail = NULL;
}

static struct mr_mail *find(struct mr_mails *mails, const char *instance)
{
	struct mr_mail *mail;

	HASH_FIND_STR(mails->by_instance, instance, mail);
	return mail;
}

struct mr_mail *mr_mails_take(struct mr_mails *mails, const char *instance)
{
	struct mr_mail *mail;

	pthread_mutex_lock(&mails->lock);
	mail = find(mails, instance);
	if (mail != NULL)
		take_out(mails, mail);
	pthread_mutex_unlock(&mails->lock);
	return mail;
}

static bool has_accepted(const struct mr_mail *mail)
{
	const struct mr_recipient *r = mail->txn->recipients;

	while (r != NULL && !r->accepted)
		r = r->next;
	return r != NULL;
}

/* The first that must go, or NULL. */
static struct mr_mail *find_old(struct mr_mails *mails, int64_t now_ms)
{
	bool full = HASH_COUNT(mails->by_instance) > mails->most ||
	            mails->octets > mails->most_octets;

	if (mails->refused != NULL &&
		(full || mails->refused->until_ms <= now_ms))
		return mails->refused;
	if (mails->accepted != NULL &&
		(full || mails->accepted->until_ms <= now_ms))
		return mails->accepted;
	return NULL;
}

static void warn(struct mr_mails *mails, int64_t now_ms)
{
	if (mails->warned_ms != 0 && now_ms - mails->warned_ms < WARN_MS)
		return;
	mails->warned_ms = now_ms;
	mr_log(MR_LOG_WARNING,
		"more than %zu mails under way, or than %zu MB: what was found "
		"out about the oldest is forgotten",
		mails->most, mails->most_octets >> 20);
}

/* Those that must go, one behind the other. */
static struct mr_mail *take_out_old(struct mr_mails *mails, int64_t now_ms)
{
	struct mr_mail *gone = NULL, *old;

	while ((old = find_old(mails, now_ms)) != NULL) {
		if (old->accepted && old->until_ms > now_ms)
			warn(mails, now_ms);
		take_out(mails, old);
		LL_PREPEND(gone, old);
	}
	return gone;
}

void mr_mails_keep(
	struct mr_mails *mails, struct mr_mail **mail, int64_t now_ms)
{
	struct mr_mail *kept = *mail, *gone, *before;
	struct mr_mail **list;

	kept->accepted = has_accepted(kept);
	kept->until_ms = now_ms + (kept->accepted ? MR_MAILS_ACCEPTED_MS
						  : MR_MAILS_REFUSED_MS);
	kept->octets = mr_arena_size(kept->txn->arena);
	list = list_of(mails, kept->accepted);
	pthread_mutex_lock(&mails->lock);
	/* Of a request that Postfix gave up and sent again. */
	before = find(mails, kept->instance);
	if (before != NULL)
		take_out(mails, before);
	HASH_ADD_KEYPTR(hh, mails->by_instance, kept->instance,
		strlen(kept->instance), kept);
	DL_APPEND(*list, kept);
	mails->octets += kept->octets;
	gone = take_out_old(mails, now_ms);
	pthread_mutex_unlock(&mails->lock);
	mr_mail_free(&before);
	while (gone != NULL) {
		struct mr_mail *next = gone->next;

		mr_mail_free(&gone);
		gone = next;
	}
	*mail = NULL;
}

size_t mr_mails_count(struct mr_mails *mails)
{
	size_t n;

	pthread_mutex_lock(&mails->lock);
	n = HASH_COUNT(mails->by_instance);
	pthread_mutex_unlock(&mails->lock);
	return n;
}
