/* dnsbl_ask - the questions of mails; see dnsbl.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/lookup/dnsbl_set.h"

#include <sys/socket.h>

static bool is_asked(struct mr_dnsbl *d, size_t i, int kind)
{
	bool asked;

	pthread_mutex_lock(&d->lock);
	asked = mr_dnsbl_health_is_asked(&d->health[i][kind]);
	pthread_mutex_unlock(&d->lock);
	return asked;
}

static bool is_trusted(struct mr_dnsbl *d, size_t i, int kind)
{
	bool trusted;

	pthread_mutex_lock(&d->lock);
	trusted = mr_dnsbl_health_trust(&d->health[i][kind], mr_clock_ms());
	pthread_mutex_unlock(&d->lock);
	return trusted;
}

struct asking {
	const char *name, *made_up;
	int kind;
};

static bool has_item(
	const struct mr_dnsbl_list *list, const struct mr_dnsbl_items *items)
{
	if (list->ask != MR_LISTED_CLIENT)
		return items->names[list->ask] != NULL;
	return items->client.family != 0;
}

/* Which name to ask, if the list is asked. */
static struct asking prepare(struct mr_dnsbl *d, size_t i,
	const struct mr_dnsbl_items *items, struct mr_arena *arena)
{
	const struct mr_dnsbl_list *list = &d->lists[i];
	struct asking asking = { 0 };

	if (list->ask == MR_LISTED_CLIENT && items->client.family == AF_INET6)
		asking.kind = MR_DNSBL_IPV6;
	if (!has_item(list, items) || !is_asked(d, i, asking.kind))
		return asking;
	asking.name =
		list->ask == MR_LISTED_CLIENT
			? mr_dns_reverse_name(arena, &items->client, list->zone)
			: mr_dnsbl_name(arena, list, items->names[list->ask]);
	return asking;
}

void mr_dnsbl_prefetch(struct mr_dnsbl *d, struct mr_dns *dns,
	const struct mr_dnsbl_items *items)
{
	struct mr_arena *arena = mr_arena_new(1024);

	for (size_t i = 0; i < d->n; i++) {
		struct asking asking = prepare(d, i, items, arena);

		if (asking.name != NULL)
			mr_dns_prefetch(dns, asking.name, MR_DNS_A);
	}
	mr_arena_free(&arena);
}

/* FNV-1a: only equal items need equal hashes. */
static uint64_t hash(const char *text)
{
	uint64_t h = 14695981039346656037u;

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	return h;
}

static void learn(struct mr_dnsbl *d, size_t i, const struct asking *asking,
	struct mr_dnsbl_found *found)
{
	struct mr_dnsbl_health *h = &d->health[i][asking->kind];
	bool changed;

	pthread_mutex_lock(&d->lock);
	changed = mr_dnsbl_health_said(
		h, found->says, &found->code, hash(found->item), mr_clock_ms());
	if (!mr_dnsbl_health_is_asked(h))
		found->says = MR_DNSBL_UNASKED;
	mr_dnsbl_unlock(d, i, asking->kind, changed);
}

/* Something made up was asked: does the listing count? */
static void verify(struct mr_dnsbl *d, size_t i, const struct asking *asking,
	enum mr_dnsbl_says says, const struct mr_ip *code,
	struct mr_dnsbl_found *found)
{
	struct mr_dnsbl_health *h = &d->health[i][asking->kind];
	int64_t now_ms = mr_clock_ms();
	bool changed;

	pthread_mutex_lock(&d->lock);
	changed = mr_dnsbl_health_verified(h, says, code, now_ms);
	if (!mr_dnsbl_health_is_asked(h))
		found->says = MR_DNSBL_UNASKED;
	else if (says == MR_DNSBL_SILENT)
		found->says = MR_DNSBL_SILENT;
	else
		mr_dnsbl_health_trust(h, now_ms);
	mr_dnsbl_unlock(d, i, asking->kind, changed);
}

const struct mr_dnsbl_found *mr_dnsbl_ask(struct mr_dnsbl *d,
	struct mr_dns *dns, const struct mr_dnsbl_items *items,
	int64_t deadline_ms, struct mr_arena *arena)
{
	struct mr_dnsbl_found *found =
		MR_NEW_ARRAY(arena, struct mr_dnsbl_found, d->n);
	struct asking *askings = MR_NEW_ARRAY(arena, struct asking, d->n);
	const char *client = items->client.family == 0
	                             ? NULL
	                             : mr_ip_format(arena, &items->client);

	/* Without waiting, so that all are asked at once. */
	for (size_t i = 0; i < d->n; i++) {
		int ask = d->lists[i].ask;

		found[i].item =
			ask == MR_LISTED_CLIENT ? client : items->names[ask];
		askings[i] = prepare(d, i, items, arena);
		if (askings[i].name != NULL)
			found[i].says = mr_dnsbl_question(dns, &d->lists[i],
				askings[i].name, 0, arena, &found[i].code);
	}
	for (size_t i = 0; i < d->n; i++) {
		struct asking *a = &askings[i];

		if (a->name == NULL)
			continue;
		if (found[i].says == MR_DNSBL_SILENT)
			found[i].says = mr_dnsbl_question(dns, &d->lists[i],
				a->name, deadline_ms, arena, &found[i].code);
		learn(d, i, a, &found[i]);
		if (found[i].says != MR_DNSBL_LISTED ||
			is_trusted(d, i, a->kind))
			continue;
		a->made_up = mr_dnsbl_made_up(arena, &d->lists[i], a->kind);
		mr_dns_prefetch(dns, a->made_up, MR_DNS_A);
	}
	for (size_t i = 0; i < d->n; i++) {
		enum mr_dnsbl_says says;
		struct mr_ip code;

		if (askings[i].made_up == NULL)
			continue;
		says = mr_dnsbl_question(dns, &d->lists[i], askings[i].made_up,
			deadline_ms, arena, &code);
		verify(d, i, &askings[i], says, &code, &found[i]);
	}
	return found;
}
