/* spf_worker - the program in which libspf2 runs: a zygote that forks a
 * confined worker for each check; see spf_box.h.
 *
 * With --self-test it shows that a worker which tries to do more is ended. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/spf_libspf2.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <seccomp.h>

enum {
	USAGE = 64,
	MEMORY = 64 * 1024 * 1024, /* of a worker, octets */
	CPU = 5,                   /* seconds, beside whoever waits less */
};

/* --- the worker --------------------------------------------------------- */

/* What libc needs to compute, and packets on one socket. */
static bool filter(int fd)
{
	static const int calls[] = {
		SCMP_SYS(brk),
		SCMP_SYS(munmap),
		SCMP_SYS(mremap),
		SCMP_SYS(madvise),
		SCMP_SYS(futex),
		SCMP_SYS(clock_gettime),
		SCMP_SYS(gettimeofday),
		SCMP_SYS(time),
		SCMP_SYS(getrandom),
		SCMP_SYS(exit_group),
	};
	const scmp_datum_t socket = (scmp_datum_t)fd;
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int wrong = f == NULL;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		wrong |= seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
	/* it is connected: no address may be given */
	wrong |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 2,
		SCMP_A0(SCMP_CMP_EQ, socket), SCMP_A4(SCMP_CMP_EQ, 0));
	wrong |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(recvfrom), 2,
		SCMP_A0(SCMP_CMP_EQ, socket), SCMP_A4(SCMP_CMP_EQ, 0));
	/* memory of no file, that is never code */
	wrong |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
		SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0),
		SCMP_A4(SCMP_CMP_EQ, 0xffffffff));
	if (wrong == 0)
		wrong = seccomp_load(f);
	seccomp_release(f);
	return wrong == 0;
}

static bool limit(int resource, rlim_t most)
{
	const struct rlimit to = { most, most };

	return setrlimit((__rlimit_resource_t)resource, &to) == 0;
}

static void confine(int fd)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_DUMPABLE, 0) < 0 || !limit(RLIMIT_CORE, 0) ||
		!limit(RLIMIT_AS, MEMORY) || !limit(RLIMIT_CPU, CPU) ||
		!limit(RLIMIT_FSIZE, 0) || !limit(RLIMIT_NOFILE, 0) ||
		!filter(fd))
		_exit(EXIT_FAILURE);
}

static size_t ask(int fd, const struct mr_spf_wire_question *question,
	struct mr_spf_wire_answer *answer)
{
	ssize_t got;

	if (send(fd, question, sizeof(*question), 0) < 0)
		return 0;
	got = recv(fd, answer, MR_SPF_WIRE_LARGEST, 0);
	return got < 0 || answer->kind != MR_SPF_WIRE_ANSWER ? 0 : (size_t)got;
}

static void work(struct mr_spf2 *spf2, int fd)
{
	struct mr_spf_wire_result result = { .kind = MR_SPF_WIRE_RESULT };
	struct mr_spf_wire_check check;

	confine(fd);
	if (recv(fd, &check, sizeof(check), 0) != sizeof(check) ||
		check.kind != MR_SPF_WIRE_CHECK)
		_exit(EXIT_FAILURE);
	mr_spf2_check(spf2, fd, &check, &result);
	send(fd, &result, sizeof(result), 0);
	_exit(EXIT_SUCCESS);
}

/* --- the zygote --------------------------------------------------------- */

/* One octet with the worker's socket and pidfd; -1: nobody takes them. */
static int hand_over(int control, int fd, int pidfd)
{
	char octet = 1;
	struct iovec iov = { &octet, 1 };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} ancillary = { .room = "" };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ancillary.room,
		.msg_controllen = sizeof(ancillary.room),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	const int fds[2] = { fd, pidfd };

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(head), fds, sizeof(fds));
	return sendmsg(control, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* A worker waits for its check, so that it has not ended before its pidfd is
 * opened. */
static int start(struct mr_spf2 *spf2, int control)
{
	int pair[2], pidfd = -1, result = -1;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(control);
		close(pair[0]);
		work(spf2, pair[1]);
	}
	close(pair[1]);
	if (pid > 0)
		pidfd = pidfd_open(pid, 0);
	if (pidfd >= 0)
		result = hand_over(control, pair[0], pidfd);
	else if (pid > 0)
		kill(pid, SIGKILL);
	close(pair[0]);
	if (pidfd >= 0)
		close(pidfd);
	return result;
}

static int serve(struct mr_spf2 *spf2, int control)
{
	char octet;

	signal(SIGCHLD, SIG_IGN); /* nobody waits for a worker's end */
	while (recv(control, &octet, 1, 0) == 1)
		if (start(spf2, control) < 0)
			return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

/* --- the self-test ------------------------------------------------------ */

static void try_open(void)
{
	(void)open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static void try_socket(void)
{
	(void)socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void try_execve(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

static void try_kill(void)
{
	kill(getppid(), 0);
}

static void try_fork(void)
{
	_exit(fork() < 0);
}

/* Was a worker that does it ended by the kernel? */
static bool is_ended(const char *name, void (*attempt)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		confine(STDIN_FILENO);
		attempt();
		_exit(EXIT_SUCCESS);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror("spf_worker: fork");
		return false;
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
		printf("ok    %s ends the worker\n", name);
		return true;
	}
	printf("FAIL  %s: the worker's status is 0x%x\n", name,
		(unsigned)status);
	return false;
}

static int self_test(void)
{
	static const struct {
		const char *name;
		void (*attempt)(void);
	} tries[] = {
		{ "open", try_open },
		{ "socket", try_socket },
		{ "execve", try_execve },
		{ "kill", try_kill },
		{ "fork", try_fork },
	};
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		failed += !is_ended(tries[i].name, tries[i].attempt);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	int type;
	socklen_t size = sizeof(type);
	struct mr_spf2 *spf2;

	if (argc == 2 && strcmp(argv[1], "--self-test") == 0)
		return self_test();
	if (argc != 1 || getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type,
				 &size) < 0) {
		fputs("usage: spf_worker --self-test\n"
		      "Without it, it is for Mailreeve only: a socket is its "
		      "standard input.\n",
			stderr);
		return USAGE;
	}
	spf2 = mr_spf2_new(ask);
	return spf2 == NULL ? EXIT_FAILURE : serve(spf2, STDIN_FILENO);
}
