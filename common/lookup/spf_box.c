/* spf_box - see spf_box.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/spf_box.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/ip.h"
#include "common/base/process.h"
#include "common/lookup/dns.h"
#include "common/lookup/idn.h"
#include "common/lookup/spf_wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The zygote answers at once, or is ill. */
enum { ZYGOTE_MS = 2000 };

/* The type that RFC 7208 section 3.1 took away; libspf2 may still ask. */
enum { TYPE_SPF = 99 };

struct mr_spf_box {
	const char *program;
	pthread_mutex_t lock; /* of the zygote */
	pid_t zygote;
	int control; /* -1: it does not run */
};

struct worker {
	int fd, pidfd;
};

/* --- the zygote --------------------------------------------------------- */

struct mr_spf_box *mr_spf_box_new(const char *program)
{
	struct mr_spf_box *box = mr_calloc(1, sizeof(*box));

	box->program = program != NULL ? program : MAILREEVE_SPF_WORKER;
	box->control = -1;
	pthread_mutex_init(&box->lock, NULL);
	return box;
}

static void stop(struct mr_spf_box *box)
{
	if (box->control < 0)
		return;
	close(box->control);
	box->control = -1;
	/* a zygote that hangs must not make us hang */
	kill(box->zygote, SIGKILL);
	while (waitpid(box->zygote, NULL, 0) < 0 && errno == EINTR)
		;
}

void mr_spf_box_free(struct mr_spf_box **box)
{
	if (*box == NULL)
		return;
	stop(*box);
	pthread_mutex_destroy(&(*box)->lock);
	free(*box);
	*box = NULL;
}

/* Its standard input is its socket; it may write to the log. */
static int spawn(struct mr_spf_box *box, int fd)
{
	char *const argv[] = { (char *)box->program, NULL };
	char *const environment[] = { NULL };

	return mr_process_start(&box->zygote, box->program, argv, environment,
		(const int[]){ fd, -1, STDERR_FILENO });
}

static int start(struct mr_spf_box *box, struct mr_error *error)
{
	int pair[2], wrong;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return mr_error_set(error, "socketpair: %s", strerror(errno));
	wrong = spawn(box, pair[1]);
	close(pair[1]);
	if (wrong != 0) {
		close(pair[0]);
		return mr_error_set(error, "cannot run %s: %s", box->program,
			strerror(wrong));
	}
	box->control = pair[0];
	return 0;
}

/* --- workers ------------------------------------------------------------ */

static bool is_ready(int fd, int64_t deadline_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int ready;

	do
		ready = poll(&poll_fd, 1, mr_clock_left(deadline_ms));
	while (ready < 0 && errno == EINTR);
	return ready > 0;
}

/* The two descriptors; what else comes is closed. */
static int take_descriptors(struct msghdr *message, struct worker *worker)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	int fds[2] = { -1, -1 };
	size_t count;

	if (head == NULL || head->cmsg_level != SOL_SOCKET ||
		head->cmsg_type != SCM_RIGHTS)
		return -1;
	count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (count > 2)
		count = 2; /* there was no room for more */
	memcpy(fds, CMSG_DATA(head), count * sizeof(int));
	*worker = (struct worker){ fds[0], fds[1] };
	if (count == 2)
		return 0;
	if (count == 1)
		close(fds[0]);
	return -1;
}

static int receive_worker(int control, struct worker *worker)
{
	char octet;
	struct iovec iov = { &octet, 1 };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} ancillary;
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ancillary.room,
		.msg_controllen = sizeof(ancillary.room),
	};

	if (!is_ready(control, mr_clock_ms() + ZYGOTE_MS) ||
		recvmsg(control, &message, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	return take_descriptors(&message, worker);
}

/* A zygote that has died since the last check is started again, once. */
static int get_worker(
	struct mr_spf_box *box, struct worker *worker, struct mr_error *error)
{
	int result = -1;

	pthread_mutex_lock(&box->lock);
	for (int tries = 0; result < 0 && tries < 2; tries++) {
		if (box->control < 0 && start(box, error) < 0)
			break;
		if (send(box->control, "", 1, MSG_NOSIGNAL) == 1 &&
			receive_worker(box->control, worker) == 0) {
			result = 0;
			break;
		}
		mr_error_set(error, "%s does not start workers", box->program);
		stop(box);
	}
	pthread_mutex_unlock(&box->lock);
	return result;
}

static void end_worker(struct worker *worker)
{
	pidfd_send_signal(worker->pidfd, SIGKILL, NULL, 0);
	close(worker->pidfd);
	close(worker->fd);
}

/* --- what the worker asks ----------------------------------------------- */

/* One check under way. */
struct check {
	struct worker worker;
	struct mr_dns *dns;
	const struct mr_spf_query *query;
	struct mr_arena *arena;
	struct mr_spf_answer *answer;
	unsigned spf_questions; /* of the type SPF, which are not asked */
	struct mr_spf_wire_answer
		*reply; /* room for one; made when first needed */
};

static int give_up(struct check *check, enum mr_spf result, const char *why)
{
	check->answer->result = result;
	check->answer->why = why;
	return -1;
}

static bool is_type(uint32_t type)
{
	return type == MR_DNS_A || type == MR_DNS_AAAA || type == MR_DNS_MX ||
	       type == MR_DNS_PTR || type == MR_DNS_TXT;
}

/* The record's octets; a NUL would hide what is behind it from libspf2, so it
 * becomes what no record may hold. */
static const void *octets_of(struct mr_arena *arena,
	const struct mr_dns_record *record, size_t *length)
{
	char *copy;

	switch (record->type) {
	case MR_DNS_A:
		*length = 4;
		return record->ip.octets;
	case MR_DNS_AAAA:
		*length = 16;
		return record->ip.octets;
	case MR_DNS_TXT:
		*length = record->length;
		copy = mr_arena_strndup(arena, record->text, record->length);
		for (size_t i = 0; i < record->length; i++)
			if (copy[i] == '\0')
				copy[i] = '\001';
		return copy;
	default:
		*length = record->target == NULL ? 0 : strlen(record->target);
		return record->target == NULL ? "" : record->target;
	}
}

/* The length of the whole message; what has no room is left out, and the answer
 * is then none. */
static size_t fill_answer(struct check *check,
	const struct mr_dns_answer *found, struct mr_spf_wire_answer *answer)
{
	char *to = (char *)(answer + 1);
	char *end = (char *)answer + MR_SPF_WIRE_LARGEST;

	for (size_t i = 0; i < found->n; i++) {
		size_t length;
		const void *octets =
			octets_of(check->arena, &found->records[i], &length);
		uint16_t prefix = (uint16_t)length;

		if (length > UINT16_MAX ||
			(size_t)(end - to) < length + sizeof(prefix)) {
			answer->found = MR_TEMPFAIL;
			answer->count = 0;
			break;
		}
		memcpy(to, &prefix, sizeof(prefix));
		memcpy(to + sizeof(prefix), octets, length);
		to += sizeof(prefix) + length;
		answer->count++;
	}
	return (size_t)(to - (char *)answer);
}

static void look_up(struct check *check,
	const struct mr_spf_wire_question *question,
	struct mr_dns_answer *found, struct mr_spf_wire_answer *answer)
{
	struct mr_error ignored;

	if (question->type == TYPE_SPF) {
		answer->found = MR_NOTFOUND;
		answer->exists = true;
		return;
	}
	answer->found = mr_dns_ask(check->dns, question->name, question->type,
		check->query->deadline_ms, check->arena, found, &ignored);
	answer->exists = found->exists;
}

static int answer_question(
	struct check *check, const struct mr_spf_wire_question *question)
{
	struct mr_spf_wire_answer *answer;
	struct mr_dns_answer found = { .n = 0 };
	unsigned *asked;
	size_t length;

	if (memchr(question->name, '\0', sizeof(question->name)) == NULL ||
		(!is_type(question->type) && question->type != TYPE_SPF))
		return give_up(check, MR_SPF_TEMPERROR,
			"libspf2 asks what nobody would");
	asked = question->type == TYPE_SPF ? &check->spf_questions
	                                   : &check->answer->questions;
	if (++*asked > MR_SPF_QUESTIONS)
		return give_up(check, MR_SPF_PERMERROR,
			"libspf2 asks too many questions of the DNS");
	if (check->reply == NULL)
		check->reply =
			mr_arena_alloc(check->arena, MR_SPF_WIRE_LARGEST);
	answer = check->reply;
	*answer = (struct mr_spf_wire_answer){ .kind = MR_SPF_WIRE_ANSWER };
	look_up(check, question, &found, answer);
	length = fill_answer(check, &found, answer);
	/* one that asks and does not listen must not hold us */
	if (send(check->worker.fd, answer, length,
		    MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return give_up(check, MR_SPF_TEMPERROR,
			"libspf2 ended in the middle of the check");
	return 0;
}

/* --- the check ---------------------------------------------------------- */

static char *copy_text(struct mr_arena *arena, const char *text, size_t size)
{
	return mr_arena_strndup(arena, text, strnlen(text, size));
}

static int take_result(
	struct check *check, const struct mr_spf_wire_result *result)
{
	struct mr_spf_answer *answer = check->answer;
	char *explanation = copy_text(
		check->arena, result->explanation, sizeof(result->explanation));

	if (result->result > MR_SPF_PERMERROR)
		return give_up(check, MR_SPF_TEMPERROR,
			"libspf2 has a result that does not exist");
	answer->result = result->result;
	answer->why = mr_arena_printf(check->arena, "libspf2: %s",
		copy_text(check->arena, result->why, sizeof(result->why)));
	if (answer->result != MR_SPF_FAIL)
		return -1;
	answer->domain_explains = *explanation != '\0';
	answer->explanation = answer->domain_explains
	                              ? explanation
	                              : check->query->default_explanation;
	return -1;
}

/* The next message; -1: it was the last one. */
static int step(struct check *check)
{
	union {
		uint32_t kind;
		struct mr_spf_wire_question question;
		struct mr_spf_wire_result result;
	} message;
	ssize_t got;

	if (mr_clock_left(check->query->deadline_ms) <= 0 ||
		!is_ready(check->worker.fd, check->query->deadline_ms))
		return give_up(
			check, MR_SPF_TEMPERROR, "libspf2 did not end in time");
	got = recv(check->worker.fd, &message, sizeof(message), MSG_TRUNC);
	if (got <= 0)
		return give_up(check, MR_SPF_TEMPERROR,
			"libspf2 crashed, or did what it may not");
	if (got == sizeof(message.question) &&
		message.kind == MR_SPF_WIRE_QUESTION)
		return answer_question(check, &message.question);
	if (got == sizeof(message.result) && message.kind == MR_SPF_WIRE_RESULT)
		return take_result(check, &message.result);
	return give_up(
		check, MR_SPF_TEMPERROR, "libspf2 says what means nothing");
}

/* false: a name or an address that nobody has. */
static bool set_text(char *to, size_t size, const char *text)
{
	size_t length = text == NULL ? size : strlen(text);

	if (length >= size)
		return false;
	memcpy(to, text, length + 1);
	return true;
}

/* The sender with its domain in A-labels. */
static const char *ascii_sender(struct mr_arena *arena, const char *sender)
{
	const char *at = strrchr(sender, '@');
	const char *domain;

	if (*sender == '\0')
		return "";
	domain = mr_idn_ascii(arena, at == NULL ? sender : at + 1);
	if (domain == NULL || at == NULL)
		return domain;
	return mr_arena_printf(
		arena, "%.*s@%s", (int)(at - sender), sender, domain);
}

static bool begin(struct check *check, struct mr_spf_wire_check *message)
{
	const struct mr_spf_query *query = check->query;
	const char *helo = mr_idn_ascii(check->arena, query->helo);
	const char *sender = ascii_sender(check->arena, query->sender);
	const char *at = sender == NULL ? NULL : strrchr(sender, '@');

	check->answer->domain = at != NULL ? at + 1 : helo;
	message->kind = MR_SPF_WIRE_CHECK;
	return set_text(message->ip, sizeof(message->ip),
		       mr_ip_format(check->arena, query->ip)) &&
	       set_text(message->helo, sizeof(message->helo), helo) &&
	       set_text(message->sender, sizeof(message->sender), sender) &&
	       set_text(message->receiver, sizeof(message->receiver),
		       query->receiver == NULL ? "unknown" : query->receiver);
}

void mr_spf_box_check(struct mr_spf_box *box, struct mr_dns *dns,
	const struct mr_spf_query *query, struct mr_arena *arena,
	struct mr_spf_answer *answer)
{
	struct check check = {
		.dns = dns, .query = query, .arena = arena, .answer = answer
	};
	struct mr_spf_wire_check message = { 0 };
	struct mr_error error;

	*answer = (struct mr_spf_answer){ .domain = "", .why = "" };
	if (!begin(&check, &message)) {
		if (answer->domain == NULL)
			answer->domain = "";
		give_up(&check, MR_SPF_NONE, "that is no name of a domain");
		return;
	}
	if (get_worker(box, &check.worker, &error) < 0) {
		give_up(&check, MR_SPF_TEMPERROR,
			mr_arena_printf(arena, "%s", error.text));
		return;
	}
	if (send(check.worker.fd, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		give_up(&check, MR_SPF_TEMPERROR, "libspf2 did not begin");
	else
		while (step(&check) == 0)
			;
	end_worker(&check.worker);
}
