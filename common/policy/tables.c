/* tables - see tables.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/tables.h"
#include "common/base/arena.h"
#include "common/map/map.h"

struct mr_map **mr_tables_open(const struct mr_list *references,
	struct mr_place at, struct mr_arena *arena, size_t *count,
	struct mr_problems *problems)
{
	const char *const *reference = references->items;
	struct mr_map **maps =
		MR_NEW_ARRAY(arena, struct mr_map *, references->count + 1);

	*count = 0;
	for (size_t i = 0; i < references->count; i++) {
		struct mr_error error;

		if (mr_map_open(reference[i], &maps[*count], &error) < 0) {
			mr_problem_add(problems, MR_WARNING, at,
				"%s; until it can be read, what it is asked is "
				"unsure",
				error.text);
			if (mr_map_open_later(
				    reference[i], &maps[*count], &error) < 0)
				continue;
		}
		(*count)++;
	}
	return maps;
}

void mr_tables_close(struct mr_map *const *maps)
{
	for (; maps != NULL && *maps != NULL; maps++) {
		struct mr_map *map = *maps;

		mr_map_free(&map);
	}
}
