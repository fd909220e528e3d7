/*
 * libmilter - mta.h over Sendmail's libmilter, the one file that knows it
 *
 * Traps, all seen: no way to hand over a socket (see take_over); a thread of
 * its own that sigwaits for SIGTERM (see sigwait); smfi_stop, which waits up to
 * 5 s for the listener's lock and drops what is under way, so it is not called;
 * commands out of order, so a callback may come before its connection was
 * negotiated.  libmilter is one per process and keeps its state in globals of
 * its own, hence ours.
 */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/daemon/listen.h"
#include "milter/mta.h"
#include "milter/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a connection may say nothing: a slow client's DATA takes as long as
 * Postfix lets it, and the milter hears nothing meanwhile. */
enum { IDLE_SECONDS = 2 * 60 * 60, DESCRIPTORS = 1024 };

struct mr_mta {
	SMFICTX *ctx; /* of the callback that is running */
	void *context;
	bool blanks; /* headers come and go with the blank behind the colon */
	bool early;  /* connect and HELO are answered */
};

static struct {
	const struct mr_mta_callbacks *callbacks;
	void *program;
	struct mr_workers *workers;
	int fd;   /* libmilter's listening descriptor */
	int idle; /* takes its place at the end; libmilter may still call
	             accept(2) on it, woken by the socket that it replaces */
} state;

/*
 * libmilter's signal thread waits here, for ever, instead of in libc.  Left to
 * itself it takes about one SIGTERM in a hundred from the main thread (whenever
 * a second signal is pending there), and then drops every mail under way.
 */
__attribute__((visibility("default"))) int sigwait(
	const sigset_t *set, int *signal_r)
{
	sigset_t all;

	(void)set;
	(void)signal_r;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (;;)
		pause();
}

/* --- a connection */

/* NULL: commands out of order, or after QUIT_NC: nothing was negotiated. */
static struct mr_mta *find(SMFICTX *ctx)
{
	struct mr_mta *mta = smfi_getpriv(ctx);

	if (mta != NULL)
		mta->ctx = ctx;
	return mta;
}

static sfsistat say(enum mr_mta_answer answer)
{
	switch (answer) {
	case MR_MTA_CONTINUE:
		return SMFIS_CONTINUE;
	case MR_MTA_REJECT:
		return SMFIS_REJECT;
	case MR_MTA_TEMPFAIL:
		break;
	}
	return SMFIS_TEMPFAIL;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct mr_mta *mta = find(ctx);

	if (mta == NULL)
		return SMFIS_CONTINUE;
	smfi_setpriv(ctx, NULL);
	state.callbacks->close(mta->context);
	free(mta);
	return SMFIS_CONTINUE;
}

/* What main.cf says of macros is overruled: admins need no milter_*_macros. */
static void ask_macros(SMFICTX *ctx)
{
	static const struct {
		int stage;
		const char *names;
	} wanted[] = {
		{ SMFIM_CONNECT,
			"{client_ptr} {daemon_addr} {daemon_name} {daemon_port}" },
		{ SMFIM_HELO, "{tls_version}" },
		{ SMFIM_ENVFROM, "i {auth_authen} {mail_addr} {tls_version}" },
		{ SMFIM_ENVRCPT, "i {rcpt_addr}" },
		{ SMFIM_EOM, "i" },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		smfi_setsymlist(ctx, wanted[i].stage, (char *)wanted[i].names);
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions,
	unsigned long steps, unsigned long unused2, unsigned long unused3,
	unsigned long *actions_r, unsigned long *steps_r,
	unsigned long *unused2_r, unsigned long *unused3_r)
{
	struct mr_mta_needs needs = { 0 };
	struct mr_mta *mta = mr_calloc(1, sizeof(*mta));

	(void)unused2;
	(void)unused3;
	on_close(ctx);
	mta->context = state.callbacks->open(state.program, &needs);
	mta->blanks = (steps & SMFIP_HDR_LEADSPC) != 0;
	mta->early = needs.early;
	smfi_setpriv(ctx, mta);

	*actions_r = SMFIF_SETSYMLIST & actions;
	if (needs.change_headers)
		*actions_r |= (SMFIF_ADDHDRS | SMFIF_CHGHDRS) & actions;
	if (needs.change_recipients)
		*actions_r |= (SMFIF_ADDRCPT | SMFIF_DELRCPT) & actions;
	*steps_r = SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NOEOH |
	           SMFIP_HDR_LEADSPC | SMFIP_NR_HDR | SMFIP_NR_BODY;
	if (!needs.early)
		*steps_r |= SMFIP_NR_CONN | SMFIP_NR_HELO;
	if (!needs.headers)
		*steps_r |= SMFIP_NOHDRS;
	if (!needs.body)
		*steps_r |= SMFIP_NOBODY;
	*steps_r &= steps;
	*unused2_r = *unused3_r = 0;
	if (actions & SMFIF_SETSYMLIST)
		ask_macros(ctx);
	return SMFIS_CONTINUE;
}

static sfsistat say_early(const struct mr_mta *mta)
{
	return mta != NULL && mta->early ? SMFIS_CONTINUE : SMFIS_NOREPLY;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, struct sockaddr *address)
{
	struct mr_mta *mta = find(ctx);

	if (mta != NULL)
		state.callbacks->connect(mta->context, mta, name, address);
	return say_early(mta);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	struct mr_mta *mta = find(ctx);

	if (mta != NULL)
		state.callbacks->helo(mta->context, mta, name);
	return say_early(mta);
}

static sfsistat on_envelope(SMFICTX *ctx, char **arguments,
	enum mr_mta_answer (*callback)(void *context, struct mr_mta *mta,
		const char *const *arguments))
{
	struct mr_mta *mta = find(ctx);
	enum mr_mta_answer answer;
	unsigned began;

	if (mta == NULL)
		return SMFIS_TEMPFAIL;
	began = mr_workers_begin(state.workers);
	answer = callback(mta->context, mta, (const char *const *)arguments);
	mr_workers_end(state.workers, began);
	return say(answer);
}

static sfsistat on_mail(SMFICTX *ctx, char **arguments)
{
	return on_envelope(ctx, arguments, state.callbacks->mail);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **arguments)
{
	return on_envelope(ctx, arguments, state.callbacks->rcpt);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct mr_mta *mta = find(ctx);

	if (mta != NULL)
		state.callbacks->header(mta->context, name, value);
	return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *piece, size_t octets)
{
	struct mr_mta *mta = find(ctx);

	(void)piece;
	if (mta != NULL)
		state.callbacks->body(mta->context, octets);
	return SMFIS_NOREPLY;
}

static sfsistat on_end(SMFICTX *ctx)
{
	struct mr_mta *mta = find(ctx);
	enum mr_mta_answer answer;
	unsigned began;

	if (mta == NULL)
		return SMFIS_TEMPFAIL;
	began = mr_workers_begin(state.workers);
	answer = state.callbacks->end(mta->context, mta);
	mr_workers_end(state.workers, began);
	return say(answer);
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct mr_mta *mta = find(ctx);

	if (mta != NULL)
		state.callbacks->abort(mta->context);
	return SMFIS_CONTINUE;
}

/* --- the process */

/* Which descriptors listen?  At most DESCRIPTORS are looked at: it is called at
 * the start. */
static void list_listeners(bool listening[DESCRIPTORS])
{
	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		int is = 0;
		socklen_t size = sizeof(is);

		listening[fd] = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is,
					&size) == 0 &&
		                is;
	}
}

static int start_filter(char *where, struct mr_error *error)
{
	const struct smfiDesc filter = {
		.xxfi_name = (char *)"mailreeve-milter",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_ADDRCPT |
		              SMFIF_DELRCPT | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_header = on_header,
		.xxfi_body = on_body,
		.xxfi_eom = on_end,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_negotiate = on_negotiate,
	};

	if (smfi_register(filter) != MI_SUCCESS ||
		smfi_settimeout(IDLE_SECONDS) != MI_SUCCESS ||
		smfi_setconn(where) != MI_SUCCESS)
		return mr_error_set(error, "libmilter refuses to start");
	if (smfi_opensocket(false) != MI_SUCCESS)
		return mr_error_set(error,
			"libmilter cannot listen on %s, see the log", where);
	return 0;
}

/*
 * libmilter only listens on what it opened itself.  So it opens a throw-away
 * socket of the same family (it drops clients of another), and ours takes over
 * its descriptor.
 */
static int take_over(int fd, const char *path, struct mr_error *error)
{
	char where[PATH_MAX];
	bool before[DESCRIPTORS], after[DESCRIPTORS];
	int family = 0, opened = 0;
	socklen_t size = sizeof(family);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
	if (family == AF_UNIX)
		snprintf(where, sizeof(where), "unix:%s", path);
	else if (family == AF_INET)
		snprintf(where, sizeof(where), "inet:0@127.0.0.1");
	else
		snprintf(where, sizeof(where), "inet6:0@[::1]");
	list_listeners(before);
	if (start_filter(where, error) < 0)
		return -1;
	unlink(path);
	list_listeners(after);
	while (opened < DESCRIPTORS && (before[opened] || !after[opened]))
		opened++;
	if (opened == DESCRIPTORS || dup3(fd, opened, O_CLOEXEC) < 0)
		return mr_error_set(
			error, "cannot hand the socket over to libmilter");
	close(fd);
	state.fd = opened;
	return 0;
}

int mr_mta_open(int fd, const struct mr_mta_callbacks *callbacks, void *program,
	struct mr_error *error)
{
	const char *temporary = getenv("TMPDIR");
	char directory[64], path[80];
	int result = -1;

	state.callbacks = callbacks;
	state.program = program;
	if (mr_workers_new(fd, &state.workers, error) < 0)
		return -1;
	if (temporary == NULL || strlen(temporary) > 32)
		temporary = "/tmp";
	snprintf(directory, sizeof(directory), "%s/mailreeve-milter.XXXXXX",
		temporary);
	if (mkdtemp(directory) == NULL)
		return mr_error_set(
			error, "%s: %s", directory, strerror(errno));
	snprintf(path, sizeof(path), "%s/s", directory);
	state.idle = mr_listen_idle(path, error);
	if (state.idle >= 0)
		result = take_over(fd, path, error);
	rmdir(directory);
	return result;
}

void mr_mta_run(void)
{
	struct mr_error error;

	if (mr_workers_watch(state.workers, &error) < 0)
		mr_log(MR_LOG_ERROR, "%s", error.text);
	else
		smfi_main();
}

int mr_mta_quiesce(struct mr_error *error)
{
	int fd = fcntl(state.fd, F_DUPFD_CLOEXEC, 3);

	mr_workers_quiesce(state.workers);
	if (fd < 0 || dup3(state.idle, state.fd, O_CLOEXEC) < 0)
		return mr_error_set(error, "dup: %s", strerror(errno));
	return fd;
}

const char *mr_mta_macro(struct mr_mta *mta, const char *name)
{
	return smfi_getsymval(mta->ctx, (char *)name);
}

/* smfi_setreply(3): a percent sign must be doubled. */
int mr_mta_reply(
	struct mr_mta *mta, int code, const char *enhanced, const char *text)
{
	char digits[16], *doubled = mr_calloc(2, strlen(text) + 1),
			 *to = doubled;
	int result;

	for (const char *from = text; *from != '\0'; from++) {
		*to++ = *from;
		if (*from == '%')
			*to++ = '%';
	}
	snprintf(digits, sizeof(digits), "%d", code);
	result = smfi_setreply(mta->ctx, digits, (char *)enhanced, doubled);
	free(doubled);
	return result == MI_SUCCESS ? 0 : -1;
}

static char *with_blank(const struct mr_mta *mta, const char *value)
{
	char *spaced = mr_calloc(1, strlen(value) + 2);

	sprintf(spaced, "%s%s", mta->blanks ? " " : "", value);
	return spaced;
}

int mr_mta_add_header(struct mr_mta *mta, const char *name, const char *value)
{
	char *spaced = with_blank(mta, value);
	int result = smfi_addheader(mta->ctx, (char *)name, spaced);

	free(spaced);
	return result == MI_SUCCESS ? 0 : -1;
}

/* Postfix's own Received header is not counted. */
int mr_mta_insert_header(
	struct mr_mta *mta, const char *name, const char *value)
{
	char *spaced = with_blank(mta, value);
	int result = smfi_insheader(mta->ctx, 0, (char *)name, spaced);

	free(spaced);
	return result == MI_SUCCESS ? 0 : -1;
}

int mr_mta_change_header(
	struct mr_mta *mta, const char *name, int index, const char *value)
{
	char *spaced = with_blank(mta, value);
	int result = smfi_chgheader(mta->ctx, (char *)name, index, spaced);

	free(spaced);
	return result == MI_SUCCESS ? 0 : -1;
}

int mr_mta_delete_header(struct mr_mta *mta, const char *name, int index)
{
	return smfi_chgheader(mta->ctx, (char *)name, index, NULL) == MI_SUCCESS
	               ? 0
	               : -1;
}

int mr_mta_add_recipient(struct mr_mta *mta, const char *address)
{
	return smfi_addrcpt(mta->ctx, (char *)address) == MI_SUCCESS ? 0 : -1;
}

int mr_mta_drop_recipient(struct mr_mta *mta, const char *address)
{
	return smfi_delrcpt(mta->ctx, (char *)address) == MI_SUCCESS ? 0 : -1;
}
