/* publish - see publish.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/publish.h"
#include "dovecot-plugin/quota.h"
#include "dovecot-plugin/usage.h"
#include "dovecot-plugin/view.h"
#include "common/base/socket.h"
#include "common/base/units.h"
#include "ioloop.h"
#include "time-util.h"

#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A session tells soon after a change, so that a burst of them is one report,
 * and looks again every five minutes.  A command waits for so long. */
enum { SOON_MS = 1000, PERIOD_MS = 5 * 60 * 1000, PATIENCE_MS = 1000 };
/* What is told in a period is told once more in the next, lest it was lost. */
enum { TELLINGS = 2 };

struct mr_publish {
	/* the last count, and when it began: by the clock of reports, by that
	 * of files, and in which round of the ioloop */
	uint64_t bytes, messages;
	int64_t boot_ms;
	struct timespec begun;
	struct timeval round;
	bool counted;

	uint64_t added_bytes; /* by this process, since */
	unsigned int added_messages;
	uint64_t saved; /* the mail that was delivered, until that is told */
	bool saved_one;
	bool changed; /* something, since it was last told */
	bool untold;  /* what was counted for a delivery, which may be refused */

	uint64_t told_bytes, told_messages;
	unsigned int tellings; /* of these */
	struct timeout *timer; /* NULL: this is no session */
	bool soon;             /* so it will look */
};

static struct mr_publish *publish_of(struct mr_user *u)
{
	if (u->publish == NULL)
		u->publish = p_new(u->user->pool, struct mr_publish, 1);
	return u->publish;
}

static int64_t boottime_ms(void)
{
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000;
}

/* --- counting ----------------------------------------------------------- */

void mr_publish_count_begins(struct mr_user *u, bool anew)
{
	struct mr_publish *p = publish_of(u);

	/* `count` answers once a round */
	if (!anew && p->counted &&
	    timeval_cmp(&p->round, &ioloop_timeval) == 0)
		return;
	p->boot_ms = boottime_ms();
	clock_gettime(CLOCK_REALTIME_COARSE, &p->begun);
	p->round = ioloop_timeval;
	p->counted = FALSE; /* it may fail */
}

void mr_publish_counted(struct mr_user *u, uint64_t bytes, uint64_t messages)
{
	struct mr_publish *p = publish_of(u);

	p->bytes = bytes;
	p->messages = messages;
	p->added_bytes = p->added_messages = 0;
	p->counted = TRUE;
}

/* Each save is on the record. */
bool mr_publish_is_outdated(const struct mr_user *u)
{
	const struct timespec *written = &u->usage->written;
	const struct timespec *begun =
		u->publish == NULL ? written : &u->publish->begun;

	return u->publish == NULL || !u->publish->counted ||
		written->tv_sec > begun->tv_sec ||
		(written->tv_sec == begun->tv_sec &&
		 written->tv_nsec >= begun->tv_nsec);
}

/* --- a report ----------------------------------------------------------- */

/* Where nobody listens a delivery finds that out at once. */
static int open_socket(const char *path, const char **why_r)
{
	struct sockaddr_un address;
	struct mr_error error;
	int fd;

	if (access(path, F_OK) < 0) {
		*why_r = t_strdup_printf("%s: %m", path);
		return -1;
	}
	if (mr_socket_address(path, &address, &error) < 0) {
		*why_r = t_strdup(error.text);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address,
			       sizeof(address)) == 0)
		return fd;
	*why_r = t_strdup_printf("%s: %m", path);
	i_close_fd(&fd);
	return -1;
}

int mr_publish_can(const char *path, const char **why_r)
{
	int fd = open_socket(path, why_r);

	if (fd < 0)
		return -1;
	i_close_fd(&fd);
	return 0;
}

static int open_usage(struct mr_user *u, const char **why_r)
{
	const struct mr_view *view = mr_user_view(u);
	const char *name = u->user->username;

	*why_r = "there is no policy that can be read";
	if (view == NULL)
		return -1;
	*why_r = "his name cannot stand in a report";
	for (; *name != '\0'; name++)
		if ((unsigned char)*name <= ' ' || *name == '\177')
			return -1;
	return open_socket(view->usage, why_r);
}

/* The limit is for display, where 0 is none. */
static uint64_t shown_limit(struct mr_user *u)
{
	const char *at;
	uint64_t limit = mr_user_limit(u, &at);

	return limit == MR_UNLIMITED ? 0 : I_MAX(limit, 1);
}

/* `messages`: an attribute, "" where nobody counted. */
static int send_text(struct mr_user *u, int fd, uint64_t bytes,
	const char *messages, int64_t boot_ms, const char **why_r)
{
	uint64_t saved = u->publish->saved;
	const char *text = t_strdup_printf("request=mailreeve_usage\n"
		"mailbox=%s\nbytes=%"PRIu64"\n%slimit=%"PRIu64"\n"
		"time=%"PRId64"\n%s\n", u->user->username, bytes, messages,
		shown_limit(u), boot_ms, saved == 0 ? ""
		: t_strdup_printf("saved=%"PRIu64"\n", saved));

	if (send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		*why_r = t_strdup_printf("send: %m");
		return -1;
	}
	u->publish->saved = 0;
	return 0;
}

static int send_report(
	struct mr_user *u, int fd, int wait_ms, const char **why_r)
{
	struct mr_publish *p = u->publish;
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	uint64_t bytes = p->bytes + p->added_bytes;
	uint64_t messages = p->messages + p->added_messages;

	if (wait_ms > 0 && poll(&room, 1, wait_ms) < 0) {
		*why_r = t_strdup_printf("poll: %m");
		return -1;
	}
	if (send_text(u, fd, bytes,
		      t_strdup_printf("messages=%"PRIu64"\n", messages),
		      p->boot_ms, why_r) < 0)
		return -1;
	if (p->told_bytes != bytes || p->told_messages != messages)
		p->tellings = 0;
	p->tellings++;
	p->told_bytes = bytes;
	p->told_messages = messages;
	p->changed = FALSE;
	return 0;
}

static int count(struct mr_user *u, const char **why_r)
{
	uint64_t bytes, messages;

	*why_r = "it cannot be told what the mailbox holds";
	return mr_quota_used(u, &bytes, &messages);
}

static void told(struct mr_user *u, int result, const char *why)
{
	if (result < 0)
		e_debug(u->event, "usage is not published: %s", why);
}

int mr_publish_now(struct mr_user *u, const char **why_r)
{
	int fd = open_usage(u, why_r), result = -1;

	if (fd >= 0 && count(u, why_r) == 0)
		result = send_report(u, fd, PATIENCE_MS, why_r);
	i_close_fd(&fd);
	return result;
}

void mr_publish_weighed(struct mr_user *u)
{
	if (!u->user->autocreated)
		publish_of(u)->untold = TRUE;
}

/* Nobody counted, and now that the mail is there nobody need: what is on record
 * is there at most. */
static bool is_on_record(struct mr_user *u)
{
	const char *at;

	return u->by_record && mr_usage_suffices(&u->usage->usage,
		mr_user_limit(u, &at), ioloop_time);
}

static int tell_delivery(struct mr_user *u, int fd, const char **why_r)
{
	if (mr_publish_is_outdated(u)) {
		if (is_on_record(u))
			return send_text(u, fd, u->usage->usage.bytes, "",
				boottime_ms(), why_r);
		if (count(u, why_r) < 0)
			return -1;
	}
	u->publish->untold = FALSE;
	return send_report(u, fd, 0, why_r);
}

/* Counts, and tells what is worth it. */
static void tell(struct mr_user *u)
{
	struct mr_publish *p = u->publish;
	const char *why;
	int fd = open_usage(u, &why), result = -1;

	if (fd >= 0 && count(u, &why) == 0) {
		if (!p->changed && p->tellings >= TELLINGS &&
		    p->bytes == p->told_bytes &&
		    p->messages == p->told_messages)
			result = 0;
		else
			result = send_report(u, fd, 0, &why);
	}
	i_close_fd(&fd);
	told(u, result, why);
}

void mr_publish_delivered(struct mr_user *u, struct mailbox *box,
	uint64_t bytes, unsigned int messages, bool locked)
{
	struct mr_publish *p = publish_of(u);
	const char *why;
	bool ignored;
	int fd, result = -1;

	if (u->user->autocreated)
		return;
	p->added_bytes += bytes;
	p->added_messages += messages;
	/* to two folders it is still one mail, and a warning is none */
	if (!p->saved_one && !u->warning) {
		p->saved = bytes;
		p->saved_one = TRUE;
	}
	p->changed = TRUE;
	if (!locked) /* nor counted, mostly: at the user's end */
		return;
	T_BEGIN {
		fd = open_usage(u, &why);
		ignored = fd >= 0 && mr_quota_ignores(u, box);
		if (ignored) {
			p->added_bytes -= bytes;
			p->added_messages -= messages;
		}
		if (fd < 0)
			p->untold = FALSE; /* nor would anybody hear it then */
		else if (!ignored)
			result = tell_delivery(u, fd, &why);
		i_close_fd(&fd);
		if (!ignored)
			told(u, result, why);
	} T_END;
	p->changed = ignored; /* then at the user's end, too */
}

/* --- what changes by and by --------------------------------------------- */

static void look(struct mr_user *u);

static void look_again(struct mr_user *u, bool soon)
{
	struct ioloop *root = io_loop_get_root();

	timeout_remove(&u->publish->timer);
	u->publish->soon = soon;
	u->publish->timer = soon ? timeout_add_to(root, SOON_MS, look, u)
				 : timeout_add_to(root, PERIOD_MS, look, u);
}

static void look(struct mr_user *u)
{
	/* in the midst of a transaction a second opening of an mbox would take
	 * its locks away */
	if (u->raised > 0) {
		look_again(u, TRUE);
		return;
	}
	if (u->root != NULL) T_BEGIN {
		tell(u);
	} T_END;
	look_again(u, FALSE);
}

static bool is_delivery(const struct quota_transaction_context *transaction)
{
	const struct mailbox *box = transaction->box;

	return box != NULL && (box->flags & MAILBOX_FLAG_POST_SESSION) != 0 &&
		transaction->count_used > 0;
}

/* Of somebody made for a shared folder not all is known here. */
void mr_publish_changed(struct mr_user *u,
	const struct quota_transaction_context *transaction)
{
	struct mr_publish *p = publish_of(u);

	p->round.tv_sec = 0; /* `count` forgets, too */
	if (u->user->autocreated)
		return;
	if (is_delivery(transaction)) /* see mr_publish_delivered */
		return;
	if (p->timer != NULL && !p->soon)
		look_again(u, TRUE);
	p->changed = TRUE;
}

void mr_publish_begin(struct mr_user *u)
{
	if (strcmp(u->user->service, "imap") == 0 && !u->user->autocreated) {
		(void)publish_of(u);
		look_again(u, FALSE);
	}
}

void mr_publish_end(struct mr_user *u)
{
	struct mr_publish *p = u->publish;

	if (p == NULL)
		return;
	timeout_remove(&p->timer);
	if ((p->changed || p->untold) && u->root != NULL &&
	    u->user->namespaces != NULL) T_BEGIN {
		tell(u);
	} T_END;
}
