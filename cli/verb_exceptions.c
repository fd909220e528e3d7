/* verb_exceptions - `mailreeve exceptions`: which there are, whether anybody
 * still needs them, and how long they hold.
 *
 * What is listed is the file's; how often each was used, the running programs
 * know, by name.  So with one of them away the list is there, and the count is
 * said to be unknown, never 0.
 */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/json.h"
#include "cli/service.h"
#include "common/base/arena.h"
#include "common/config/sections.h"
#include "common/policy/judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_JSON = 256, KEY_UNUSED, KEY_EXPIRING, KEY_DAYS };
enum { DAY = 24 * 60 * 60, DAYS = 14 };

static const struct mr_flag flags[] = {
	MR_FLAG_CONFIG,
	{ KEY_UNUSED, "unused", NULL, "only those that no mail has used" },
	{ KEY_EXPIRING, "expiring", NULL,
		"only those that end soon, or have ended" },
	{ KEY_DAYS, "days", "N", "what `soon' is (default: 14)" },
	{ KEY_JSON, "json", NULL, "for programs" },
	{ .name = NULL },
};

struct listed {
	const struct mr_rule_exception *exception;
	uint64_t mails;
	time_t last; /* 0: none */
	bool unused, expiring, expired;
};

struct listing {
	struct mr_cli *cli;
	struct mr_policy *policy;
	time_t now;
	int64_t days;
	bool only_unused, only_expiring;
	bool counted; /* has every program said how often? */
	time_t since; /* of the counts: the youngest program's start */
	struct listed *exceptions;
	size_t count;
};

/* --- what the programs say ---------------------------------------------- */

/* "MAILS LAST NAME" */
static void add_use(struct listing *listing, const char *line)
{
	char *end;
	uint64_t mails = strtoull(line, &end, 10);
	time_t last = (time_t)strtoll(end, &end, 10);

	for (size_t i = 0; *end == ' ' && i < listing->count; i++) {
		struct listed *e = &listing->exceptions[i];

		if (strcmp(e->exception->name, end + 1) != 0)
			continue;
		e->mails += mails;
		if (e->last < last)
			e->last = last;
	}
}

static void read_uses(struct listing *listing, const char *pairs)
{
	struct mr_arena *arena = listing->cli->arena;

	while (*pairs != '\0') {
		size_t length = strcspn(pairs, "\n");
		const char *line = mr_arena_strndup(arena, pairs, length);
		time_t started;

		if (strncmp(line, "exception=", 10) == 0)
			add_use(listing, line + 10);
		if (strncmp(line, "started=", 8) == 0) {
			started = (time_t)strtoll(line + 8, NULL, 10);
			if (listing->since < started)
				listing->since = started;
		}
		pairs += length + (pairs[length] == '\n');
	}
}

static void ask(struct listing *listing)
{
	const char *const sockets[MR_SERVICES] = {
		[MR_JUDGE_MILTER] = listing->policy->milter->control,
		[MR_JUDGE_POLICYD] = listing->policy->policyd->control,
	};
	struct mr_service_answer answer;
	struct mr_error error;

	listing->counted = true;
	for (int i = 0; i < MR_SERVICES; i++) {
		if (!mr_judge_is_used(listing->policy, mr_services[i].judge))
			continue;
		if (mr_service_ask(&mr_services[i], sockets[i], "exceptions",
			    listing->cli->arena, &answer, &error) == 0 &&
			answer.refused == NULL) {
			read_uses(listing, answer.pairs);
			continue;
		}
		listing->counted = false;
		mr_cli_say(listing->cli,
			"the %s does not say how often they were used: %s",
			mr_services[i].name,
			answer.refused != NULL ? answer.refused : error.text);
	}
}

/* --- the list ----------------------------------------------------------- */

static void fill(struct listing *listing)
{
	const struct mr_rule_exception *e = listing->policy->exceptions;

	while (e[listing->count].name != NULL)
		listing->count++;
	listing->exceptions = MR_NEW_ARRAY(
		listing->cli->arena, struct listed, listing->count + 1);
	for (size_t i = 0; i < listing->count; i++)
		listing->exceptions[i].exception = &e[i];
}

static void judge(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++) {
		struct listed *e = &listing->exceptions[i];
		time_t until = e->exception->values->until;

		e->unused = listing->counted && e->mails == 0;
		e->expired = until != 0 && until <= listing->now;
		e->expiring = until != 0 && !e->expired &&
		              until - listing->now <= listing->days * DAY;
	}
}

static bool is_wanted(const struct listing *listing, const struct listed *e)
{
	if (!listing->only_unused && !listing->only_expiring)
		return true;
	return (listing->only_unused && e->unused) ||
	       (listing->only_expiring && (e->expiring || e->expired));
}

static const char *time_text(struct mr_arena *arena, time_t when)
{
	char text[64];
	struct tm parts;

	localtime_r(&when, &parts);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts);
	return mr_arena_strdup(arena, text);
}

static const char *state_of(const struct listed *e)
{
	if (e->expired)
		return "expired";
	return e->expiring ? "expiring" : "holds";
}

static const char *until_text(const struct listing *listing,
	const struct listed *e, const char *until)
{
	int64_t left = e->exception->values->until - listing->now;
	struct mr_arena *arena = listing->cli->arena;

	if (e->expired)
		return mr_arena_printf(
			arena, "%s: over, it does nothing any more", until);
	if (e->expiring && left <= DAY)
		return mr_arena_printf(arena, "%s: the last day", until);
	if (e->expiring)
		return mr_arena_printf(arena, "%s: %" PRId64 " days left",
			until, (left + DAY - 1) / DAY);
	return until;
}

static const char *used_text(
	const struct listing *listing, const struct listed *e)
{
	struct mr_arena *arena = listing->cli->arena;

	if (!listing->counted && e->mails == 0)
		return "unknown";
	if (e->mails == 0)
		return mr_arena_printf(arena, "by no mail since %s",
			time_text(arena, listing->since));
	return mr_arena_printf(arena,
		"by %s%" PRIu64 " mail%s since %s, the last at %s",
		listing->counted ? "" : "at least ", e->mails,
		e->mails == 1 ? "" : "s", time_text(arena, listing->since),
		time_text(arena, e->last));
}

static void print_one(const struct listing *listing, const struct listed *e)
{
	struct mr_cli *cli = listing->cli;
	struct mr_columns *columns = mr_columns_new(cli->arena, 2, "    ");
	struct mr_row *row;

	printf("%s%s%s (%s)\n", mr_style(MR_STYLE_HEAD, cli->colour),
		e->exception->name, mr_style(MR_STYLE_PLAIN, cli->colour),
		mr_place_format(cli->arena, &e->exception->at));
	for (const struct mr_option *o = mr_section_exception.options;
		o->name != NULL; o++) {
		const char *value =
			mr_option_format(cli->arena, o, e->exception->values);

		if (value == NULL)
			continue;
		row = mr_columns_row(columns);
		row->cell[0] = o->name;
		row->cell[1] = value;
		if (o->offset != offsetof(struct mr_exception, until))
			continue;
		row->cell[1] = until_text(listing, e, value);
		if (e->expired || e->expiring)
			row->style =
				e->expired ? MR_STYLE_BAD : MR_STYLE_CAREFUL;
	}
	row = mr_columns_row(columns);
	row->cell[0] = "used";
	row->cell[1] = used_text(listing, e);
	if (e->unused)
		row->style = MR_STYLE_CAREFUL;
	mr_columns_print(columns, stdout, cli->colour);
	putchar('\n');
}

static void print_summary(const struct listing *listing)
{
	size_t unused = 0, expiring = 0, expired = 0;

	for (size_t i = 0; i < listing->count; i++) {
		unused += listing->exceptions[i].unused;
		expiring += listing->exceptions[i].expiring;
		expired += listing->exceptions[i].expired;
	}
	printf("%zu exception%s", listing->count,
		listing->count == 1 ? "" : "s");
	if (listing->counted)
		printf(", %zu unused", unused);
	printf(", %zu expiring within %" PRId64 " days, %zu expired\n",
		expiring, listing->days, expired);
}

static void add_line(struct mr_arena *arena, const char **text,
	const char *name, const char *value)
{
	*text = mr_arena_printf(arena, "%s%s=%s\n", *text, name, value);
}

static const char *pairs_of(
	const struct listing *listing, const struct listed *e)
{
	struct mr_arena *arena = listing->cli->arena;
	const char *text = "";

	add_line(arena, &text, "name", e->exception->name);
	add_line(arena, &text, "at", mr_place_format(arena, &e->exception->at));
	for (const struct mr_option *o = mr_section_exception.options;
		o->name != NULL; o++) {
		const char *value =
			mr_option_format(arena, o, e->exception->values);

		if (value != NULL)
			add_line(arena, &text, o->name, value);
	}
	add_line(arena, &text, "state", state_of(e));
	if (!listing->counted)
		return text;
	text = mr_arena_printf(arena,
		"%smails=%" PRIu64 "\nlast=%jd\nsince=%jd\n", text, e->mails,
		(intmax_t)e->last, (intmax_t)listing->since);
	return text;
}

static void print_all(const struct listing *listing, bool json)
{
	const char **objects = MR_NEW_ARRAY(
		listing->cli->arena, const char *, listing->count + 1);
	size_t n = 0;

	for (size_t i = 0; i < listing->count; i++) {
		if (!is_wanted(listing, &listing->exceptions[i]))
			continue;
		if (json)
			objects[n++] =
				pairs_of(listing, &listing->exceptions[i]);
		else
			print_one(listing, &listing->exceptions[i]);
	}
	if (json)
		mr_json_print_objects(objects);
	else
		print_summary(listing);
}

static int64_t read_days(struct mr_cli *cli, const char *value)
{
	char *end;
	long days = strtol(value, &end, 10);

	if (*value < '0' || *value > '9' || *end != '\0' || days > 36500)
		mr_cli_misused(cli, "--days wants a number of days, not \"%s\"",
			value);
	return days;
}

static enum mr_exit run(struct mr_cli *cli)
{
	struct listing listing = { .cli = cli, .now = time(NULL) };
	const char *value;
	bool json = false;
	int key;

	listing.days = DAYS;
	while ((key = mr_cli_next(cli, &value)) != MR_CLI_END)
		switch (key) {
		case KEY_JSON:
			json = true;
			break;
		case KEY_UNUSED:
			listing.only_unused = true;
			break;
		case KEY_EXPIRING:
			listing.only_expiring = true;
			break;
		case KEY_DAYS:
			listing.days = read_days(cli, value);
			break;
		}
	mr_cli_operand(cli, 0, 0);
	listing.policy = mr_cli_policy(cli);
	if (listing.policy == NULL)
		return MR_EXIT_USAGE;
	fill(&listing);
	ask(&listing);
	judge(&listing);
	print_all(&listing, json);
	mr_policy_release(&listing.policy);
	return listing.counted ? MR_EXIT_FINE : MR_EXIT_LATER;
}

const struct mr_verb mr_verb_exceptions = {
	.name = "exceptions",
	.summary = "the exceptions of the policy, and who still needs them",
	.help = "Lists the policy's exceptions: what each lets pass, how many "
		"mails used it since\n"
		"the milter (or policy daemon) was started, and when it ends.\n"
		"Exit status: 0 listed, 2 the policy has mistakes, 75 how often "
		"they were used is\nnot known.\n",
	.flags = flags,
	.run = run,
};
