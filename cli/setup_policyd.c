/* setup_policyd - main.cf's part of `setup postfix` for the policy daemon: it
 * is asked about each recipient that Postfix itself would take, and at the end
 * of the mail.  Lists keep what main.cf says already. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"
#include "common/policy/judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char check_name[] = "check_policy_service";
static const char *const lists[] = { "smtpd_recipient_restrictions",
	"smtpd_data_restrictions", "smtpd_end_of_data_restrictions" };
enum { RECIPIENT, DATA, END };

/* Braces keep blanks in a value (postconf(5), SMTPD_POLICY_README). */
static const char *our_check(const struct mr_setup *setup)
{
	bool accept = setup->policy->global->on_failure == MR_ON_FAILURE_ACCEPT;

	return mr_arena_printf(setup->arena,
		"%s { %s, timeout=%" PRId64 "s, %s }", check_name,
		mr_setup_policy_endpoint(setup),
		mr_setup_answer_s(setup, MR_SETUP_ANSWER_S),
		accept ? "default_action=DUNNO"
		       : "{ default_action = 451 4.3.0 The policy service does "
			 "not answer, please try again later }");
}

bool mr_setup_is_guard(const char *restriction)
{
	return strcasecmp(restriction, "reject_unauth_destination") == 0 ||
	       strcasecmp(restriction, "defer_unauth_destination") == 0;
}

bool mr_setup_asks_service(const char *restriction)
{
	return strcasecmp(restriction, check_name) == 0;
}

static bool is_last(const char *word)
{
	static const char *const words[] = { "permit", "reject", "defer" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(word, words[i]) == 0)
			return true;
	return false;
}

static void append(const struct mr_setup *setup, const char **text,
	const char *separator, const char *word)
{
	*text = mr_arena_printf(setup->arena, "%s%s%s", *text,
		**text == '\0' ? "" : separator, word);
}

/* What stands in front of the next element: a blank where that is the argument
 * of the one before. */
static const char *separator_of(const struct mr_setup *setup, const char *list)
{
	return mr_arena_strndup(setup->arena, list, strspn(list, ", \t"));
}

/* One restriction of a list, with what belongs to it; NULL at the end. *ours_r:
 * it is our own. */
static const char *next_restriction(
	const struct mr_setup *setup, const char **list, bool *ours_r)
{
	const char *word = mr_postfix_next(setup->arena, list);
	const char *service;

	*ours_r = false;
	if (word == NULL || !mr_setup_asks_service(word))
		return word;
	service = mr_postfix_next(setup->arena, list);
	if (service == NULL)
		return word;
	*ours_r = mr_setup_is_same(setup,
		mr_setup_milter_endpoint(setup, service),
		mr_setup_policy_endpoint(setup));
	return mr_arena_printf(setup->arena, "%s %s", word, service);
}

/* What main.cf has, with ours behind reject_unauth_destination, else at the
 * end; `ours` NULL: without ours. */
static const char *with_ours(
	const struct mr_setup *setup, const char *list, const char *ours)
{
	const char *text = "", *word, *separator = "";
	bool was_ours;

	while (list != NULL && (separator = separator_of(setup, list)) &&
		(word = next_restriction(setup, &list, &was_ours)) != NULL) {
		if (was_ours)
			continue;
		if (ours != NULL && is_last(word)) {
			append(setup, &text, ", ", ours);
			separator = ", ";
			ours = NULL;
		}
		append(setup, &text, separator, word);
		if (ours != NULL && mr_setup_is_guard(word)) {
			append(setup, &text, ", ", ours);
			ours = NULL;
		}
	}
	if (ours != NULL)
		append(setup, &text, ", ", ours);
	return text;
}

/* Whom an earlier restriction permits we are not asked about. */
static const char *permit_before(const struct mr_setup *setup, const char *list)
{
	const char *word;
	bool ours;

	while (list != NULL &&
		(word = next_restriction(setup, &list, &ours)) != NULL) {
		if (ours || mr_setup_is_guard(word))
			return NULL;
		if (strncasecmp(word, "permit", 6) == 0)
			return word;
	}
	return NULL;
}

static void warn_of_permit(const struct mr_setup *setup)
{
	const char *word =
		permit_before(setup, mr_setup_main_cf(setup, lists[RECIPIENT]));

	if (word != NULL)
		mr_cli_say(setup->cli,
			"%s has %s in front: whom it permits the policy daemon "
			"is not asked about, but at the end of the mail. Such "
			"permissions belong into smtpd_relay_restrictions.",
			lists[RECIPIENT], word);
}

/* A service's own list, as in the examples of master.cf. */
static void warn_of_services(const struct mr_setup *setup)
{
	for (size_t i = 0;
		setup->postfix != NULL && i < sizeof(lists) / sizeof(lists[0]);
		i++)
		if (strstr(setup->postfix->services,
			    mr_arena_printf(
				    setup->arena, "-o %s=", lists[i])) != NULL)
			mr_cli_say(setup->cli,
				"a service in master.cf has a %s of its own: "
				"the policy daemon is not asked there",
				lists[i]);
}

static void print_list(const struct mr_setup *setup, const char *name)
{
	mr_setup_print_line(setup, name,
		with_ours(setup, mr_setup_main_cf(setup, name),
			our_check(setup)));
}

/* A request has room for one header; DATA is one more request. */
static bool wants_data(const struct mr_policy *policy)
{
	return policy->tags + __builtin_popcount(policy->headers) > 1;
}

void mr_setup_policyd(const struct mr_setup *setup)
{
	if (!mr_judge_is_used(setup->policy, MR_JUDGE_POLICYD))
		return;
	mr_setup_explain(setup,
		"Postfix asks the policy daemon about each recipient that it "
		"would take, and about the whole mail at its end. "
		"default_action is the policy's on_failure.");
	warn_of_permit(setup);
	warn_of_services(setup);
	print_list(setup, lists[RECIPIENT]);
	if (wants_data(setup->policy))
		print_list(setup, lists[DATA]);
	print_list(setup, lists[END]);
}

void mr_setup_policyd_undo(const struct mr_setup *setup)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const char *now = mr_setup_main_cf(setup, lists[i]);
		const char *before = with_ours(setup, now, NULL);

		if (i == DATA && !wants_data(setup->policy))
			continue;
		if (*before == '\0')
			mr_setup_explain(setup, " postconf -X %s", lists[i]);
		else
			mr_setup_explain(setup, " postconf -e '%s = %s'",
				lists[i], before);
	}
}
