/* rewrite - see rewrite.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/rewrite.h"
#include "common/base/arena.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* How often our own name may stand behind; honest mail has none of this. */
enum { TURNS = 8 };

static bool is_here(const char *domain, const char *host)
{
	return strcasecmp(domain, host) == 0 ||
	       strcasecmp(domain, "localhost") == 0 || *domain == '[';
}

/* An address without @, in Postfix's order. */
static const char *rewrite_local(struct mr_arena *arena, const char *address)
{
	const char *bang = strchr(address, '!');
	char *copy, *percent;

	if (bang != NULL)
		return mr_arena_printf(arena, "%s@%.*s", bang + 1,
			(int)(bang - address), address);
	copy = mr_arena_strdup(arena, address);
	percent = strrchr(copy, '%');
	if (percent != NULL)
		*percent = '@';
	return copy;
}

const char *mr_rewrite_recipient(
	struct mr_arena *arena, const char *address, const char *host)
{
	for (int i = 0; i < TURNS && strpbrk(address, "!%@") != NULL; i++) {
		const char *at = strrchr(address, '@');

		if (at == NULL) {
			address = rewrite_local(arena, address);
			continue;
		}
		if (!is_here(at + 1, host) ||
			strcspn(address, "!%") > (size_t)(at - address))
			break;
		address = mr_arena_strndup(
			arena, address, (size_t)(at - address));
	}
	return address;
}
