/* fuzz_userdb - lines that a Dovecot auth-userdb socket may send. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/map/userdb.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_arena *arena = mr_arena_new(0);
	const char *line = mr_arena_strndup(
		arena, size > 0 ? (const char *)data : "", size);
	const char *rest;

	switch (mr_userdb_parse(line, 1, &rest)) {
	case MR_USERDB_USER:
		assert(strncmp(line, "USER\t1\t", 7) == 0);
		assert(rest[0] != '\0' && rest[0] != '\t');
		break;
	case MR_USERDB_NOTFOUND:
		assert(strncmp(line, "NOTFOUND\t1", 10) == 0);
		break;
	case MR_USERDB_FAIL:
		assert(strncmp(line, "FAIL\t1", 6) == 0);
		break;
	case MR_USERDB_GREETING:
	case MR_USERDB_GARBAGE:
		break;
	}
	assert(rest != NULL);
	switch (mr_userdb_parse_listed(line, 1, &rest)) {
	case MR_USERDB_LIST_NAME:
		assert(strncmp(line, "LIST\t1", 6) == 0);
		break;
	case MR_USERDB_LIST_DONE:
	case MR_USERDB_LIST_FAILED:
		assert(strncmp(line, "DONE\t1", 6) == 0);
		break;
	case MR_USERDB_LIST_GREETING:
	case MR_USERDB_LIST_GARBAGE:
		break;
	}
	assert(rest != NULL);
	mr_userdb_can_ask(line);
	mr_arena_free(&arena);
	return 0;
}
