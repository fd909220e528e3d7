/* section_list - the option table of list; see sections.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/address.h"
#include "common/base/text.h"
#include "common/config/problem.h"
#include "common/config/sections.h"

#include <string.h>
#include <strings.h>

#define AT(member) offsetof(struct mr_mailing_settings, member)

enum { SENDERS, MEMBERS, MOST };

const char *const mr_mailing_words[] = { "own-domain", "login", "trusted",
	"anyone", NULL };

static const struct mr_option options[] = {
	[SENDERS] = { "senders", MR_TYPE_STRING, .list = true,
		.offset = AT(senders), .initial = "own-domain",
		.help = "Who may write to it: own-domain (logins of its own "
			"domain), login (any), trusted (clients in trusted), "
			"anyone, or patterns of logins." },
	[MEMBERS] = { "members", MR_TYPE_MAP, .list = true,
		.offset = AT(members),
		.help = "The tables whose keys are its members, as far as they "
			"have a mailbox in its domain; by default all who "
			"have." },
	[MOST] = { "most", MR_TYPE_NUMBER, .offset = AT(most),
		.initial = "1000", .least = 1, .most = 100000,
		.help = "With more members mail for it is deferred." },
	{ NULL },
};

/* all@example.net or all@*: the patterns of the local part are for people. */
static int check_title(const char *title, struct mr_error *error)
{
	const char *at = strrchr(title, '@');

	if (at == NULL || at == title || at[1] == '\0' ||
		memchr(title, '*', (size_t)(at - title)) != NULL ||
		mr_address_pattern_check(title, error) < 0)
		return mr_error_set(error,
			"a list is called by its address, like "
			"all@example.net, or all@* in every hosted domain");
	return 0;
}

static bool is_word(const char *sender)
{
	for (const char *const *w = mr_mailing_words; *w != NULL; w++)
		if (strcasecmp(*w, sender) == 0)
			return true;
	return false;
}

static void validate(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_mailing_settings *mailing = values;
	const char *const *senders = mailing->senders.items;
	struct mr_error error;

	if (mailing->senders.count == 0)
		mr_problem_add(problems, MR_MISTAKE, places[SENDERS],
			"senders says who may write: own-domain, login, "
			"trusted, anyone, or patterns of logins");
	for (size_t i = 0; i < mailing->senders.count; i++) {
		const char *near =
			mr_text_nearest(senders[i], mr_mailing_words);

		if (is_word(senders[i]) ||
			(strchr(senders[i], '@') != NULL &&
				mr_address_pattern_check(senders[i], &error) ==
					0))
			continue;
		mr_problem_add(problems, MR_MISTAKE, places[SENDERS],
			"\"%.64s\" is none of own-domain, login, trusted, "
			"anyone, and no pattern of logins like "
			"boss@example.net or @example.net%s%s%s",
			senders[i], near == NULL ? "" : "; did you mean \"",
			near == NULL ? "" : near, near == NULL ? "" : "\"?");
	}
}

const struct mr_section mr_section_list = {
	.name = "list",
	.title = "ADDRESS",
	.rung = MR_UNSET,
	.where = MR_IN(MR_GLOBAL),
	.options = options,
	.size = sizeof(struct mr_mailing_settings),
	.check_title = check_title,
	.validate = validate,
	.help = "An address that reaches all mailboxes of its domain.",
};
