/* doctor_socket - can Postfix's processes reach our milter's socket, and does
 * anybody listen there and on the policy daemon's? */
/* SPDX-License-Identifier: ISC */
#include "cli/doctor.h"
#include "common/base/arena.h"
#include "common/policy/judge.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECT_MS = 5000, GROUPS_MOST = 64 };

/* --- the chroot --------------------------------------------------------- */

static bool is_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* " 'smtp/inet/chroot=n'..." for those that are chrooted and use the list. */
static const char *chrooted(struct mr_doctor *doctor, const char *list)
{
	const struct mr_postfix_service *s =
		mr_postfix_services(doctor->postfix.postfix);
	bool smtpd = strcmp(list, "smtpd_milters") == 0;
	const char *words = "";

	for (; s != NULL; s = s->next)
		if (s->chrooted &&
			strcmp(s->program, smtpd ? "smtpd" : "cleanup") == 0)
			words = mr_doctor_text(doctor, "%s %s", words,
				mr_doctor_quote(doctor,
					mr_doctor_text(doctor, "%s/chroot=n",
						s->name)));
	return words;
}

static void look_at_chroot_of(struct mr_doctor *doctor, const char *list)
{
	const struct mr_setup *setup = &doctor->postfix;
	struct mr_told told = mr_doctor_told(doctor, NULL, list);
	const char *ours = mr_setup_our_milter(setup, told.value), *path;
	const char *services = chrooted(doctor, list);

	if (ours == NULL || *services == '\0')
		return;
	ours = mr_setup_milter_endpoint(setup, ours);
	path = mr_setup_socket_path(setup, ours, true);
	if (path == NULL || strncmp(ours, "unix:/", 6) != 0 || is_socket(path))
		return;
	mr_doctor_complain(doctor, mr_doctor_where(doctor, &told),
		strncmp(mr_setup_endpoint(setup), "unix:/", 6) == 0
			? mr_doctor_text(doctor, "postconf -F%s", services)
			: mr_doctor_set(doctor, &told,
				  mr_setup_main_milters(setup, list)));
}

static void look_at_chroot(struct mr_doctor *doctor)
{
	look_at_chroot_of(doctor, "smtpd_milters");
	look_at_chroot_of(doctor, "non_smtpd_milters");
}

/* --- permissions -------------------------------------------------------- */

struct owner {
	const struct passwd *user;
	gid_t groups[GROUPS_MOST];
	int n_groups;
	const char *group; /* the name of the first */
};

static bool is_member(const struct owner *owner, gid_t gid)
{
	for (int i = 0; i < owner->n_groups; i++)
		if (owner->groups[i] == gid)
			return true;
	return false;
}

/* `bit` is one of 4, 2, 1. */
static bool may(const struct owner *owner, const struct stat *st, mode_t bit)
{
	if (st->st_uid == owner->user->pw_uid)
		return (st->st_mode & bit << 6) != 0;
	if (is_member(owner, st->st_gid))
		return (st->st_mode & bit << 3) != 0;
	return (st->st_mode & bit) != 0;
}

static bool find_owner(struct mr_doctor *doctor, struct owner *owner)
{
	const char *name =
		mr_postfix_expand(doctor->postfix.postfix, "mail_owner");
	const struct group *group;

	owner->user = getpwnam(name == NULL ? "postfix" : name);
	owner->n_groups = GROUPS_MOST;
	if (owner->user == NULL ||
		getgrouplist(owner->user->pw_name, owner->user->pw_gid,
			owner->groups, &owner->n_groups) < 0)
		return false;
	group = getgrgid(owner->user->pw_gid);
	owner->group = mr_arena_strdup(
		doctor->arena, group == NULL ? "postfix" : group->gr_name);
	return true;
}

/* The directory of the socket is given to Postfix's group, setgid as in our
 * tmpfiles.d, so that what is made there is its, too; those above it are not
 * ours. */
static const char *open_up(struct mr_doctor *doctor, const struct owner *owner,
	const char *path, const struct stat *st, bool last)
{
	const char *quoted = mr_doctor_quote(doctor, path);

	if (S_ISDIR(st->st_mode) && !last)
		return mr_doctor_text(doctor, "chmod o+x %s", quoted);
	return mr_doctor_text(doctor, "chgrp %s %s && chmod %s %s",
		owner->group, quoted, S_ISDIR(st->st_mode) ? "g+xs" : "g+rw",
		quoted);
}

static void look_at_part(struct mr_doctor *doctor, const struct owner *owner,
	const char *path, bool last)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			mr_doctor_could_not(doctor, path, strerror(errno));
		return;
	}
	if (may(owner, &st, S_ISDIR(st.st_mode) ? 1 : 2))
		return;
	mr_doctor_complain(doctor,
		mr_doctor_text(doctor, "%s, mode %o", path,
			(unsigned)st.st_mode & 07777),
		open_up(doctor, owner, path, &st, last));
}

/* The path of our socket, and how much of its beginning Postfix need not walk:
 * its processes stand in the queue directory. */
static const char *our_path(struct mr_doctor *doctor, size_t *from_r)
{
	const struct mr_setup *setup = &doctor->postfix;
	const char *endpoint = mr_setup_endpoint(setup);
	const char *path = mr_setup_socket_path(setup, endpoint, false);

	*from_r = path == NULL || endpoint[5] == '/'
	                  ? 0
	                  : strlen(path) - strlen(endpoint + 5);
	return path;
}

static void look_at_permissions(struct mr_doctor *doctor)
{
	struct owner owner;
	size_t from;
	const char *path = our_path(doctor, &from), *slash, *last;

	if (path == NULL)
		return;
	if (!find_owner(doctor, &owner)) {
		mr_doctor_could_not(
			doctor, path, "there is no user mail_owner");
		return;
	}
	last = strrchr(path, '/');
	for (slash = strchr(path + from, '/'); slash != NULL;
		slash = strchr(slash + 1, '/'))
		if (slash > path)
			look_at_part(doctor, &owner,
				mr_arena_strndup(doctor->arena, path,
					(size_t)(slash - path)),
				slash == last);
	look_at_part(doctor, &owner, path, true);
}

/* --- does anybody listen? ----------------------------------------------- */

/* 0: somebody does; else errno. */
static int connect_to(const struct sockaddr *address, socklen_t length)
{
	int fd = socket(address->sa_family,
		SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int status = 0;
	socklen_t size = sizeof(status);
	struct pollfd poller = { .fd = fd, .events = POLLOUT };

	if (fd < 0)
		return errno;
	if (connect(fd, address, length) < 0) {
		status = errno;
		if (status == EINPROGRESS &&
			(poll(&poller, 1, CONNECT_MS) <= 0 ||
				getsockopt(fd, SOL_SOCKET, SO_ERROR, &status,
					&size) < 0))
			status = ETIMEDOUT;
	}
	close(fd);
	return status;
}

static int connect_to_path(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return ENAMETOOLONG;
	strcpy(address.sun_path, path);
	return connect_to((const struct sockaddr *)&address, sizeof(address));
}

/* "HOST:PORT", "[HOST]:PORT" */
static int connect_to_inet(struct mr_doctor *doctor, const char *endpoint)
{
	const char *colon = strrchr(endpoint, ':');
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char *host;
	int status;

	if (colon == NULL)
		return EINVAL;
	host = mr_arena_strndup(
		doctor->arena, endpoint, (size_t)(colon - endpoint));
	if (*host == '[') {
		host[strcspn(host, "]")] = '\0';
		host++;
	}
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return EINVAL;
	status = connect_to(found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return status;
}

static void look_for_listener(struct mr_doctor *doctor, enum mr_judge program,
	const char *endpoint, const char *start)
{
	const char *path =
		mr_setup_socket_path(&doctor->postfix, endpoint, false);
	int status;

	if (!mr_judge_is_used(doctor->postfix.policy, program))
		return;
	status = path != NULL
	                 ? connect_to_path(path)
	                 : connect_to_inet(doctor, strchr(endpoint, ':') + 1);

	switch (status) {
	case 0:
	case EAGAIN: /* its queue is full: somebody is there */
		return;
	case ENOENT:
	case ECONNREFUSED:
	case ETIMEDOUT:
		mr_doctor_complain(doctor,
			mr_doctor_text(doctor, "%s: %s",
				path == NULL ? endpoint : path,
				strerror(status)),
			start);
		return;
	default:
		mr_doctor_could_not(doctor, path == NULL ? endpoint : path,
			strerror(status));
	}
}

static void look_for_milter(struct mr_doctor *doctor)
{
	look_for_listener(doctor, MR_JUDGE_MILTER,
		mr_setup_endpoint(&doctor->postfix),
		"systemctl start mailreeve-milter");
}

static void look_for_policyd(struct mr_doctor *doctor)
{
	look_for_listener(doctor, MR_JUDGE_POLICYD,
		mr_setup_policy_endpoint(&doctor->postfix),
		"systemctl start mailreeve-policyd");
}

static const struct mr_ailment ailments[] = {
	{ "socket_chroot", MR_LOSES, look_at_chroot,
		"Chrooted processes of Postfix (chroot = y in master.cf) look "
		"for this path below the queue directory, where there is no "
		"socket; all mail waits." },
	{ "socket_permissions", MR_LOSES, look_at_permissions,
		"Postfix's processes may not pass there to Mailreeve's socket; "
		"all mail waits." },
	{ "socket_dead", MR_LOSES, look_for_milter,
		"Nobody listens where Postfix looks for Mailreeve; all mail "
		"waits, or passes unseen." },
	{ "policy_socket_dead", MR_LOSES, look_for_policyd,
		"Nobody listens where Postfix looks for Mailreeve's policy "
		"daemon; all mail waits, or passes unseen." },
	{ NULL },
};

const struct mr_subject mr_subject_socket = { MR_ASKS_POSTFIX, ailments };
