/* dnsbl - do block lists know the client, its names or the sender's domain?
 * (P19; RFC 5782)  What the lists say is weighed: those of dnsbl sections
 * against those of dnswl sections. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/policy/facts.h"
#include "common/policy/lists.h"

#include <inttypes.h>
#include <string.h>

enum { LISTED };

struct dnsbl_settings {
	struct mr_rule rule;
	int64_t threshold;
};

static const struct mr_option options[] = {
	MR_RULE_OPTIONS(
		"off", "accept", "Block lists do not answer: try again later"),
	{ "threshold", MR_TYPE_NUMBER,
		.offset = offsetof(struct dnsbl_settings, threshold),
		.initial = "1", .least = 1, .most = 100000,
		.help = "The weight of listings at which the check hits." },
	MR_OUTCOME_OPTIONS(LISTED, "listed", NULL,
		"{listed} is on the block list {list}: to be taken off it see "
		"{url}",
		"the threshold is reached"),
	{ NULL },
};

const struct mr_section mr_check_section_dnsbl = {
	.name = "check",
	.kind = "dnsbl",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct dnsbl_settings),
	.help = "Whether block lists know the sending host; never asked of "
		"logins and trusted clients.",
};

static const struct mr_outcome outcomes[] = {
	[LISTED] = { "listed", { 550, "5.7.1" }, { 451, "4.7.1" } },
	{ NULL },
};

static const char *fill_url(
	struct mr_arena *arena, const char *url, const char *item)
{
	const char *field;

	if (url == NULL)
		return "its web site";
	field = strstr(url, "{item}");
	if (field == NULL)
		return url;
	return mr_arena_printf(arena, "%.*s%s%s", (int)(field - url), url, item,
		field + strlen("{item}"));
}

static const char *describe_one(struct mr_arena *arena,
	const struct mr_dnsbl_list *list, const struct mr_dnsbl_found *found)
{
	switch (found->says) {
	case MR_DNSBL_UNASKED:
		return found->item == NULL
		               ? NULL
		               : mr_arena_printf(arena,
					 "%s is not asked, see mailreeve "
					 "status",
					 list->title);
	case MR_DNSBL_CLEAR:
		return NULL;
	case MR_DNSBL_LISTED:
		return mr_arena_printf(arena, "%s lists %s (%s)", list->title,
			found->item, mr_ip_format(arena, &found->code));
	case MR_DNSBL_OTHER:
		return mr_arena_printf(arena,
			"%s answers %s for %s, which does not count",
			list->title, mr_ip_format(arena, &found->code),
			found->item);
	case MR_DNSBL_SILENT:
	case MR_DNSBL_REFUSED:
	case MR_DNSBL_PARKED:
		break;
	}
	return mr_arena_printf(arena, "%s does not answer", list->title);
}

/* The detail, and what a reply says of it: the lists together, and of the
 * first one what it lists and where to read why. */
static bool describe(struct mr_arena *arena, const struct mr_dnsbl_list *lists,
	size_t n, const struct mr_dnsbl_found *found, struct mr_answer *answer)
{
	bool asked = false;

	for (size_t i = 0; i < n; i++) {
		const char *one = describe_one(arena, &lists[i], &found[i]);

		asked |= found[i].says != MR_DNSBL_UNASKED;
		if (one != NULL)
			answer->detail =
				answer->detail == NULL
					? one
					: mr_arena_printf(arena, "%s, %s",
						  answer->detail, one);
		if (found[i].says != MR_DNSBL_LISTED || lists[i].white)
			continue;
		if (answer->list == NULL) {
			answer->list = lists[i].title;
			answer->listed = found[i].item;
			answer->url =
				fill_url(arena, lists[i].url, found[i].item);
		} else if (strcmp(answer->listed, found[i].item) == 0) {
			answer->list = mr_arena_printf(arena, "%s and %s",
				answer->list, lists[i].title);
		}
	}
	return asked;
}

static enum mr_finding run(
	const struct mr_question *q, struct mr_answer *answer)
{
	const struct dnsbl_settings *settings = q->settings;
	struct mr_arena *arena = q->txn->arena;
	const struct mr_dnsbl_found *found;
	const struct mr_dnsbl_list *lists;
	enum mr_dnsbl_sum sum;
	int64_t score;
	size_t n;

	if (q->session->local)
		return MR_SKIP;
	lists = mr_dnsbl_lists(q->policy->lists, &n);
	found = mr_fact_lists(q->txn);
	if (!describe(arena, lists, n, found, answer)) {
		if (answer->detail == NULL)
			answer->detail = "no list knows such clients";
		return MR_SKIP;
	}
	sum = mr_dnsbl_weigh(lists, n, found, settings->threshold, &score);
	answer->detail = mr_arena_printf(arena, "%s: %" PRId64 " of %" PRId64,
		answer->detail == NULL ? "no list lists it" : answer->detail,
		score, settings->threshold);
	switch (sum) {
	case MR_DNSBL_BELOW:
		return MR_CLEAR;
	case MR_DNSBL_OPEN:
		return MR_UNSURE;
	case MR_DNSBL_REACHED:
		break;
	}
	answer->outcome = LISTED;
	return MR_HIT;
}

/* As soon as there is something to ask about; what was asked before is not
 * asked again. */
static void ahead(const struct mr_policy *policy,
	const struct mr_session *session, const struct mr_txn *txn,
	unsigned moments)
{
	struct mr_dnsbl_items items = mr_policy_items(
		session, txn == NULL ? NULL : txn->sender.domain);

	/* At MAIL all again: another mail of the session may come late. */
	if (moments == 1u << MR_AT_HELO)
		items = (struct mr_dnsbl_items){
			.names[MR_LISTED_HELO] = items.names[MR_LISTED_HELO]
		};
	if (!session->local)
		mr_dnsbl_prefetch(policy->lists, policy->dns, &items);
}

static void verify(const struct mr_config *config, const struct mr_place *at,
	struct mr_problems *problems)
{
	if (*mr_config_titles(
		    config, NULL, &mr_section_dnsbl, problems->arena) == NULL)
		mr_problem_add(problems, MR_MISTAKE, *at,
			"check dnsbl needs a list to ask, as in dnsbl "
			"bl.example.net { codes = 127.0.0.2 }");
}

const struct mr_check mr_check_dnsbl = {
	.name = "dnsbl",
	.section = &mr_check_section_dnsbl,
	.outcomes = outcomes,
	.stages = 1u << MR_STAGE_RCPT,
	.about_sender = true,
	.mixed = MR_UNSET,
	.unsure = { 451, "4.7.1" },
	.run = run,
	.ahead_at = 1u << MR_AT_CONNECT | 1u << MR_AT_HELO | 1u << MR_AT_MAIL,
	.ahead = ahead,
	.verify = verify,
};
