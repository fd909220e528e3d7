/* section_rate - the option table of rate; see sections.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/text.h"
#include "common/config/problem.h"
#include "common/config/sections.h"

#include <string.h>

#define AT(member) offsetof(struct mr_rate_settings, member)

/* What the counters hold of a window. */
enum { WINDOW_LONGEST = 31 * 24 * 60 * 60 };

const char *const mr_rate_kind_words[] = { "login", "client", "sender_domain",
	"recipient", NULL };
const char *const mr_rate_measure_words[] = { "messages", "recipients", "bytes",
	NULL };

/* As enum mr_action, which is a matter of common/policy. */
static const char *const action_words[] = { "off", "observe", "tag", "defer",
	"reject", NULL };

static const struct mr_option options[] = {
	[MR_RATE_MESSAGES] = { "messages", MR_TYPE_RATE,
		.offset = AT(limit[MR_RATE_MESSAGES]),
		.help = "How many mails in how long, as in 100 / 1h." },
	[MR_RATE_RECIPIENTS] = { "recipients", MR_TYPE_RATE,
		.offset = AT(limit[MR_RATE_RECIPIENTS]),
		.help = "To how many recipients in how long, as in 200 / 1h; "
			"a mail to three counts three." },
	[MR_RATE_BYTES] = { "bytes", MR_TYPE_VOLUME,
		.offset = AT(limit[MR_RATE_BYTES]),
		.help = "How much mail in how long, as in 500M / 1d." },
	{ "action", MR_TYPE_ENUM, .offset = AT(action), .words = action_words,
		.help = "What to do with more than that; by default what check "
			"rate says." },
	{ NULL },
};

static int check_title(const char *title, struct mr_error *error)
{
	const char *near = mr_text_nearest(title, mr_rate_kind_words);

	for (const char *const *w = mr_rate_kind_words; *w != NULL; w++)
		if (strcmp(*w, title) == 0)
			return 0;
	return mr_error_set(error,
		"a rate is of a login, client, sender_domain or recipient%s%s%s",
		near == NULL ? "" : "; did you mean \"",
		near == NULL ? "" : near, near == NULL ? "" : "\"?");
}

static void validate(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_rate_settings *rate = values;

	for (int m = 0; m < MR_RATE_MEASURES; m++) {
		if (rate->limit[m].seconds > WINDOW_LONGEST)
			mr_problem_add(problems, MR_MISTAKE, places[m],
				"a rate is of at most 31d");
		if (rate->limit[m].seconds > 0 && rate->limit[m].count == 0)
			mr_problem_add(problems, MR_MISTAKE, places[m],
				"a rate of 0 would stop all mail; without a "
				"limit there is no such line, and action = off "
				"lifts one for somebody");
	}
}

const struct mr_section mr_section_rate = {
	.name = "rate",
	.title = "KIND",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE,
	.options = options,
	.size = sizeof(struct mr_rate_settings),
	.check_title = check_title,
	.validate = validate,
	.help = "How much mail in how long, counted by the policy daemon.",
};
