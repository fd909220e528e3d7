/* policy-load - asks a policy server as many smtpd(8) would, and tells how fast
 * it answers.
 *
 * usage: policy-load PATH CONNECTIONS SECONDS [RATE]
 *
 * Each mail is two requests, RCPT and END-OF-MESSAGE.  Without RATE each
 * connection is a thread that sleeps until it has its answer, as smtpd(8) does,
 * and asks again at once: whoever answers has to wake it.  With RATE, so many
 * requests a second are due, all connections in turn, and an answer's time
 * counts from when its request was due, even if that could not be sent yet.
 *
 * Prints requests=N seconds=S p50_us=N p99_us=N most_us=N refused=N. */
/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, LONGEST = 4096, TIMES = 1 << 22 };

struct connection {
	int fd;
	unsigned mails;
	bool at_end;   /* the next request is the mail's end */
	int64_t due;   /* ns; of the request under way, 0: none */
	unsigned owed; /* requests that are due and wait for that one */
	int64_t owed_since;
	char answer[LONGEST];
	size_t length;
};

static struct {
	struct connection *connections;
	size_t n, next;
	int epoll;
	int64_t pause, next_due; /* ns; 0: no rate */
	int64_t until;
	uint32_t *times; /* us */
	atomic_size_t n_times;
	atomic_ulong refused;
} load;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void call(struct connection *c, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (c->fd < 0 ||
		connect(c->fd, (struct sockaddr *)&address, sizeof(address)) <
			0 ||
		(load.pause > 0 && epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd,
					   &event) < 0))
		die(path);
}

/* All that Postfix 3.7 says. */
static void ask(struct connection *c, int64_t due)
{
	char text[LONGEST];
	int length = snprintf(text, sizeof(text),
		"request=smtpd_access_policy\nprotocol_state=%s\n"
		"protocol_name=ESMTP\nclient_address=192.0.2.1\n"
		"client_name=host-192-0-2-1.hosts.example\n"
		"client_port=25001\n"
		"reverse_client_name=host-192-0-2-1.hosts.example\n"
		"server_address=192.0.2.1\nserver_port=25\n"
		"helo_name=host-192-0-2-1.hosts.example\n"
		"sender=a@bench.senders.example\nrecipient=ann@alpha.example\n"
		"recipient_count=%d\nqueue_id=\ninstance=%x.%x.%x.0\n"
		"size=1024\netrn_domain=\nstress=\nsasl_method=\n"
		"sasl_username=\nsasl_sender=\nccert_subject=\n"
		"ccert_issuer=\nccert_fingerprint=\n"
		"ccert_pubkey_fingerprint=\nencryption_protocol=\n"
		"encryption_cipher=\nencryption_keysize=0\n"
		"policy_context=\n\n",
		c->at_end ? "END-OF-MESSAGE" : "RCPT", c->at_end,
		(unsigned)getpid(), (unsigned)(c - load.connections), c->mails);

	if (send(c->fd, text, (size_t)length, MSG_NOSIGNAL) != length)
		die("send");
	c->due = due;
}

static void note(struct connection *c, int64_t now)
{
	size_t n = atomic_fetch_add(&load.n_times, 1);

	if (n < TIMES)
		load.times[n] = (uint32_t)((now - c->due) / 1000);
	if (strncmp(c->answer, "action=4", 8) == 0 ||
		strncmp(c->answer, "action=5", 8) == 0)
		load.refused++;
	if (c->at_end)
		c->mails++;
	c->at_end = !c->at_end;
	c->due = 0;
	c->length = 0;
}

/* Is the answer whole?  Waits for octets. */
static bool hear(struct connection *c)
{
	ssize_t got = recv(c->fd, c->answer + c->length,
		sizeof(c->answer) - 1 - c->length, 0);

	if (got <= 0)
		die("the server ended a connection");
	c->length += (size_t)got;
	c->answer[c->length] = '\0';
	if (strstr(c->answer, "\n\n") == NULL)
		return false;
	note(c, now_ns());
	return true;
}

/* --- without pause */

/* Who waits in recv(2) is also woken when its request is read; who waits in
 * poll(2), as Postfix does, is not. */
static void wait_for(const struct connection *c)
{
	struct pollfd poll_for = { .fd = c->fd, .events = POLLIN };

	if (poll(&poll_for, 1, -1) < 0)
		die("poll");
}

static void *hurry(void *connection)
{
	struct connection *c = connection;
	int64_t now;

	while ((now = now_ns()) < load.until) {
		ask(c, now);
		do
			wait_for(c);
		while (!hear(c));
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t *threads = calloc(load.n, sizeof(*threads));

	if (threads == NULL)
		die("memory");
	for (size_t i = 0; i < load.n; i++)
		if (pthread_create(&threads[i], NULL, hurry,
			    &load.connections[i]) != 0)
			die("thread");
	for (size_t i = 0; i < load.n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

/* --- at a rate */

static void ask_what_is_due(int64_t now)
{
	while (load.next_due <= now) {
		struct connection *c = &load.connections[load.next++ % load.n];

		if (c->due == 0)
			ask(c, load.next_due);
		else if (c->owed++ == 0)
			c->owed_since = load.next_due;
		load.next_due += load.pause;
	}
}

static void run_at_rate(void)
{
	struct epoll_event events[EVENTS];

	while (now_ns() < load.until) {
		int n;

		ask_what_is_due(now_ns());
		n = epoll_wait(load.epoll, events, EVENTS,
			load.next_due - now_ns() > 1000000);
		if (n < 0 && errno != EINTR)
			die("epoll");
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (!hear(c) || c->owed == 0)
				continue;
			c->owed--;
			ask(c, c->owed_since);
			c->owed_since += load.pause * (int64_t)load.n;
		}
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print(double seconds)
{
	size_t n = load.n_times < TIMES ? load.n_times : TIMES;

	if (n == 0)
		die("no answer");
	qsort(load.times, n, sizeof(*load.times), compare);
	printf("requests=%zu seconds=%.3f p50_us=%u p99_us=%u most_us=%u "
	       "refused=%lu\n",
		load.n_times, seconds, load.times[n / 2],
		load.times[n * 99 / 100], load.times[n - 1],
		(unsigned long)load.refused);
}

int main(int argc, char **argv)
{
	int64_t begin;

	if (argc < 4 || argc > 5) {
		fputs("usage: policy-load PATH CONNECTIONS SECONDS [RATE]\n",
			stderr);
		return 2;
	}
	load.n = (size_t)atoi(argv[2]);
	load.connections = calloc(load.n, sizeof(*load.connections));
	load.times = calloc(TIMES, sizeof(*load.times));
	load.epoll = epoll_create1(0);
	if (load.connections == NULL || load.times == NULL || load.epoll < 0)
		die("memory");
	if (argc == 5)
		load.pause = (int64_t)(1e9 / atof(argv[4]));
	for (size_t i = 0; i < load.n; i++)
		call(&load.connections[i], argv[1]);
	begin = load.next_due = now_ns();
	load.until = begin + (int64_t)(atof(argv[3]) * 1e9);
	if (load.pause > 0)
		run_at_rate();
	else
		run_threads();
	print((double)(now_ns() - begin) / 1e9);
	return 0;
}
