/* mark - see mark.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/mark.h"
#include "common/base/arena.h"

#include <string.h>
#include <strings.h>

static const char key[] = "scanner=";
static const char blanks[] = " \t\r\n";

char *mr_mark_format(struct mr_arena *arena, const char *scanner)
{
	return mr_arena_printf(arena, "%s%s", key, scanner);
}

bool mr_mark_is(const char *value, const char *scanner)
{
	size_t length = strlen(scanner);

	value += strspn(value, blanks);
	if (strncasecmp(value, key, strlen(key)) != 0)
		return false;
	value += strlen(key);
	return strncasecmp(value, scanner, length) == 0 &&
	       value[length + strspn(value + length, blanks)] == '\0';
}
