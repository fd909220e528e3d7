/* files - a directory of its own for a test, and files in it. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_TESTS_UNIT_FILES_H
#define MR_TESTS_UNIT_FILES_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Enters a new directory; all names of a test are relative to it. */
static inline int files_enter(void **state)
{
	char *directory = strdup("/tmp/mr-unit-XXXXXX");

	*state = directory;
	/* others may look in, as a test that drops root must */
	return mkdtemp(directory) == NULL || chmod(directory, 0755) < 0 ||
	                       chdir(directory) < 0
	               ? -1
	               : 0;
}

static inline int files_remove_one(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int files_leave(void **state)
{
	int result = chdir("/");

	if (result == 0)
		result =
			nftw(*state, files_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return result;
}

static inline void files_write(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(name, "w");

	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 ||
		chmod(name, mode) < 0) {
		perror(name);
		exit(1);
	}
}

#endif
