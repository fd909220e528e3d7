/* fuzz_control - what clients may do to the control socket, a real one
 *
 * Each octet pair is a deed: whose (of CLIENTS) and what, then how much; octets
 * that are sent follow.  Whatever was done, a client that comes afterwards gets
 * its answer, and no descriptor is left behind.
 */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/control.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More than there are slots, so that some wait. */
enum { CLIENTS = MR_CONTROL_CLIENTS + 4, DEEDS = 6 };

struct world {
	struct mr_control *control;
	struct sockaddr_un address;
	int clients[CLIENTS]; /* -1: not connected */
	int connected;        /* so far; they wait in turn, gone or not */
	int64_t now_ms;
};

/* Some answers are larger than a socket's buffer. */
static void answer(void *context, const char *request, uid_t peer, FILE *out)
{
	size_t length = strlen(request);

	(void)context;
	assert(peer == getuid());
	assert(length <= MR_CONTROL_LONGEST && strchr(request, '\n') == NULL);
	fputs("ok\n", out);
	for (size_t i = 0; i < (length > 32 ? 20000 : 1); i++)
		fprintf(out, "request=%.40s\n", request);
}

static void serve(struct world *w)
{
	struct pollfd polls[MR_CONTROL_POLLS];
	int wait_ms = -1;
	size_t n = mr_control_watch(w->control, polls, w->now_ms, &wait_ms);

	assert(n <= MR_CONTROL_POLLS);
	(void)poll(polls, n, 0);
	mr_control_serve(w->control, polls, w->now_ms);
}

static int connect_client(struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert(fd >= 0);
	w->connected++;
	if (connect(fd, (const struct sockaddr *)&w->address,
		    sizeof(w->address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void leave(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Returns how many of the octets that follow were the deed's. */
static size_t act(struct world *w, unsigned whose, unsigned what, size_t amount,
	const uint8_t *data, size_t size)
{
	int *client = &w->clients[whose % CLIENTS];
	char taken[4096];

	if (amount > size)
		amount = size;
	switch (what % DEEDS) {
	case 0:
		if (*client < 0)
			*client = connect_client(w);
		break;
	case 1:
		if (*client >= 0)
			(void)send(*client, data, amount, MSG_NOSIGNAL);
		return amount;
	case 2:
		if (*client >= 0)
			(void)recv(*client, taken, sizeof(taken), 0);
		break;
	case 3:
		if (*client >= 0)
			(void)shutdown(*client, SHUT_WR);
		break;
	case 4:
		leave(client);
		break;
	case 5:
		w->now_ms += (int64_t)amount * 50;
		break;
	}
	return 0;
}

/* One is let in at a time, those first that came before it. */
static void expect_answer(struct world *w)
{
	static const char wanted[] = "ok\nrequest=status\n";
	char got[sizeof(wanted)];
	int fd = connect_client(w);

	assert(fd >= 0);
	assert(send(fd, "status\n", 7, MSG_NOSIGNAL) == 7);
	for (int i = 0; i < w->connected + 2; i++)
		serve(w);
	assert(recv(fd, got, sizeof(got), 0) == sizeof(wanted) - 1);
	assert(memcmp(got, wanted, sizeof(wanted) - 1) == 0);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char folder[] = "/tmp/fuzz_control.XXXXXX";
	struct world w = { .address.sun_family = AF_UNIX };
	struct mr_error error;

	assert(mkdtemp(folder) != NULL);
	snprintf(w.address.sun_path, sizeof(w.address.sun_path), "%s/control",
		folder);
	assert(mr_control_open(w.address.sun_path, answer, NULL, &w.control,
		       &error) == 0);
	for (int i = 0; i < CLIENTS; i++)
		w.clients[i] = -1;
	while (size >= 2) {
		uint8_t deed = data[0], amount = data[1];
		size_t used =
			act(&w, deed / DEEDS, deed, amount, data + 2, size - 2);

		data += 2 + used;
		size -= 2 + used;
		serve(&w);
	}
	for (int i = 0; i < CLIENTS; i++)
		leave(&w.clients[i]);
	/* those that are gone are noticed, or their time is over */
	w.now_ms += MR_CONTROL_ASK_MS + MR_CONTROL_TAKE_MS;
	serve(&w);
	expect_answer(&w);
	mr_control_close(&w.control);
	assert(access(w.address.sun_path, F_OK) != 0);
	(void)unlink(strcat(w.address.sun_path, ".lock"));
	assert(rmdir(folder) == 0);
	return 0;
}
