/* setup_tables - can the milter's user open the tables of the policy?  Whoever
 * runs setup is root and can, which proves nothing: Postfix's own files with a
 * password in them are often for root and postfix alone. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"
#include "common/map/map.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_S = 5 };

static void become(const struct passwd *user, struct mr_error *error)
{
	if (initgroups(user->pw_name, user->pw_gid) < 0 ||
		setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0)
		mr_error_set(error, "%s", strerror(errno));
}

/* In a process of its own: writes why not to `fd`, or nothing. */
static void open_as(const struct passwd *user, const char *reference, int fd)
{
	struct mr_error error = { "" };
	struct mr_map *map;

	alarm(WAIT_S); /* a server that does not answer */
	become(user, &error);
	if (error.text[0] == '\0')
		mr_map_open(reference, &map, &error);
	_exit(write(fd, error.text, strlen(error.text)) < 0);
}

/* NULL: it can, or nobody knows. */
static const char *why_not(const struct mr_setup *setup,
	const struct passwd *user, const char *reference)
{
	struct mr_error error = { "" };
	ssize_t got = 0;
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		return NULL;
	pid = fork();
	if (pid == 0)
		open_as(user, reference, fds[1]);
	close(fds[1]);
	if (pid > 0) {
		got = read(fds[0], error.text, sizeof(error.text) - 1);
		waitpid(pid, NULL, 0);
	}
	close(fds[0]);
	return got <= 0 ? NULL : mr_arena_strdup(setup->arena, error.text);
}

static int look_at(const struct mr_setup *setup, const struct passwd *user,
	const struct mr_list *list)
{
	const char *const *references = list->items;
	int unread = 0;

	for (size_t i = 0; i < list->count; i++) {
		const char *why = why_not(setup, user, references[i]);

		if (why == NULL)
			continue;
		mr_setup_explain(setup, "The user %s cannot open %s.",
			user->pw_name, why);
		unread++;
	}
	return unread;
}

void mr_setup_look_at_tables(struct mr_setup *setup)
{
	const struct mr_maps *maps = mr_config_get(setup->policy->config, NULL,
		&mr_section_maps, NULL, setup->arena)
	                                     ->values;
	const struct passwd *user = getpwnam(setup->policy->milter->user);
	int unread;

	if (geteuid() != 0 || user == NULL || setup->part != MR_SETUP_ALL)
		return;
	unread = look_at(setup, user, &maps->domains) +
	         look_at(setup, user, &maps->aliases) +
	         look_at(setup, user, &maps->mailboxes);
	if (unread > 0)
		mr_setup_explain(setup,
			"Until it can, what it would ask there is unsure.  A "
			"file is opened to it by setfacl -m u:%s:r FILE, or by "
			"its group.",
			user->pw_name);
}
