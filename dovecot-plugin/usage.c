/* usage - see usage.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/usage.h"
#include "dovecot-plugin/folders.h"
#include "file-lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "mailreeve.usage"
#define PURGE_NAME "mailreeve.purge"

enum { LOCK_TRIES = 5 };

/* The directory, and the list that may have to make it. */
static const char *directory_of(struct mr_user *u, struct mailbox_list **list_r)
{
	struct mail_namespace *ns = mr_folder_inbox(u->user);
	const char *directory;

	if (ns == NULL)
		return NULL;
	*list_r = ns->list;
	if (!mailbox_list_get_root_path(
		    ns->list, MAILBOX_LIST_PATH_TYPE_CONTROL, &directory))
		return NULL;
	return directory;
}

/* A link would lead to somebody else's file, a FIFO would hang. */
static int open_file(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
		O_NOCTTY | O_CLOEXEC, 0600);
}

static void tell_unopened(struct mr_user *u, const char *path)
{
	e_error(u->event, "open(%s) failed: %m; until it can be opened, "
		"parallel saves may exceed the quota", path);
}

/* What is open need not be a file; check_file tells. */
static int open_own(struct mr_user *u, const char *name, const char **path_r)
{
	struct mailbox_list *list;
	const char *directory = directory_of(u, &list);
	int fd;

	if (directory == NULL) {
		e_error(u->event, "this user has no control directory for %s, "
			"so parallel saves may exceed the quota", name);
		return -1;
	}
	*path_r = t_strconcat(directory, "/", name, NULL);
	fd = open_file(*path_r);
	if (fd < 0 && errno == ENOENT &&
	    mailbox_list_mkdir_root(
		    list, directory, MAILBOX_LIST_PATH_TYPE_CONTROL) == 0)
		fd = open_file(*path_r);
	if (fd < 0)
		tell_unopened(u, *path_r);
	return fd;
}

/* 1: a file; 0: it was removed; -1: it is something else, told in the log. */
static int check_file(
	struct mr_user *u, int fd, const char *path, struct stat *st_r)
{
	if (fstat(fd, st_r) == 0 && S_ISREG(st_r->st_mode))
		return st_r->st_nlink > 0 ? 1 : 0;
	errno = EINVAL;
	tell_unopened(u, path);
	return -1;
}

/* Mostly nobody holds it, and nothing need be timed. */
static int wait_lock(struct mr_usage_file *file, const char *path,
	unsigned int seconds, const char **error_r)
{
	const struct file_lock_settings set = {
		.lock_method = FILE_LOCK_METHOD_FLOCK,
	};
	int result = file_try_lock(
		file->fd, path, F_WRLCK, &set, &file->lock, error_r);

	if (result == 0 && seconds > 0)
		result = file_wait_lock(file->fd, path, F_WRLCK, &set, seconds,
			&file->lock, error_r);
	return result;
}

/* 1: locked, and still the file of that name; 0: somebody holds it, -1: no. */
static int lock_file(struct mr_user *u, struct mr_usage_file *file,
	unsigned int seconds)
{
	const char *path, *error;
	struct stat st;
	int result, there;

	for (unsigned int tries = 0; tries < LOCK_TRIES; tries++) {
		file->fd = open_own(u, FILE_NAME, &path);
		if (file->fd < 0)
			return -1;
		result = wait_lock(file, path, seconds, &error);
		there = result <= 0
			? 0 : check_file(u, file->fd, path, &st);
		if (there > 0) {
			file->written = st.st_mtim;
			return 1;
		}
		if (result > 0) /* perhaps it was removed while we waited */
			file_unlock(&file->lock);
		i_close_fd(&file->fd);
		if (result == 0)
			e_warning(u->event, "%s is locked for more than %u s",
				path, seconds);
		else if (result < 0)
			e_error(u->event, "%s", error);
		if (result <= 0 || there < 0)
			return result <= 0 ? result : there;
	}
	e_error(u->event, "%s is removed again and again", path);
	return -1;
}

enum mr_usage_result mr_usage_lock(struct mr_user *u, unsigned int seconds)
{
	struct mr_usage_file *file = u->usage;
	char line[MR_USAGE_SIZE];
	ssize_t got;
	int result;

	if (file == NULL)
		file = u->usage = p_new(
			u->user->pool, struct mr_usage_file, 1);
	if (file->depth > 0) {
		file->depth++;
		return MR_USAGE_LOCKED;
	}
	result = lock_file(u, file, seconds);
	if (result <= 0)
		return result == 0 ? MR_USAGE_BUSY : MR_USAGE_FAILED;
	file->depth = 1;
	file->pending = 0;
	got = pread(file->fd, line, sizeof(line), 0);
	file->known = mr_usage_parse(line, got < 0 ? 0 : got, &file->usage);
	return MR_USAGE_LOCKED;
}

bool mr_usage_peek(struct mr_user *u, struct mr_usage *usage_r)
{
	struct mailbox_list *list;
	const char *directory = directory_of(u, &list);
	char line[MR_USAGE_SIZE];
	ssize_t got = -1;
	int fd;

	if (directory == NULL)
		return FALSE;
	fd = open(t_strconcat(directory, "/" FILE_NAME, NULL), O_RDONLY |
		O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		got = pread(fd, line, sizeof(line), 0);
	i_close_fd(&fd);
	return got >= 0 && mr_usage_parse(line, got, usage_r);
}

void mr_usage_write(struct mr_user *u)
{
	char line[MR_USAGE_SIZE];

	u->usage->known = TRUE;
	mr_usage_format(&u->usage->usage, line);
	if (pwrite(u->usage->fd, line, sizeof(line), 0) !=
	    (ssize_t)sizeof(line))
		e_error(u->event, "cannot write " FILE_NAME ": %m");
}

void mr_usage_unlock(struct mr_user *u)
{
	struct mr_usage_file *file = u->usage;

	if (--file->depth > 0)
		return;
	/* closing lets the lock go */
	file_lock_free(&file->lock);
	i_close_fd(&file->fd);
}

void mr_usage_doubt(struct mr_user *u, uint64_t there)
{
	unsigned int seconds =
		there == UINT64_MAX ? MR_USAGE_PATIENCE : MR_USAGE_WAIT;
	struct mr_usage usage;

	/* written also where it says so already: counts that began before are
	 * outdated */
	if (!mr_usage_peek(u, &usage) || there <= usage.bytes ||
	    mr_usage_lock(u, seconds) != MR_USAGE_LOCKED)
		return;
	u->usage->usage.counted = 0;
	mr_usage_write(u);
	mr_usage_unlock(u);
}

int mr_usage_lock_purge(struct mr_user *u, struct file_lock **lock_r)
{
	const struct file_lock_settings set = {
		.lock_method = FILE_LOCK_METHOD_FLOCK,
		.close_on_free = TRUE,
	};
	const char *path, *error;
	struct stat st;
	int fd = open_own(u, PURGE_NAME, &path), result;

	if (fd < 0)
		return -1;
	if (check_file(u, fd, path, &st) < 0) {
		i_close_fd(&fd);
		return -1;
	}
	result = file_try_lock(fd, path, F_WRLCK, &set, lock_r, &error);
	if (result > 0)
		return 1;
	i_close_fd(&fd);
	if (result < 0)
		e_error(u->event, "purge: %s", error);
	return result;
}
