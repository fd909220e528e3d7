/* main - mailreeve-milter: the policy at SMTP time, for Postfix. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/control.h"
#include "common/base/log.h"
#include "common/policy/engine.h"
#include "milter/notify.h"
#include "milter/start.h"
#include "milter/status.h"
#include "milter/supervisor.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

#define PROGRAM "mailreeve-milter"
#define DEFAULT_POLICY MAILREEVE_SYSCONFDIR "/mailreeve/mailreeve.conf"

static const char usage[] =
	"usage: " PROGRAM " [-dv] [-c FILE] [--stderr]\n"
	"  -c, --config FILE  the policy (" DEFAULT_POLICY ")\n"
	"  -d, --daemon       run in the background; returns when ready\n"
	"  -v, --verbose      log more\n"
	"      --stderr       log to standard error, not to syslog\n"
	"      --help         this text\n"
	"      --version      the version\n"
	"SIGUSR1 reads the policy again, SIGTERM ends after the mails under "
	"way.\n";

struct options {
	char path[PATH_MAX]; /* absolute: a daemon's directory is / */
	bool daemon, verbose, to_stderr;
};

static _Noreturn void fail(int status, const char *message)
{
	fprintf(stderr, PROGRAM ": %s\n", message);
	exit(status);
}

static void set_path(struct options *options, const char *path)
{
	char here[PATH_MAX] = "";
	int length;

	if (*path != '/' && getcwd(here, sizeof(here)) == NULL)
		fail(EXIT_USAGE, "cannot tell the current directory: give -c a "
				 "path from /");
	length = snprintf(options->path, sizeof(options->path), "%s%s%s", here,
		*here == '\0' ? "" : "/", path);
	if (length < 0 || (size_t)length >= sizeof(options->path))
		fail(EXIT_USAGE, "the path of the policy is too long");
}

static void read_options(int argc, char **argv, struct options *options)
{
	enum { STDERR = 256, HELP, VERSION };
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "daemon", no_argument, NULL, 'd' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "stderr", no_argument, NULL, STDERR },
		{ "help", no_argument, NULL, HELP },
		{ "version", no_argument, NULL, VERSION },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = DEFAULT_POLICY;
	int option;

	while ((option = getopt_long(argc, argv, "c:dv", known, NULL)) != -1) {
		if (option == 'c') {
			path = optarg;
		} else if (option == 'd') {
			options->daemon = true;
		} else if (option == 'v') {
			options->verbose = true;
		} else if (option == STDERR) {
			options->to_stderr = true;
		} else if (option == HELP || option == VERSION) {
			fputs(option == HELP ? usage
					     : PROGRAM " " MAILREEVE_VERSION
						       "\n",
				stdout);
			exit(0);
		} else {
			fputs(usage, stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		exit(EXIT_USAGE);
	}
	set_path(options, path);
}

static struct mr_policy *load(const char *path, bool tell_warnings)
{
	struct mr_arena *arena = mr_arena_new(4096);
	struct mr_problems problems;
	struct mr_policy *policy = NULL;

	mr_problems_init(&problems, arena);
	if (mr_policy_load(path, &policy, &problems) < 0)
		policy = NULL;
	if (policy == NULL || tell_warnings)
		mr_problems_print(&problems, stderr);
	mr_arena_free(&arena);
	if (policy == NULL)
		exit(EXIT_USAGE);
	return policy;
}

/* Root only learns whom to become; the policy in force is read as that user,
 * so that what works at the start works at a reload. */
static struct mr_policy *load_unprivileged(const char *path)
{
	struct mr_policy *policy = load(path, geteuid() != 0);
	struct mr_error error;

	if (geteuid() != 0)
		return policy;
	if (mr_start_become(policy->milter->user, &error) < 0)
		fail(1, error.text);
	mr_policy_release(&policy);
	return load(path, true);
}

static void open_all(struct mr_supervisor *s, struct mr_policy *policy)
{
	const struct mr_milter *settings = policy->milter;
	struct mr_error error;

	s->started = s->loaded = time(NULL);
	s->engine = mr_engine_new(mr_policy_hold(policy));
	s->events.engine = s->engine;
	if (mr_control_open(settings->control, mr_status_answer, s, &s->control,
		    &error) < 0)
		fail(1, error.text);
	if (mr_listen_open(settings->socket, &s->listen, &error) < 0)
		goto failed;
	if (mr_supervisor_open(s, &error) < 0 ||
		mr_mta_open(s->listen.fd, &mr_events_callbacks, &s->events,
			&error) < 0 ||
		mr_supervisor_start(s, &error) < 0)
		goto failed;
	return;
failed:
	mr_socket_remove(&s->listen.file);
	mr_control_close(&s->control);
	fail(1, error.text);
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct mr_supervisor supervisor = { 0 };
	struct mr_policy *policy;
	struct mr_error error;
	int parent = -1;

	mr_start_fill_standard();
	read_options(argc, argv, &options);
	if (options.daemon && (parent = mr_start_detach(&error)) < 0)
		fail(1, error.text);
	umask(0027);
	if (options.daemon && chdir("/") < 0)
		fail(1, "cannot change to /");
	policy = load_unprivileged(options.path);
	mr_start_raise_descriptors();
	supervisor.path = options.path;
	mr_log_open(PROGRAM, options.to_stderr, options.verbose);
	open_all(&supervisor, policy);
	mr_log(MR_LOG_INFO, "version %s ready on %s with %s", MAILREEVE_VERSION,
		policy->milter->socket, options.path);
	if (geteuid() == 0)
		mr_log(MR_LOG_WARNING, "running as root: set milter { user } "
				       "to a user of its own");
	mr_policy_release(&policy);
	mr_notify_ready("ready");
	if (parent >= 0)
		mr_start_ready(parent, options.to_stderr);
	mr_supervisor_run(&supervisor);
}
