/* spf_liar - a zygote whose workers lie, hang and die; for test_spf_box.  What
 * it does is in its own name, behind the last dash. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/spf_wire.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

static void send_result(int fd, uint32_t result)
{
	struct mr_spf_wire_result message = { MR_SPF_WIRE_RESULT, result, "",
		"" };

	memset(message.explanation, 'e', sizeof(message.explanation));
	memset(message.why, 'w', sizeof(message.why));
	send(fd, &message, sizeof(message), 0);
}

static void ask(int fd, uint32_t type, const char *name, size_t length)
{
	struct mr_spf_wire_question question = { MR_SPF_WIRE_QUESTION, type,
		"" };

	memcpy(question.name, name, length);
	send(fd, &question, sizeof(question), 0);
}

static void work(int fd, const char *how)
{
	static char large[MR_SPF_WIRE_LARGEST];

	memset(large, 'x', sizeof(large));
	recv(fd, large, sizeof(large), 0);
	if (strcmp(how, "hang") == 0)
		for (;;)
			;
	if (strcmp(how, "sleep") == 0)
		sleep(3600);
	if (strcmp(how, "large") == 0)
		send(fd, large, sizeof(large), 0);
	if (strcmp(how, "small") == 0)
		send(fd, large, 1, 0);
	if (strcmp(how, "number") == 0)
		send_result(fd, 7);
	if (strcmp(how, "texts") == 0)
		send_result(fd, 3);
	if (strcmp(how, "type") == 0)
		ask(fd, 252, "example.", 9);
	if (strcmp(how, "name") == 0)
		ask(fd, 16, large + 40000, MR_SPF_WIRE_NAME);
	while (strcmp(how, "questions") == 0) {
		ask(fd, 16, "example.", 9);
		recv(fd, large, sizeof(large), 0);
	}
	_exit(EXIT_SUCCESS);
}

/* The worker's socket and pidfd, or something else. */
static void hand_over(const int *fds, size_t count)
{
	char octet = 1;
	struct iovec iov = { &octet, 1 };
	char room[CMSG_SPACE(2 * sizeof(int))] = "";
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	if (count == 0)
		message.msg_controllen = 0;
	sendmsg(STDIN_FILENO, &message, MSG_NOSIGNAL);
}

int main(int argc, char **argv)
{
	const char *how = strrchr(argv[argc - 1], '-') + 1;
	int pair[2], fds[2];
	char octet;
	pid_t pid;

	while (recv(STDIN_FILENO, &octet, 1, 0) == 1) {
		if (strcmp(how, "zygote") == 0)
			return EXIT_FAILURE;
		if (strcmp(how, "nothing") == 0) {
			hand_over(NULL, 0);
			continue;
		}
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
			return EXIT_FAILURE;
		pid = fork();
		if (pid == 0) {
			close(pair[0]);
			work(pair[1], how);
		}
		close(pair[1]);
		fds[0] = pair[0];
		fds[1] = pidfd_open(pid, 0);
		hand_over(fds, strcmp(how, "one") == 0 ? 1 : 2);
		close(fds[0]);
		close(fds[1]);
	}
	return EXIT_SUCCESS;
}
