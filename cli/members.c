/* members - see members.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/members.h"
#include "common/base/arena.h"

enum { SHOWN = 5 };

const char *mr_members_text(
	struct mr_arena *arena, const struct mr_members *members)
{
	const char *text = mr_arena_printf(arena, "%zu mailbox%s", members->n,
		members->n == 1 ? "" : "es");

	for (size_t i = 0; i < members->n && i < SHOWN; i++)
		text = mr_arena_printf(arena, "%s%s%s", text,
			i == 0 ? ": " : ", ", members->of[i].address);
	if (members->n > SHOWN)
		text = mr_arena_printf(arena, "%s...", text);
	if (members->dead > 0)
		text = mr_arena_printf(arena,
			"%s; %zu of its table have no mailbox", text,
			members->dead);
	return text;
}
