/* daemon - see daemon.h. */
/* SPDX-License-Identifier: ISC */
#include "common/daemon/daemon.h"
#include "common/base/arena.h"
#include "common/base/control.h"
#include "common/base/log.h"
#include "common/daemon/notify.h"
#include "common/daemon/start.h"
#include "common/daemon/status.h"
#include "common/daemon/supervisor.h"
#include "common/policy/engine.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

#define DEFAULT_POLICY MAILREEVE_SYSCONFDIR "/mailreeve/mailreeve.conf"

/* Of printf(3). */
static const char usage[] =
	"usage: %s [-dv] [-c FILE] [--stderr]\n"
	"  -c, --config FILE  the policy (" DEFAULT_POLICY ")\n"
	"  -d, --daemon       run in the background; returns when ready\n"
	"  -v, --verbose      log more\n"
	"      --stderr       log to standard error, not to syslog\n"
	"      --help         this text\n"
	"      --version      the version\n"
	"SIGUSR1 reads the policy again, SIGTERM ends after the mails under "
	"way.\n";

struct options {
	const char *program;
	char path[PATH_MAX]; /* absolute: a daemon's directory is / */
	bool daemon, verbose, to_stderr;
};

static _Noreturn void fail(
	const struct options *options, int status, const char *message)
{
	fprintf(stderr, "%s: %s\n", options->program, message);
	exit(status);
}

static void set_path(struct options *options, const char *path)
{
	char here[PATH_MAX] = "";
	int length;

	if (*path != '/' && getcwd(here, sizeof(here)) == NULL)
		fail(options, EXIT_USAGE,
			"cannot tell the current directory: give -c a path "
			"from /");
	length = snprintf(options->path, sizeof(options->path), "%s%s%s", here,
		*here == '\0' ? "" : "/", path);
	if (length < 0 || (size_t)length >= sizeof(options->path))
		fail(options, EXIT_USAGE, "the path of the policy is too long");
}

static _Noreturn void misused(const struct options *options)
{
	fprintf(stderr, usage, options->program);
	exit(EXIT_USAGE);
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
		} else if (option == HELP) {
			printf(usage, options->program);
			exit(0);
		} else if (option == VERSION) {
			printf("%s " MAILREEVE_VERSION "\n", options->program);
			exit(0);
		} else {
			misused(options);
		}
	}
	if (optind < argc)
		misused(options);
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
static struct mr_policy *load_unprivileged(
	const struct options *options, const struct mr_front *front)
{
	struct mr_policy *policy = load(options->path, geteuid() != 0);
	struct mr_error error;

	if (geteuid() != 0)
		return policy;
	if (mr_start_become(front->settings(policy)->user, front->section->name,
		    &error) < 0)
		fail(options, 1, error.text);
	mr_policy_release(&policy);
	return load(options->path, true);
}

static void open_all(const struct options *options, struct mr_supervisor *s,
	const struct mr_service *settings)
{
	struct mr_error error;

	if (mr_control_open(settings->control, mr_status_answer, s, &s->control,
		    &error) < 0)
		fail(options, 1, error.text);
	if (mr_listens_open(&settings->socket, s->front->sockets, &s->listens,
		    &error) == 0 &&
		mr_supervisor_open(s, &error) == 0 &&
		s->front->open(s->state, s->engine, &s->listens, &error) == 0 &&
		mr_supervisor_start(s, &error) == 0)
		return;
	mr_listens_remove(&s->listens);
	mr_control_close(&s->control);
	fail(options, 1, error.text);
}

static void log_ready(const struct mr_supervisor *s,
	const struct mr_service *settings, struct mr_arena *arena)
{
	mr_log(MR_LOG_INFO, "version %s ready on %s with %s", MAILREEVE_VERSION,
		mr_listens_text(&settings->socket, arena), s->path);
	if (geteuid() == 0)
		mr_log(MR_LOG_WARNING,
			"running as root: set %s { user } to a user of its own",
			s->front->section->name);
}

/* The settings that hold until the end are those of the start. */
static void start(const struct options *options, struct mr_supervisor *s)
{
	struct mr_policy *policy = load_unprivileged(options, s->front);
	const struct mr_service *settings = s->front->settings(policy);
	struct mr_arena *arena = mr_arena_new(512);

	mr_start_raise_descriptors();
	mr_log_open(options->program, options->to_stderr, options->verbose);
	s->path = options->path;
	s->started = s->loaded = time(NULL);
	s->engine = mr_engine_new(mr_policy_hold(policy));
	open_all(options, s, settings);
	log_ready(s, settings, arena);
	mr_arena_free(&arena);
	mr_policy_release(&policy);
}

void mr_daemon_run(
	int argc, char **argv, const struct mr_front *front, void *state)
{
	struct options options = { .program = front->program };
	struct mr_supervisor supervisor = { .front = front, .state = state };
	struct mr_error error;
	int parent = -1;

	mr_start_fill_standard();
	read_options(argc, argv, &options);
	if (options.daemon && (parent = mr_start_detach(&error)) < 0)
		fail(&options, 1, error.text);
	umask(0027);
	if (options.daemon && chdir("/") < 0)
		fail(&options, 1, "cannot change to /");
	start(&options, &supervisor);
	mr_notify_ready("ready");
	if (parent >= 0)
		mr_start_ready(parent, options.to_stderr);
	mr_supervisor_run(&supervisor);
}
