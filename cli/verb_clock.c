/* verb_clock - `mailreeve clock`: the mark of the host's clock, without which
 * no mail is purged; its rules are common/mailbox/clock.h.  Reading the mark is
 * done with care, as the directory is not root's. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/replace.h"
#include "common/base/arena.h"
#include "common/mailbox/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

enum { KEY_ADVANCE = 256, KEY_OK, KEY_STATE };

static const struct mr_flag flags[] = {
	{ KEY_ADVANCE, "advance", NULL,
		"move the mark to now, if NTP or CLOCK_BOOTTIME explains\n"
		"the way (for the timer)" },
	{ KEY_OK, "clock-ok", NULL,
		"move the mark to now: you have looked at the clock, and\n"
		"it is right" },
	{ KEY_STATE, "state-dir", "DIR",
		"where the mark is\n"
		"(default: " MAILREEVE_STATEDIR ")" },
	{ .name = NULL },
};

struct view {
	struct mr_cli *cli;
	const char *directory;
	enum { NO_MARK, BAD_MARK, GOOD_MARK } kind;
	struct mr_clock_mark mark, now;
	bool synchronised;
	const char *ntp;       /* the same in words */
	struct mr_error wrong; /* with a bad mark */
};

/* --- what there is ------------------------------------------------------ */

/* Up to `size` octets of a file; -1: errno says why there are none. */
static ssize_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t length = -1;
	int saved;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0) {
		errno = EINVAL;
		if (S_ISREG(st.st_mode))
			length = read(fd, text, size);
	}
	saved = errno;
	close(fd);
	errno = saved;
	return length;
}

static int read_mark(struct view *view, struct mr_error *error)
{
	const char *path =
		mr_arena_printf(view->cli->arena, "%s/clock", view->directory);
	char text[MR_CLOCK_LINE + 1];
	ssize_t length = read_file(path, text, sizeof(text));

	view->kind = NO_MARK;
	if (length < 0 && errno == ENOENT)
		return 0;
	if (length < 0)
		return mr_error_set(error, "%s: %s", path, strerror(errno));
	view->kind = mr_clock_mark_parse(text, (size_t)length, &view->mark,
			     &view->wrong) == 0
	                     ? GOOD_MARK
	                     : BAD_MARK;
	return 0;
}

static int read_now(struct mr_clock_mark *now, struct mr_error *error)
{
	char text[MR_CLOCK_BOOT_ID + 1];
	ssize_t length = read_file(BOOT_ID, text, sizeof(text));
	struct timespec wall, boottime;

	if (length < 0)
		return mr_error_set(error, BOOT_ID ": %s", strerror(errno));
	if (length != MR_CLOCK_BOOT_ID + 1 ||
		!mr_clock_is_boot_id(text, MR_CLOCK_BOOT_ID))
		return mr_error_set(error, BOOT_ID ": this is no boot id");
	memcpy(now->boot_id, text, MR_CLOCK_BOOT_ID);
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &boottime);
	now->wall = wall.tv_sec;
	now->boottime = boottime.tv_sec;
	return 0;
}

/* Who cannot find out does not claim it: a container may forbid the call. */
static void ask_kernel(struct view *view)
{
	struct timex t = { .modes = 0 };
	int state = adjtimex(&t);

	view->synchronised =
		state >= 0 && state != TIME_ERROR && !(t.status & STA_UNSYNC);
	view->ntp = view->synchronised ? "yes" : "no";
	if (state < 0)
		view->ntp = mr_arena_printf(view->cli->arena,
			"cannot be found out: %s", strerror(errno));
}

static bool is_near(const struct view *view)
{
	return view->kind == GOOD_MARK &&
	       mr_clock_mark_is_near(&view->mark, view->now.wall);
}

static int may_advance(const struct view *view, struct mr_error *error)
{
	if (view->kind == BAD_MARK) {
		*error = view->wrong;
		return -1;
	}
	return mr_clock_mark_may_advance(
		view->kind == NO_MARK ? NULL : &view->mark, &view->now,
		view->synchronised, error);
}

/* --- saying it ---------------------------------------------------------- */

static const char *date(const struct view *view, int64_t wall)
{
	time_t seconds = (time_t)wall;
	struct tm tm;
	char text[64];

	if (localtime_r(&seconds, &tm) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		return "?";
	return mr_arena_strdup(view->cli->arena, text);
}

static const char *difference(const struct view *view)
{
	int64_t seconds = view->now.wall - view->mark.wall;
	const char *span = mr_clock_span_format(view->cli->arena, seconds);

	if (seconds == 0)
		return "none";
	return mr_arena_printf(view->cli->arena, "%s %s the mark", span,
		seconds < 0 ? "before" : "after");
}

static void print_row(
	struct mr_columns *columns, const char *name, const char *value)
{
	struct mr_row *row = mr_columns_row(columns);

	row->cell[0] = name;
	row->cell[1] = value;
}

static const char *no_mark(const struct view *view)
{
	return view->kind == NO_MARK ? "none" : "unreadable";
}

static enum mr_exit show(const struct view *view)
{
	struct mr_columns *columns = mr_columns_new(view->cli->arena, 2, "");
	bool good = view->kind == GOOD_MARK, near = is_near(view);
	struct mr_error error;

	print_row(columns, "mark",
		good ? date(view, view->mark.wall) : no_mark(view));
	print_row(columns, "clock", date(view, view->now.wall));
	print_row(columns, "difference", good ? difference(view) : NULL);
	print_row(columns, "synchronised", view->ntp);
	print_row(columns, "purges", near ? "may run" : "stand still");
	mr_columns_print(columns, stdout, view->cli->colour);
	if (may_advance(view, &error) < 0)
		mr_cli_say(view->cli, "%s", error.text);
	else if (!near)
		mr_cli_say(view->cli,
			"the mark may move to now: enable "
			"mailreeve-clock.timer, or run: mailreeve clock "
			"--advance");
	return near ? MR_EXIT_FINE : MR_EXIT_NEGATIVE;
}

/* --- the mark ----------------------------------------------------------- */

static int fill(const void *what, FILE *out, struct mr_error *error)
{
	(void)error;
	fputs(what, out);
	return 0;
}

static enum mr_exit move(const struct view *view)
{
	struct mr_arena *arena = view->cli->arena;
	struct mr_error error;
	const char *path;

	if (mr_replace_file(view->directory, "clock", fill,
		    mr_clock_mark_format(arena, &view->now), arena, &path,
		    &error) < 0) {
		mr_cli_say(view->cli,
			"nothing was changed; cannot write the mark: %s%s",
			error.text,
			geteuid() == 0 ? "" : "\nOnly root may write it.");
		return MR_EXIT_LATER;
	}
	printf("%s: %s; before: %s\n", path, date(view, view->now.wall),
		view->kind == GOOD_MARK ? date(view, view->mark.wall)
					: no_mark(view));
	return MR_EXIT_FINE;
}

static enum mr_exit advance(const struct view *view)
{
	struct mr_error error;

	if (may_advance(view, &error) == 0) {
		if (view->kind == NO_MARK)
			mr_cli_say(view->cli,
				"the first mark has nothing to be compared "
				"with: make sure that the clock is right");
		return move(view);
	}
	if (!is_near(view)) {
		mr_cli_say(view->cli,
			"the mark stays, and purges stand still: %s",
			error.text);
		return MR_EXIT_NEGATIVE;
	}
	mr_cli_say(view->cli, "the mark stays, and purges go on until %s: %s",
		date(view, view->mark.wall + MR_CLOCK_NEAR), error.text);
	return MR_EXIT_FINE;
}

static enum mr_exit run(struct mr_cli *cli)
{
	struct view view = { .cli = cli, .directory = MAILREEVE_STATEDIR };
	int key, wanted = 0;
	struct mr_error error;
	const char *value;

	while ((key = mr_cli_next(cli, &value)) != MR_CLI_END) {
		if (key == KEY_STATE)
			view.directory = value;
		else if (wanted != 0 && wanted != key)
			mr_cli_misused(cli,
				"--advance and --clock-ok exclude each other");
		else
			wanted = key;
	}
	mr_cli_operand(cli, 0, 0);
	if (read_now(&view.now, &error) < 0 || read_mark(&view, &error) < 0) {
		mr_cli_say(cli, "%s", error.text);
		return MR_EXIT_LATER;
	}
	ask_kernel(&view);
	if (wanted == KEY_OK)
		return move(&view);
	return wanted == KEY_ADVANCE ? advance(&view) : show(&view);
}

const struct mr_verb mr_verb_clock = {
	.name = "clock",
	.summary = "whether the host's clock may purge mail",
	.help = "Mail is purged only while the host's clock is at most 2 days "
		"from its mark, which\n"
		"follows the clock where NTP or CLOCK_BOOTTIME explains the "
		"way.  Without an option\n"
		"shows both.\n"
		"Exit status: 0 purges may run, 1 they may not, 75 the mark "
		"could not be read or\n"
		"written.\n",
	.flags = flags,
	.run = run,
};
