/* dnsbl_set - see dnsbl_set.h, and dnsbl.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/dnsbl_set.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* --- life */

static const char *copy(struct mr_arena *arena, const char *text)
{
	return text == NULL ? NULL : mr_arena_strdup(arena, text);
}

struct mr_dnsbl *mr_dnsbl_new(const struct mr_dnsbl_list *lists, size_t n)
{
	struct mr_dnsbl *d = mr_calloc(1, sizeof(*d));
	pthread_condattr_t monotonic;

	d->arena = mr_arena_new(1024);
	d->lists = MR_NEW_ARRAY(d->arena, struct mr_dnsbl_list, n);
	d->health = mr_arena_alloc(d->arena, n * sizeof(*d->health));
	d->n = n;
	d->references = 1;
	for (size_t i = 0; i < n; i++) {
		struct mr_codes *codes = MR_NEW_ARRAY(
			d->arena, struct mr_codes, lists[i].n_codes);

		d->lists[i] = lists[i];
		d->lists[i].title = copy(d->arena, lists[i].title);
		d->lists[i].zone = copy(d->arena, lists[i].zone);
		d->lists[i].test = copy(d->arena, lists[i].test);
		d->lists[i].url = copy(d->arena, lists[i].url);
		d->lists[i].codes = codes;
		for (size_t c = 0; c < lists[i].n_codes; c++)
			codes[c] = lists[i].codes[c];
	}
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&d->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return d;
}

struct mr_dnsbl *mr_dnsbl_hold(struct mr_dnsbl *dnsbl)
{
	__atomic_add_fetch(&dnsbl->references, 1, __ATOMIC_RELAXED);
	return dnsbl;
}

void mr_dnsbl_destroy(struct mr_dnsbl *d)
{
	mr_dns_free(&d->dns);
	pthread_cond_destroy(&d->ended);
	pthread_mutex_destroy(&d->lock);
	for (size_t i = 0; i < d->n; i++)
		explicit_bzero(
			(char *)d->lists[i].zone, strlen(d->lists[i].zone));
	mr_arena_free(&d->arena);
	free(d);
}

/* Whoever gives the last hold back does not wait for the thread, which may wait
 * for an answer: then the thread destroys it. */
void mr_dnsbl_free(struct mr_dnsbl **dnsbl)
{
	struct mr_dnsbl *d = *dnsbl;
	bool watched;

	*dnsbl = NULL;
	if (d == NULL ||
		__atomic_sub_fetch(&d->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	pthread_mutex_lock(&d->lock);
	watched = d->dns != NULL;
	d->ending = true;
	pthread_cond_signal(&d->ended);
	pthread_mutex_unlock(&d->lock);
	if (!watched)
		mr_dnsbl_destroy(d);
}

static bool same(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other
	                                    : strcmp(one, other) == 0;
}

static bool is_alike(
	const struct mr_dnsbl_list *one, const struct mr_dnsbl_list *other)
{
	return same(one->title, other->title) && same(one->zone, other->zone) &&
	       same(one->test, other->test) && same(one->url, other->url) &&
	       one->weight == other->weight && one->ask == other->ask &&
	       one->white == other->white && one->n_codes == other->n_codes &&
	       memcmp(one->codes, other->codes,
		       one->n_codes * sizeof(*one->codes)) == 0;
}

bool mr_dnsbl_alike(const struct mr_dnsbl *dnsbl, const struct mr_dnsbl *other)
{
	if (dnsbl->n != other->n)
		return false;
	for (size_t i = 0; i < dnsbl->n; i++)
		if (!is_alike(&dnsbl->lists[i], &other->lists[i]))
			return false;
	return true;
}

const struct mr_dnsbl_list *mr_dnsbl_lists(
	const struct mr_dnsbl *dnsbl, size_t *n)
{
	*n = dnsbl->n;
	return dnsbl->lists;
}

/* --- health */

static const char *kind_name(const struct mr_dnsbl_list *list, int kind)
{
	if (list->ask != MR_LISTED_CLIENT)
		return "";
	return kind == MR_DNSBL_IPV6 ? ", IPv6" : ", IPv4";
}

static void describe_fault(
	char *text, size_t size, const struct mr_dnsbl_health *h)
{
	const unsigned char *o = h->code.octets;

	if (h->code.family == AF_INET)
		snprintf(text, size, "%s (%u.%u.%u.%u)", h->why, o[0], o[1],
			o[2], o[3]);
	else
		snprintf(text, size, "%s", h->why);
}

static void log_change(const struct mr_dnsbl_list *list, int kind,
	const struct mr_dnsbl_health *h)
{
	char fault[160];

	if (h->state != MR_DNSBL_OUT) {
		mr_log(MR_LOG_INFO, "the list %s%s is well again: taken back",
			list->title, kind_name(list, kind));
		return;
	}
	describe_fault(fault, sizeof(fault), h);
	mr_log(MR_LOG_WARNING,
		"the list %s%s %s: taken out until it is well; if that lasts, "
		"ask its operator, or remove it from the policy",
		list->title, kind_name(list, kind), fault);
}

void mr_dnsbl_unlock(struct mr_dnsbl *d, size_t i, int kind, bool changed)
{
	struct mr_dnsbl_health now = d->health[i][kind];

	pthread_mutex_unlock(&d->lock);
	if (changed)
		log_change(&d->lists[i], kind, &now);
}

/* --- status */

static void describe(char *text, size_t size, const struct mr_dnsbl_health *h,
	int64_t now_ms)
{
	char fault[160];

	switch (h->state) {
	case MR_DNSBL_NEW:
		snprintf(text, size, "not probed yet");
		break;
	case MR_DNSBL_WELL:
		snprintf(text, size,
			"well; asked %llu times, listed %llu, failed %llu",
			(unsigned long long)h->asked,
			(unsigned long long)h->listed,
			(unsigned long long)h->failed);
		break;
	case MR_DNSBL_ABSENT:
		snprintf(text, size, "not asked, it has no such entries");
		break;
	case MR_DNSBL_OUT:
		describe_fault(fault, sizeof(fault), h);
		snprintf(text, size, "taken out %lld s ago: %s",
			(long long)(now_ms - h->since_ms) / 1000, fault);
		break;
	}
}

void mr_dnsbl_status(struct mr_dnsbl *d, int64_t now_ms,
	void (*seen)(void *context, const char *list, const char *health),
	void *context)
{
	for (size_t i = 0; i < d->n; i++)
		for (int kind = MR_DNSBL_FIRST; kind < MR_DNSBL_KINDS; kind++) {
			struct mr_dnsbl_health h;
			char list[128], health[256];

			if (kind == MR_DNSBL_IPV6 &&
				d->lists[i].ask != MR_LISTED_CLIENT)
				continue;
			pthread_mutex_lock(&d->lock);
			h = d->health[i][kind];
			pthread_mutex_unlock(&d->lock);
			snprintf(list, sizeof(list), "%s%s", d->lists[i].title,
				kind_name(&d->lists[i], kind));
			describe(health, sizeof(health), &h, now_ms);
			seen(context, list, health);
		}
}

/* --- one question */

enum mr_dnsbl_says mr_dnsbl_question(struct mr_dns *dns,
	const struct mr_dnsbl_list *list, const char *name, int64_t deadline_ms,
	struct mr_arena *arena, struct mr_ip *code)
{
	struct mr_dns_answer answer = { 0 };
	struct mr_error secret;
	enum mr_lookup found = mr_dns_ask(
		dns, name, MR_DNS_A, deadline_ms, arena, &answer, &secret);

	return mr_dnsbl_read(list, found, &answer, code);
}

const char *mr_dnsbl_name(struct mr_arena *arena,
	const struct mr_dnsbl_list *list, const char *item)
{
	return mr_arena_printf(arena, "%s%s%s", item,
		item[strlen(item) - 1] == '.' ? "" : ".", list->zone);
}

/* 127.a.b.c, or ::ffff:127.a.b.c (RFC 5782 section 5). */
const char *mr_dnsbl_test_address(struct mr_arena *arena,
	const struct mr_dnsbl_list *list, int kind, const unsigned char last[3])
{
	struct mr_ip ip = { .family = AF_INET,
		.octets = { 127, last[0], last[1], last[2] } };

	if (kind == MR_DNSBL_IPV6) {
		memmove(ip.octets + 12, ip.octets, 4);
		memset(ip.octets, 0, 10);
		ip.octets[10] = ip.octets[11] = 0xff;
		ip.family = AF_INET6;
	}
	return mr_dns_reverse_name(arena, &ip, list->zone);
}

/* Something that cannot be listed and that no cache knows: a loopback address
 * that nobody has, or a name below "invalid" (RFC 2606). */
const char *mr_dnsbl_made_up(
	struct mr_arena *arena, const struct mr_dnsbl_list *list, int kind)
{
	uint64_t random = (uint64_t)mr_clock_ms() * 2654435761u;
	unsigned char last[3];

	/* Without randomness the clock does: it only must be new. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random ^= random >> 16;
	if (list->ask != MR_LISTED_CLIENT)
		return mr_arena_printf(arena, "x%016llx.invalid.%s",
			(unsigned long long)random, list->zone);
	/* Test entries of lists are at 127.0.0.x. */
	last[0] = (unsigned char)(64 + (random & 127));
	last[1] = (unsigned char)(random >> 8);
	last[2] = (unsigned char)(random >> 16);
	return mr_dnsbl_test_address(arena, list, kind, last);
}
