/* fuzz_sqlite_cf - a sqlite_table(5) file, and what its templates make of keys
 * and values. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/map/sqlite_cf.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const keys[] = { "ann@sub.a.test", "alone", "@a.test", "a@",
	"@", "a@b@..", "'; DROP TABLE t; --", "%s%d", "\xff@a", "" };

static void expand(
	const struct mr_sqlite_cf *cf, struct mr_arena *arena, const char *key)
{
	if (!mr_sqlite_cf_asks(cf, arena, key))
		return;
	for (size_t i = 0; i < cf->n_parameters; i++)
		assert(mr_sqlite_cf_parameter(arena, cf->parameters[i], key) !=
			NULL);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		mr_sqlite_cf_result(cf, arena, keys[i], key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error = { "" };
	struct mr_sqlite_cf cf;

	if (mr_sqlite_cf_parse(arena, (const char *)data, size, &cf, &error) <
		0) {
		assert(error.text[0] != '\0');
	} else {
		assert(cf.dbpath[0] == '/' && cf.limit >= 0);
		assert(cf.n_parameters <= MR_SQLITE_PARAMETERS);
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			expand(&cf, arena, keys[i]);
	}
	mr_arena_free(&arena);
	return 0;
}
