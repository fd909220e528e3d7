/* fuzz_cdb - a cdb file, as postmap(1) makes it or anybody else. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/map/cdb_table.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the first record is, and at most so much of it as a key. */
enum { DATA = 2048, RECORD = 8, KEY = 64 };

static void ask(const struct mr_cdb_table *table, const char *key)
{
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error = { "" };
	const char *value;

	switch (mr_cdb_get(table, arena, key, &value, &error)) {
	case MR_FOUND:
		assert(strlen(value) < SIZE_MAX);
		break;
	case MR_NOTFOUND:
		break;
	case MR_TEMPFAIL:
		assert(error.text[0] != '\0');
		break;
	}
	mr_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct mr_error error = { "" };
	struct mr_cdb_table *table;
	char key[KEY + 1] = "";

	assert(fd >= 0);
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, data + done, size - done);

		assert(n > 0);
		done += (size_t)n;
	}
	lseek(fd, 0, SEEK_SET);
	table = mr_cdb_read(fd, size, &error);
	assert((table == NULL) == (error.text[0] != '\0'));
	if (table != NULL) {
		assert(mr_cdb_count(table) <= (size - DATA) / RECORD);
		ask(table, "a@x.example");
		ask(table, "b");
		ask(table, "");
		for (size_t n = 0; n < KEY && DATA + RECORD + n < size; n++) {
			key[n] = (char)data[DATA + RECORD + n];
			ask(table, key);
		}
		mr_cdb_release(table);
	}
	close(fd);
	return 0;
}
