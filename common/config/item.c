/* item - see item.h.  A type is a row of the table `types`. */
/* SPDX-License-Identifier: ISC */
#include "common/config/item.h"
#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/base/text.h"

#include <string.h>

static const char *const boolean_words[] = { "no", "yes", NULL };
static const char *const tls_words[] = { "no", "yes", "TLSv1", "TLSv1.1",
	"TLSv1.2", "TLSv1.3", NULL };

/* What a parser may need; `text` is one item. */
struct item {
	struct mr_arena *arena;
	const struct mr_option *option;
	const char *text;
	struct mr_flaw *flaw;
};

static int find_word(const char *const *words, const char *text)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return -1;
}

/* "one of a, b and c", as far as it goes into an error. */
static int refuse_word(const struct item *item, const char *const *words)
{
	char *all = mr_arena_strdup(item->arena, words[0]);

	for (size_t i = 1; words[i] != NULL; i++)
		all = mr_arena_printf(item->arena, "%s%s%s", all,
			words[i + 1] == NULL ? " or " : ", ", words[i]);
	item->flaw->nearest = mr_text_nearest(item->text, words);
	return mr_error_set(
		&item->flaw->error, "\"%.40s\" is not %s", item->text, all);
}

static int parse_boolean(const struct item *item, void *value)
{
	static const char *const other[] = { "false", "off", "0", "true", "on",
		"1", NULL };
	int index = find_word(boolean_words, item->text);

	if (index < 0) {
		refuse_word(item, boolean_words);
		index = find_word(other, item->text);
		if (index >= 0)
			item->flaw->nearest = boolean_words[index / 3];
		return -1;
	}
	*(bool *)value = index == 1;
	return 0;
}

static int parse_number(const struct item *item, void *value)
{
	int64_t least = item->option->least, most = item->option->most;

	if (least == 0 && most == 0)
		most = INT64_MAX;
	return mr_number_parse(
		item->text, least, most, value, &item->flaw->error);
}

static int parse_percent(const struct item *item, void *value)
{
	return mr_percent_parse(item->text, value, &item->flaw->error);
}

static int parse_size(const struct item *item, void *value)
{
	return mr_size_parse(item->text, value, &item->flaw->error);
}

static int parse_duration(const struct item *item, void *value)
{
	return mr_duration_parse(item->text, value, &item->flaw->error);
}

static int parse_date(const struct item *item, void *value)
{
	return mr_date_parse(item->text, value, &item->flaw->error);
}

static int parse_string(const struct item *item, void *value)
{
	*(const char **)value = mr_arena_strdup(item->arena, item->text);
	return 0;
}

static int parse_enum(const struct item *item, void *value)
{
	int index = find_word(item->option->words, item->text);

	if (index < 0)
		return refuse_word(item, item->option->words);
	*(int *)value = index;
	return 0;
}

static int parse_network(const struct item *item, void *value)
{
	return mr_network_parse(item->text, value, &item->flaw->error);
}

static int parse_pattern(const struct item *item, void *value)
{
	if (mr_address_pattern_check(item->text, &item->flaw->error) < 0)
		return -1;
	return parse_string(item, value);
}

static int parse_port(const struct item *item, void *value)
{
	return mr_number_parse(item->text, 1, 65535, value, &item->flaw->error);
}

static int parse_tls(const struct item *item, void *value)
{
	enum mr_tls version;

	if (mr_tls_parse(item->text, &version) < 0)
		return refuse_word(item, tls_words);
	*(int *)value = (int)version;
	return 0;
}

static int parse_rate(const struct item *item, void *value)
{
	return mr_rate_parse(item->text, value, &item->flaw->error);
}

static int parse_volume(const struct item *item, void *value)
{
	return mr_volume_parse(item->text, value, &item->flaw->error);
}

/* Only the shape: which types there are is a matter of common/map. */
static int parse_map(const struct item *item, void *value)
{
	size_t type = strspn(item->text, "abcdefghijklmnopqrstuvwxyz");

	if (type == 0 || item->text[type] != ':' ||
		item->text[type + 1] == '\0')
		return mr_error_set(&item->flaw->error,
			"\"%.60s\" is not a map, such as "
			"lmdb:/etc/postfix/virtual",
			item->text);
	return parse_string(item, value);
}

static int parse_secret(const struct item *item, void *value)
{
	return mr_secret_read(
		item->arena, item->text, value, &item->flaw->error);
}

static char *format_boolean(struct mr_arena *arena,
	const struct mr_option *option, const void *value)
{
	(void)option;
	return mr_arena_strdup(arena, boolean_words[*(const bool *)value]);
}

static char *format_number(struct mr_arena *arena,
	const struct mr_option *option, const void *value)
{
	return mr_arena_printf(arena, "%lld%s",
		(long long)*(const int64_t *)value,
		option->type == MR_TYPE_PERCENT ? "%" : "");
}

static char *format_size(struct mr_arena *arena, const struct mr_option *option,
	const void *value)
{
	(void)option;
	return mr_size_format(arena, *(const uint64_t *)value);
}

static char *format_duration(struct mr_arena *arena,
	const struct mr_option *option, const void *value)
{
	(void)option;
	return mr_duration_format(arena, *(const int64_t *)value);
}

static char *format_date(struct mr_arena *arena, const struct mr_option *option,
	const void *value)
{
	(void)option;
	return mr_date_format(arena, *(const time_t *)value);
}

static char *format_string(struct mr_arena *arena,
	const struct mr_option *option, const void *value)
{
	(void)option;
	return mr_arena_strdup(arena, *(const char *const *)value);
}

static char *format_word(struct mr_arena *arena, const struct mr_option *option,
	const void *value)
{
	const char *const *words =
		option->type == MR_TYPE_TLS ? tls_words : option->words;

	return mr_arena_strdup(arena, words[*(const int *)value]);
}

static char *format_network(struct mr_arena *arena,
	const struct mr_option *option, const void *value)
{
	(void)option;
	return mr_network_format(arena, value);
}

static char *format_rate(struct mr_arena *arena, const struct mr_option *option,
	const void *value)
{
	(void)option;
	return mr_rate_format(arena, *(const struct mr_rate *)value);
}

static char *format_volume(struct mr_arena *arena,
	const struct mr_option *option, const void *value)
{
	(void)option;
	return mr_volume_format(arena, *(const struct mr_rate *)value);
}

static char *format_secret(struct mr_arena *arena,
	const struct mr_option *option, const void *value)
{
	(void)option;
	return mr_arena_strdup(
		arena, mr_secret_reference(*(const char *const *)value));
}

static const struct {
	size_t size;
	int (*parse)(const struct item *item, void *value);
	char *(*format)(struct mr_arena *arena, const struct mr_option *option,
		const void *value);
} types[] = {
	[MR_TYPE_BOOLEAN] = { sizeof(bool), parse_boolean, format_boolean },
	[MR_TYPE_NUMBER] = { sizeof(int64_t), parse_number, format_number },
	[MR_TYPE_PERCENT] = { sizeof(int64_t), parse_percent, format_number },
	[MR_TYPE_SIZE] = { sizeof(uint64_t), parse_size, format_size },
	[MR_TYPE_DURATION] = { sizeof(int64_t), parse_duration,
		format_duration },
	[MR_TYPE_DATE] = { sizeof(time_t), parse_date, format_date },
	[MR_TYPE_STRING] = { sizeof(char *), parse_string, format_string },
	[MR_TYPE_ENUM] = { sizeof(int), parse_enum, format_word },
	[MR_TYPE_NETWORK] = { sizeof(struct mr_network), parse_network,
		format_network },
	[MR_TYPE_PATTERN] = { sizeof(char *), parse_pattern, format_string },
	[MR_TYPE_PORT] = { sizeof(int64_t), parse_port, format_number },
	[MR_TYPE_TLS] = { sizeof(int), parse_tls, format_word },
	[MR_TYPE_RATE] = { sizeof(struct mr_rate), parse_rate, format_rate },
	[MR_TYPE_VOLUME] = { sizeof(struct mr_rate), parse_volume,
		format_volume },
	[MR_TYPE_MAP] = { sizeof(char *), parse_map, format_string },
	[MR_TYPE_SECRET] = { sizeof(char *), parse_secret, format_secret },
};

int mr_tls_parse(const char *text, enum mr_tls *version)
{
	int index = find_word(tls_words, text);

	if (index < 0)
		return -1;
	*version = (enum mr_tls)index;
	return 0;
}

const char *mr_tls_name(enum mr_tls version)
{
	return tls_words[version];
}

size_t mr_item_size(enum mr_type type)
{
	return types[type].size;
}

int mr_item_parse(struct mr_arena *arena, const struct mr_option *option,
	const char *text, void *value, struct mr_flaw *flaw)
{
	const struct item item = { arena, option, text, flaw };

	return types[option->type].parse(&item, value);
}

char *mr_item_format(struct mr_arena *arena, const struct mr_option *option,
	const void *value)
{
	return types[option->type].format(arena, option, value);
}
