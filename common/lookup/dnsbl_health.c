/* dnsbl_health - see dnsbl_health.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/dnsbl_health.h"

#include <string.h>

static const char *const everything = "lists what cannot be listed";

static bool become(struct mr_dnsbl_health *h, enum mr_dnsbl_state state,
	const char *why, int64_t now_ms)
{
	bool changed = h->state != state;

	h->returns = 0;
	if (state == MR_DNSBL_OUT) {
		h->verified = false;
		h->why = why;
	}
	if (!changed)
		return false;
	h->state = state;
	h->since_ms = now_ms;
	h->silences = 0;
	if (state == MR_DNSBL_WELL)
		h->was_well = true;
	return true;
}

static bool fail(struct mr_dnsbl_health *h, enum mr_dnsbl_says says,
	const struct mr_ip *code, int64_t now_ms)
{
	const char *why = everything;

	h->code = *code;
	switch (says) {
	case MR_DNSBL_UNASKED:
	case MR_DNSBL_CLEAR:
		return false;
	case MR_DNSBL_SILENT:
		why = "does not answer";
		break;
	case MR_DNSBL_LISTED:
	case MR_DNSBL_OTHER:
		break;
	case MR_DNSBL_REFUSED:
		why = "refuses to answer us";
		break;
	case MR_DNSBL_PARKED:
		why = "answers what no list answers, its domain may be parked";
		break;
	}
	return become(h, MR_DNSBL_OUT, why, now_ms);
}

bool mr_dnsbl_health_is_asked(const struct mr_dnsbl_health *h)
{
	return h->state == MR_DNSBL_NEW || h->state == MR_DNSBL_WELL;
}

bool mr_dnsbl_health_trust(struct mr_dnsbl_health *h, int64_t now_ms)
{
	if (!mr_dnsbl_health_is_asked(h) || !h->verified ||
		now_ms - h->verified_ms >= MR_DNSBL_TRUST_MS ||
		h->trusted >= MR_DNSBL_TRUSTED)
		return false;
	h->trusted++;
	return true;
}

bool mr_dnsbl_health_is_due(const struct mr_dnsbl_health *h, int64_t now_ms)
{
	int64_t every_ms = MR_DNSBL_IDLE_MS;

	if (!h->probed)
		return true;
	if (h->state == MR_DNSBL_OUT)
		every_ms = MR_DNSBL_RETRY_MS;
	else if (h->state == MR_DNSBL_WELL && h->used)
		every_ms = MR_DNSBL_PROBE_MS;
	return now_ms - h->probed_ms >= every_ms;
}

/* Items that come again say nothing about everything. */
static void count_listed(struct mr_dnsbl_health *h, uint64_t item)
{
	for (int i = 0; i < MR_DNSBL_REMEMBERED; i++)
		if (h->recent[i] == item)
			return;
	h->recent[h->row % MR_DNSBL_REMEMBERED] = item;
	h->row++;
}

static bool said_listed(
	struct mr_dnsbl_health *h, uint64_t item, int64_t now_ms)
{
	count_listed(h, item);
	if (h->row < MR_DNSBL_ROW)
		return false;
	h->until_ms = now_ms + MR_DNSBL_ROW_MS;
	h->row = MR_DNSBL_ROW - MR_DNSBL_ROW_AGAIN;
	h->code.family = 0;
	return become(
		h, MR_DNSBL_OUT, "lists everything that mails ask for", now_ms);
}

bool mr_dnsbl_health_said(struct mr_dnsbl_health *h, enum mr_dnsbl_says says,
	const struct mr_ip *code, uint64_t item, int64_t now_ms)
{
	h->used = true;
	h->asked++;
	/* Another mail's answer took it out meanwhile. */
	if (!mr_dnsbl_health_is_asked(h))
		return false;
	if (says != MR_DNSBL_SILENT)
		h->silences = 0;
	switch (says) {
	case MR_DNSBL_UNASKED:
		return false;
	case MR_DNSBL_CLEAR:
		h->row = 0;
		return false;
	case MR_DNSBL_LISTED:
		h->listed++;
		return said_listed(h, item, now_ms);
	case MR_DNSBL_OTHER:
		return said_listed(h, item, now_ms);
	case MR_DNSBL_SILENT:
		h->failed++;
		if (h->silences > 0 && h->silent_item == item)
			return false;
		h->silent_item = item;
		if (++h->silences < MR_DNSBL_SILENCES)
			return false;
		break;
	case MR_DNSBL_REFUSED:
	case MR_DNSBL_PARKED:
		h->failed++;
		break;
	}
	return fail(h, says, code, now_ms);
}

bool mr_dnsbl_health_verified(struct mr_dnsbl_health *h,
	enum mr_dnsbl_says says, const struct mr_ip *code, int64_t now_ms)
{
	if (!mr_dnsbl_health_is_asked(h))
		return false;
	if (says == MR_DNSBL_CLEAR) {
		h->verified = true;
		h->verified_ms = now_ms;
		h->trusted = 0;
		return false;
	}
	if (says == MR_DNSBL_SILENT && ++h->silences < MR_DNSBL_SILENCES)
		return false;
	return fail(h, says, code, now_ms);
}

/* The worst of a probe's answers, as if something made up was asked for;
 * MR_DNSBL_CLEAR: all is as it must be, or nothing at all is listed. */
static enum mr_dnsbl_says worst_of(const struct mr_dnsbl_probe *probe)
{
	if (probe->made_up != MR_DNSBL_CLEAR)
		return probe->made_up;
	if (probe->unlisted != MR_DNSBL_CLEAR)
		return probe->unlisted;
	if (probe->listed == MR_DNSBL_LISTED || probe->listed == MR_DNSBL_OTHER)
		return MR_DNSBL_CLEAR;
	return probe->listed;
}

static bool probed_well(struct mr_dnsbl_health *h, int64_t now_ms)
{
	bool news = h->state == MR_DNSBL_OUT;

	h->used = false;
	if (h->state == MR_DNSBL_OUT &&
		(++h->returns < MR_DNSBL_RETURNS || now_ms < h->until_ms))
		return false;
	become(h, MR_DNSBL_WELL, NULL, now_ms);
	h->silences = 0;
	h->verified = true;
	h->verified_ms = now_ms;
	h->trusted = 0;
	return news;
}

bool mr_dnsbl_health_probed(struct mr_dnsbl_health *h,
	const struct mr_dnsbl_probe *probe, int64_t now_ms)
{
	enum mr_dnsbl_says worst = worst_of(probe);

	h->probed = true;
	h->probed_ms = now_ms;
	if (worst != MR_DNSBL_CLEAR)
		return fail(h, worst, &probe->code, now_ms);
	if (probe->listed != MR_DNSBL_CLEAR)
		return probed_well(h, now_ms);
	if (probe->may_be_absent && !h->was_well) {
		become(h, MR_DNSBL_ABSENT, NULL, now_ms);
		return false;
	}
	h->code.family = 0;
	return become(h, MR_DNSBL_OUT, "is empty, even its test entry is gone",
		now_ms);
}
