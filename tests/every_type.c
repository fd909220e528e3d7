/* every_type - see every_type.h. */
/* SPDX-License-Identifier: ISC */
#include "tests/every_type.h"
#include "common/base/address.h"
#include "common/base/arena.h"

#include <stdlib.h>
#include <string.h>

#define AT(type, member) .offset = offsetof(struct type, member)

static const char *const words[] = { "off", "observe", "tag", "defer", "reject",
	NULL };

static const struct mr_option global_options[] = {
	{ "hostname", MR_TYPE_STRING, AT(every_global, hostname) },
	{ "mode", MR_TYPE_ENUM, AT(every_global, mode), .words = words,
		.initial = "observe" },
	{ NULL },
};

static const struct mr_option scalar_options[] = {
	{ "boolean", MR_TYPE_BOOLEAN, AT(every, boolean), .initial = "yes" },
	{ "number", MR_TYPE_NUMBER, AT(every, number), .initial = "3",
		.least = 1, .most = 100 },
	{ "percent", MR_TYPE_PERCENT, AT(every, percent), .initial = "80%" },
	{ "size", MR_TYPE_SIZE, AT(every, size), .initial = "25M" },
	{ "duration", MR_TYPE_DURATION, AT(every, duration) },
	{ "date", MR_TYPE_DATE, AT(every, date) },
	{ "string", MR_TYPE_STRING, AT(every, string) },
	{ "word", MR_TYPE_ENUM, AT(every, word), .words = words },
	{ "network", MR_TYPE_NETWORK, AT(every, network) },
	{ "pattern", MR_TYPE_PATTERN, AT(every, pattern) },
	{ "port", MR_TYPE_PORT, AT(every, port) },
	{ "tls", MR_TYPE_TLS, AT(every, tls) },
	{ "rate", MR_TYPE_RATE, AT(every, rate) },
	{ "map", MR_TYPE_MAP, AT(every, map) },
	{ "secret", MR_TYPE_SECRET, AT(every, secret) },
	{ "signed_number", MR_TYPE_NUMBER, AT(every, signed_number),
		.least = -5, .most = 5 },
	{ "volume", MR_TYPE_VOLUME, AT(every, volume) },
	{ NULL },
};

static const struct mr_option list_options[] = {
	{ "booleans", MR_TYPE_BOOLEAN, true, AT(every_list, booleans) },
	{ "numbers", MR_TYPE_NUMBER, true, AT(every_list, numbers) },
	{ "percents", MR_TYPE_PERCENT, true, AT(every_list, percents),
		.initial = "80% 95%" },
	{ "sizes", MR_TYPE_SIZE, true, AT(every_list, sizes) },
	{ "durations", MR_TYPE_DURATION, true, AT(every_list, durations) },
	{ "dates", MR_TYPE_DATE, true, AT(every_list, dates) },
	{ "strings", MR_TYPE_STRING, true, AT(every_list, strings) },
	{ "words", MR_TYPE_ENUM, true, AT(every_list, words), .words = words },
	{ "networks", MR_TYPE_NETWORK, true, AT(every_list, networks) },
	{ "patterns", MR_TYPE_PATTERN, true, AT(every_list, patterns) },
	{ "ports", MR_TYPE_PORT, true, AT(every_list, ports) },
	{ "tlses", MR_TYPE_TLS, true, AT(every_list, tlses) },
	{ "rates", MR_TYPE_RATE, true, AT(every_list, rates) },
	{ "volumes", MR_TYPE_VOLUME, true, AT(every_list, volumes) },
	{ "maps", MR_TYPE_MAP, true, AT(every_list, maps) },
	{ "secrets", MR_TYPE_SECRET, true, AT(every_list, secrets) },
	{ NULL },
};

static const struct mr_option rule_options[] = {
	{ "action", MR_TYPE_ENUM, AT(every_rule, action), .words = words,
		.initial = "reject" },
	{ "unsure", MR_TYPE_ENUM, AT(every_rule, unsure), .words = words,
		.initial = "defer" },
	{ NULL },
};

static const struct mr_option range_options[] = {
	{ "least", MR_TYPE_NUMBER, AT(every_range, least), .initial = "1" },
	{ "most", MR_TYPE_NUMBER, AT(every_range, most), .initial = "9" },
	{ NULL },
};

static const struct mr_option purge_options[] = {
	{ "after", MR_TYPE_DURATION, AT(every_purge, after) },
	{ "keep_flagged", MR_TYPE_BOOLEAN, AT(every_purge, keep_flagged),
		.initial = "yes" },
	{ NULL },
};

static const struct mr_option group_options[] = {
	{ "members", MR_TYPE_MAP, true, AT(every_group, members) },
	{ NULL },
};

static const struct mr_option port_options[] = {
	{ "tls", MR_TYPE_TLS, AT(every_port, tls), .initial = "yes" },
	{ NULL },
};

static const struct mr_option no_options[] = { { NULL } };

static void validate_range(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct every_range *range = values;

	if (range->least > range->most)
		mr_problem_add(problems, MR_MISTAKE, places[0],
			"least is more than most");
}

static int check_domain(const char *title, struct mr_error *error)
{
	if (mr_hostname_check(title) != MR_HOSTNAME_FINE)
		return mr_error_set(error,
			"\"%.60s\" is not a domain, such as example.net",
			title);
	return 0;
}

#define GLOBAL_ONLY .where = MR_IN(MR_GLOBAL)
#define ANYWHERE .rung = MR_UNSET, .where = MR_EVERYWHERE

const struct mr_section every_global = { .rung = MR_UNSET,
	GLOBAL_ONLY,
	.published = true,
	.options = global_options,
	.size = sizeof(struct every_global) };
const struct mr_section every_scalar = { "every", ANYWHERE, .published = true,
	.options = scalar_options, .size = sizeof(struct every) };
const struct mr_section every_list = { "lists", ANYWHERE, .published = true,
	.options = list_options, .size = sizeof(struct every_list) };
const struct mr_section every_helo = { "check", "helo", ANYWHERE,
	.options = rule_options, .size = sizeof(struct every_rule) };
const struct mr_section every_sender = { "check", "sender", ANYWHERE,
	.published = true, .options = rule_options,
	.size = sizeof(struct every_rule) };
const struct mr_section every_range = { "range", ANYWHERE,
	.options = range_options, .size = sizeof(struct every_range),
	.validate = validate_range };
const struct mr_section every_purge = { "purge", .title = "FOLDER",
	.rung = MR_UNSET, .where = MR_EVERYWHERE & ~MR_IN(MR_LISTENER),
	.published = true, .options = purge_options,
	.size = sizeof(struct every_purge) };
const struct mr_section every_exception = { "exception", .title = "NAME",
	.one_title = true, .rung = MR_UNSET, GLOBAL_ONLY,
	.options = rule_options, .size = sizeof(struct every_rule) };
const struct mr_section every_listener = { "listener", .title = "PORT",
	.rung = MR_LISTENER, GLOBAL_ONLY, .options = port_options,
	.size = sizeof(struct every_port) };
const struct mr_section every_group = { "group", .title = "NAME",
	.one_title = true, .rung = MR_GROUP, GLOBAL_ONLY, .published = true,
	.options = group_options, .size = sizeof(struct every_group) };
const struct mr_section every_domain = { "domain", .title = "DOMAIN",
	.rung = MR_DOMAIN, GLOBAL_ONLY, .options = port_options,
	.size = sizeof(struct every_port), .check_title = check_domain };
const struct mr_section every_user = { "user", .title = "ADDRESS",
	.rung = MR_USER, GLOBAL_ONLY, .options = no_options,
	.size = sizeof(struct every_empty) };

static const struct mr_section *const all_sections[] = { &every_global,
	&every_scalar, &every_list, &every_helo, &every_sender, &every_range,
	&every_purge, &every_exception, &every_listener, &every_group,
	&every_domain, &every_user, NULL };
const struct mr_schema every_schema = { all_sections };

static const struct mr_section *const published_sections[] = { &every_global,
	&every_scalar, &every_list, &every_sender, &every_purge,
	&every_listener, &every_group, &every_domain, &every_user, NULL };
const struct mr_schema every_published_schema = { published_sections };

/* Two configs, and somebody in both. */
struct pair {
	const struct mr_config *one, *two;
	struct mr_chain first, second;
	struct mr_arena *arena;
};

static const char *compare_instance(const struct pair *p,
	const struct mr_section *section, const char *title)
{
	const struct mr_settings *one =
		mr_config_get(p->one, &p->first, section, title, p->arena);
	const struct mr_settings *two =
		mr_config_get(p->two, &p->second, section, title, p->arena);

	for (const struct mr_option *o = section->options; o->name != NULL;
		o++) {
		const char *a = mr_option_format(p->arena, o, one->values);
		const char *b = mr_option_format(p->arena, o, two->values);

		if ((a == NULL) != (b == NULL) ||
			(a != NULL && strcmp(a, b) != 0))
			return mr_arena_printf(p->arena,
				"%s %s: got \"%s\", want \"%s\"", o->name,
				title == NULL ? "" : title,
				b == NULL ? "(none)" : b,
				a == NULL ? "(none)" : a);
	}
	return NULL;
}

static const char *compare_sections(const struct pair *p)
{
	const char *wrong = NULL;

	for (size_t i = 0; published_sections[i] != NULL; i++) {
		const struct mr_section *s = published_sections[i];
		const char *const *a, *const *b;

		if (!s->published)
			continue;
		/* of who has nothing else published not even the name is */
		if (s->rung != MR_UNSET && p->second.scope[s->rung] == NULL)
			continue;
		if (s->title == NULL || s->rung != MR_UNSET) {
			wrong = compare_instance(p, s, NULL);
			if (wrong != NULL)
				return wrong;
			continue;
		}
		a = mr_config_titles(p->one, &p->first, s, p->arena);
		b = mr_config_titles(p->two, &p->second, s, p->arena);
		for (; *a != NULL; a++, b++) {
			if (*b == NULL || strcmp(*a, *b) != 0)
				return mr_arena_printf(p->arena,
					"title: got \"%s\", want \"%s\"",
					*b == NULL ? "(none)" : *b, *a);
			wrong = compare_instance(p, s, *a);
			if (wrong != NULL)
				return wrong;
		}
		if (*b != NULL)
			return "more titles than wanted";
	}
	return NULL;
}

static const char *compare_everybody(struct pair *p)
{
	const char *wrong = compare_sections(p);

	for (int rung = MR_USER; rung < MR_GLOBAL && wrong == NULL; rung++) {
		const struct mr_scope *s =
			mr_config_scopes(p->one, (enum mr_rung)rung);

		for (; s != NULL && wrong == NULL; s = s->next) {
			p->first.scope[rung] = s;
			/* not there: it holds nothing that is published */
			p->second.scope[rung] = mr_config_scope(
				p->two, (enum mr_rung)rung, s->title);
			wrong = compare_sections(p);
		}
		p->first.scope[rung] = p->second.scope[rung] = NULL;
	}
	return wrong;
}

const char *every_compare_published(
	const struct mr_config *config, struct mr_arena *arena)
{
	struct mr_config *copy = NULL;
	struct mr_problems problems;
	struct mr_error error;
	const char *wrong;
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (mr_config_publish(config, out, &error) < 0)
		return "mr_config_publish failed";
	fclose(out);
	mr_problems_init(&problems, arena);
	if (mr_config_read_text(&every_published_schema, "published", text,
		    length, &copy, &problems) < 0) {
		mr_problems_print(&problems, stderr);
		wrong = mr_arena_printf(
			arena, "the copy cannot be read:\n%s", text);
	} else {
		wrong = compare_everybody(&(struct pair){
			.one = config, .two = copy, .arena = arena });
	}
	mr_config_free(&copy);
	free(text);
	return wrong;
}
