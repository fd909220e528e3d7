/* section_dnsbl - the option tables of dnsbl and dnswl; see sections.h.  A key
 * is no part of any message: a zone is shown as it is written, with {key}. */
/* SPDX-License-Identifier: ISC */
#include "common/base/address.h"
#include "common/base/codes.h"
#include "common/config/problem.h"
#include "common/config/sections.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define AT(member) offsetof(struct mr_list_settings, member)

enum { ZONE, KEY, CODES, WEIGHT, ASK, TEST, URL };

/* RFC 1035 section 2.3.4, with room for a reversed IPv6 address or a name. */
enum { ZONE_LONGEST = 180, LABEL_LONGEST = 63, URL_LONGEST = 100 };

static const char *const ask_words[] = { "client", "helo", "sender",
	"client_name", NULL };

/* clang-format off */
#define LIST_OPTIONS(...)                                                      \
	[ZONE] = { "zone", MR_TYPE_STRING, .offset = AT(zone),                 \
		.help = "The domain that is asked, by default the title; "     \
			"{key} in it stands for the key." },                   \
	[KEY] = { "key", MR_TYPE_SECRET, .offset = AT(key),                    \
		.help = "The file with the key that the list's operator "      \
			"gave, as in @/etc/mailreeve/zen.key; it is never "    \
			"shown." },                                            \
	[CODES] = { "codes", MR_TYPE_STRING, .list = true,                     \
		.offset = AT(codes),                                           \
		.help = "The answers that count, such as 127.0.0.2, "          \
			"127.0.0.2..11 or 127.0.*.1..3; by default any of "    \
			"127.0.0.0/8 but 127.0.0.1, 127.0.0.255 and "          \
			"127.255.255.0/24, by which lists refuse." },          \
	[WEIGHT] = { "weight", MR_TYPE_NUMBER, .offset = AT(weight),           \
		__VA_ARGS__ },                                                 \
	[ASK] = { "ask", MR_TYPE_ENUM, .offset = AT(ask),                      \
		.initial = "client", .words = ask_words,                       \
		.help = "What is looked up: the client's address, the HELO "   \
			"name, the sender's domain, or the client's verified " \
			"name." },                                             \
	[TEST] = { "test", MR_TYPE_STRING, .offset = AT(test),                 \
		.help = "An address or name that is always listed, or none; "  \
			"by default the test points of RFC 5782." },           \
	[URL] = { "url", MR_TYPE_STRING, .offset = AT(url),                    \
		.help = "Where who is listed reads why, for {url} in "         \
			"replies; {item} in it is what is listed." },          \
	{ NULL }
/* clang-format on */

static const struct mr_option black_options[] = {
	LIST_OPTIONS(.initial = "1", .least = 1, .most = 1000,
		.help = "What a listing adds towards the threshold of check "
			"dnsbl."),
};

static const struct mr_option white_options[] = {
	LIST_OPTIONS(.initial = "0", .least = 0, .most = 1000,
		.help = "What a listing takes off; with 0 who is listed is "
			"never refused by check dnsbl."),
};

/* A title stands in replies and logs. */
static int check_title(const char *title, struct mr_error *error)
{
	size_t good = strspn(title, "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	if (title[good] != '\0' || good > LABEL_LONGEST)
		return mr_error_set(error,
			"a list is called by its domain, like bl.example.net, "
			"or by a word, like zen");
	return 0;
}

static bool is_key(const char *key)
{
	size_t length = 0;

	for (; isalnum((unsigned char)key[length]) || key[length] == '-' ||
		key[length] == '_';
		length++)
		;
	return key[length] == '\0' && length <= LABEL_LONGEST;
}

/* As it looks with a key in it. */
static bool is_zone(const char *zone)
{
	char filled[ZONE_LONGEST + 1] = "";
	char *key;

	if (strlen(zone) > ZONE_LONGEST)
		return false;
	memcpy(filled, zone, strlen(zone));
	key = strstr(filled, "{key}");
	if (key != NULL)
		memcpy(key, "a-key", strlen("{key}"));
	return mr_hostname_check(filled) == MR_HOSTNAME_FINE;
}

static void validate_zone(const struct mr_list_settings *list,
	const struct mr_place *places, struct mr_problems *problems)
{
	bool keyed = list->zone != NULL && strstr(list->zone, "{key}") != NULL;

	if (list->zone != NULL && !is_zone(list->zone))
		mr_problem_add(problems, MR_MISTAKE, places[ZONE],
			"a zone is a domain like bl.example.net, or with a key "
			"like {key}.bl.example.net");
	if (keyed && list->key == NULL)
		mr_problem_add(problems, MR_MISTAKE, places[ZONE],
			"{key} needs key = @FILE");
	if (list->key == NULL)
		return;
	if (!keyed)
		mr_problem_add(problems, MR_MISTAKE, places[KEY],
			"a key needs a zone with {key} in it");
	if (!is_key(list->key))
		mr_problem_add(problems, MR_MISTAKE, places[KEY],
			"what is in the file cannot be a part of a domain "
			"name");
}

static bool is_test(const struct mr_list_settings *list)
{
	struct mr_error ignored;
	struct mr_ip ip;

	if (strcasecmp(list->test, "none") == 0)
		return true;
	if (list->ask == MR_LISTED_CLIENT)
		return mr_ip_parse(list->test, &ip, &ignored) == 0;
	return mr_hostname_check(list->test) == MR_HOSTNAME_FINE ||
	       mr_hostname_check(list->test) == MR_HOSTNAME_NOT_QUALIFIED;
}

static bool is_url(const char *url)
{
	for (const char *p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return strlen(url) <= URL_LONGEST &&
	       (strncmp(url, "https://", 8) == 0 ||
		       strncmp(url, "http://", 7) == 0);
}

static void validate(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_list_settings *list = values;
	const char *const *codes = list->codes.items;
	struct mr_codes ignored;
	struct mr_error error;

	validate_zone(list, places, problems);
	for (size_t i = 0; i < list->codes.count; i++)
		if (mr_codes_parse(codes[i], &ignored, &error) < 0)
			mr_problem_add(problems, MR_MISTAKE, places[CODES],
				"%s", error.text);
	if (list->test != NULL && !is_test(list))
		mr_problem_add(problems, MR_MISTAKE, places[TEST],
			"test is %s that is always listed, or none",
			list->ask == MR_LISTED_CLIENT ? "an address"
						      : "a name");
	if (list->url != NULL && !is_url(list->url))
		mr_problem_add(problems, MR_MISTAKE, places[URL],
			"a url begins with https:// and has at most %d octets",
			URL_LONGEST);
}

const struct mr_section mr_section_dnsbl = {
	.name = "dnsbl",
	.title = "LIST",
	.rung = MR_UNSET,
	.where = MR_IN(MR_GLOBAL),
	.options = black_options,
	.size = sizeof(struct mr_list_settings),
	.check_title = check_title,
	.validate = validate,
	.help = "A block list that check dnsbl asks.",
};

const struct mr_section mr_section_dnswl = {
	.name = "dnswl",
	.title = "LIST",
	.rung = MR_UNSET,
	.where = MR_IN(MR_GLOBAL),
	.options = white_options,
	.size = sizeof(struct mr_list_settings),
	.check_title = check_title,
	.validate = validate,
	.help = "A list of good senders that check dnsbl asks.",
};
