/* state - see state.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/state.h"
#include "common/config/source.h"
#include "write-full.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST = 256 * 1024 * 1024 };

const char *mr_state_read(
	struct mr_arena *arena, const char *path, size_t *length_r)
{
	struct mr_source_file file;
	struct mr_error ignored;

	*length_r = 0;
	if (mr_source_read(arena, path, LARGEST, false, &file, &ignored) < 0)
		return "";
	*length_r = file.length;
	return file.text;
}

static void be_root_again(void)
{
	if (getuid() == 0 && geteuid() != 0 &&
	    (seteuid(0) < 0 || setegid(0) < 0))
		i_error("cannot be root again: %m");
}

int mr_state_write(const char *path, const char *text, size_t length,
	struct mr_error *error)
{
	char *temporary = i_strconcat(path, ".XXXXXX", NULL);
	int fd, result = 0;

	be_root_again();
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0 || write_full(fd, text, length) < 0 ||
	    fchmod(fd, 0644) < 0 || fsync(fd) < 0 ||
	    rename(temporary, path) < 0) {
		result = mr_error_set(error, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			unlink(temporary);
	}
	i_close_fd(&fd);
	i_free(temporary);
	return result;
}
