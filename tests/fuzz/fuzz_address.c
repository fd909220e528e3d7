/* fuzz_address - what a client may call an address or a host, and what a policy
 * may have as a pattern: three lines, the delimiters, a pattern, an address. */
/* SPDX-License-Identifier: ISC */
#include "common/base/address.h"
#include "common/base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *next_line(
	struct mr_arena *arena, const char **text, size_t *left)
{
	const char *end = *left == 0 ? NULL : memchr(*text, '\n', *left);
	size_t length = end == NULL ? *left : (size_t)(end - *text);
	const char *line = mr_arena_strndup(arena, *text, length);

	length += end != NULL;
	*text += length;
	*left -= length;
	return line;
}

static void check_parts(const struct mr_address *a)
{
	size_t local = strlen(a->local), domain = strlen(a->domain);

	assert(strlen(a->text) <= MR_ADDRESS_LONGEST);
	if (*a->text == '\0')
		return;
	/* the parts are the whole */
	assert(strncmp(a->text, a->local, local) == 0);
	if (domain > 0) {
		assert(a->text[local] == '@');
		assert(strcmp(a->text + local + 1, a->domain) == 0);
		assert(strchr(a->domain, '@') == NULL);
	}
	/* without its detail, but in the same domain */
	assert(strlen(a->plain) <= strlen(a->text) + strlen("\"\""));
	assert(*a->plain != '\0' && *a->plain != '@');
	if (a->detail == NULL)
		assert(strcmp(a->plain, a->text) == 0);
	else
		assert(strcmp(a->plain + strlen(a->plain) - domain,
			       a->domain) == 0);
	for (const char *p = a->text; *p != '\0'; p++) {
		assert(*p != '\r' && *p != '\n');
		assert(*p < 'A' || *p > 'Z');
	}
}

static void check_address(struct mr_arena *arena, const char *delimiters,
	const char *pattern, const char *text)
{
	struct mr_address address, again;
	struct mr_error error;

	if (mr_address_parse(arena, text, delimiters, &address, &error) < 0) {
		assert(error.text[0] != '\0');
		return;
	}
	check_parts(&address);
	if (mr_address_pattern_check(pattern, &error) == 0)
		(void)mr_address_pattern_match(pattern, address.text);
	if (*address.text == '\0') {
		assert(mr_address_pattern_match("<>", address.text));
		return;
	}
	assert(!mr_address_pattern_match("<>", address.text));
	/* what is told of it is the address that was judged */
	assert(mr_address_parse(
		       arena, address.text, delimiters, &again, &error) == 0);
	assert(strcmp(again.text, address.text) == 0);
	assert(strcmp(again.plain, address.plain) == 0);
	if (strchr(address.text, '*') == NULL && *address.domain != '\0' &&
		*address.domain != '.' &&
		mr_address_pattern_check(address.text, &error) == 0)
		assert(mr_address_pattern_match(address.text, address.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_arena *arena = mr_arena_new(0);
	const char *text = (const char *)data;
	const char *delimiters = next_line(arena, &text, &size);
	const char *pattern = next_line(arena, &text, &size);
	const char *address = next_line(arena, &text, &size);

	check_address(arena, delimiters, pattern, address);
	if (mr_hostname_check(address) == MR_HOSTNAME_FINE)
		assert(strlen(address) <= MR_HOSTNAME_LONGEST + 1 &&
			strchr(address, '.') != NULL);
	mr_arena_free(&arena);
	return 0;
}
