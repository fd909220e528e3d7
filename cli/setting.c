/* setting - see setting.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/setting.h"
#include "common/base/arena.h"

#include <string.h>

const char *mr_section_text(struct mr_arena *arena,
	const struct mr_section *section, const char *title)
{
	const char *name = section->name == NULL ? "" : section->name;

	if (section->kind != NULL)
		name = mr_arena_printf(arena, "%s %s", name, section->kind);
	if (title == NULL || *title == '\0')
		return name;
	return mr_arena_printf(arena,
		strpbrk(title, " \t#\"{}") == NULL ? "%s %s" : "%s \"%s\"",
		name, title);
}

const char *mr_setting_text(struct mr_arena *arena,
	const struct mr_section *section, const char *title,
	const struct mr_option *option)
{
	const char *in = mr_section_text(arena, section, title);

	if (*in == '\0')
		return option->name;
	return mr_arena_printf(arena, "%s.%s", in, option->name);
}

static const struct {
	const char *one, *several;
} type_texts[] = {
	[MR_TYPE_BOOLEAN] = { "yes | no", NULL },
	[MR_TYPE_NUMBER] = { "a number", "numbers" },
	[MR_TYPE_PERCENT] = { "a percentage, as in 80%",
		"percentages, as in 80% 95%" },
	[MR_TYPE_SIZE] = { "a size, as in 25M, or unlimited", "sizes" },
	[MR_TYPE_DURATION] = { "a duration, as in 8s or 92d", "durations" },
	[MR_TYPE_DATE] = { "a date, as in 2026-12-31", "dates" },
	[MR_TYPE_STRING] = { "text", "words" },
	[MR_TYPE_ENUM] = { "a word", "words" },
	[MR_TYPE_NETWORK] = { "a network, as in 192.0.2.0/24",
		"networks, as in 192.0.2.0/24 [2001:db8::]/32" },
	[MR_TYPE_PATTERN] = { "an address pattern, as in *@example.net",
		"address patterns, as in *@example.net" },
	[MR_TYPE_PORT] = { "a port", "ports" },
	[MR_TYPE_TLS] = { "no | yes | TLSv1 | TLSv1.1 | TLSv1.2 | TLSv1.3",
		NULL },
	[MR_TYPE_RATE] = { "a rate, as in 200 / 1h", "rates" },
	[MR_TYPE_VOLUME] = { "a rate, as in 500M / 1h", "rates" },
	[MR_TYPE_MAP] = { "a table, TYPE:NAME as in main.cf",
		"tables, TYPE:NAME as in main.cf" },
	[MR_TYPE_SECRET] = { "@FILE, which holds the secret", NULL },
};

const char *mr_setting_values(
	struct mr_arena *arena, const struct mr_option *option)
{
	const char *text = type_texts[option->type].one;

	if (option->type == MR_TYPE_ENUM && option->words != NULL) {
		text = option->words[0];
		for (size_t i = 1; option->words[i] != NULL; i++)
			text = mr_arena_printf(
				arena, "%s | %s", text, option->words[i]);
	}
	if (option->type == MR_TYPE_NUMBER && option->most > option->least)
		text = mr_arena_printf(arena, "a number from %lld to %lld",
			(long long)option->least, (long long)option->most);
	if (option->list && type_texts[option->type].several != NULL)
		text = type_texts[option->type].several;
	return text;
}

const char *mr_rung_text(enum mr_rung rung)
{
	static const char *const texts[] = {
		[MR_USER] = "user",
		[MR_GROUP] = "group",
		[MR_DOMAIN] = "domain",
		[MR_LISTENER] = "listener",
		[MR_GLOBAL] = "global",
		[MR_RUNGS] = "default",
	};

	return texts[rung];
}
