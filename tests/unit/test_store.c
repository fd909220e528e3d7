/* test_store - what is put comes back: after an end, a kill, a full disk, a
 * broken file. */
/* SPDX-License-Identifier: ISC */
#include "policyd/store.h"
#include "tests/unit/expect.h"
#include "tests/unit/files.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static const char place[] = "state.sqlite";

/* What was loaded, as text; sorted by the tables' keys. */
struct loaded {
	char text[4096];
	size_t length, rows;
};

static void seen(void *context, const struct mr_state_store_row *row)
{
	struct loaded *loaded = context;

	loaded->rows++;
	if (loaded->length < sizeof(loaded->text))
		loaded->length +=
			(size_t)snprintf(loaded->text + loaded->length,
				sizeof(loaded->text) - loaded->length,
				"%s %s %" PRId64 " %" PRId64 " %" PRId64
				" %" PRId64 "\n",
				row->kind, row->name, row->at, row->value[0],
				row->value[1], row->value[2]);
}

static struct mr_state_store *open_at(const char *where, struct loaded *loaded)
{
	*loaded = (struct loaded){ .length = 0 };
	return mr_state_store_new(&mr_state_store_sqlite, where,
		&(struct mr_state_store_owner){ loaded, seen, NULL });
}

static struct mr_state_store *open_store(struct loaded *loaded)
{
	return open_at(place, loaded);
}

static void put(struct mr_state_store *store, const char *kind,
	const char *name, int64_t value)
{
	mr_state_store_put(
		store, &(struct mr_state_store_row){
			       .kind = kind,
			       .name = name,
			       .at = 1000,
			       .value = { value, value == 0 ? 0 : 2, 0 },
		       });
}

/* Until the thread has done it; false after 30 s. */
static bool comes(struct mr_state_store *store,
	bool (*good)(const struct mr_state_store_status *status))
{
	for (int i = 0; i < 3000; i++) {
		struct mr_state_store_status status =
			mr_state_store_status(store);

		if (good(&status))
			return true;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	return false;
}

static bool has_written(const struct mr_state_store_status *status)
{
	return status->written > 0;
}

static bool works(const struct mr_state_store_status *status)
{
	return status->works && status->pending == 0;
}

static bool fails(const struct mr_state_store_status *status)
{
	return !status->works && status->pending > 0;
}

static void expect_state(const char *name, const char *want)
{
	struct loaded loaded;
	struct mr_state_store *store = open_store(&loaded);

	expect_text(name, loaded.text, want);
	mr_state_store_free(&store);
}

static void test_comes_back(void **state)
{
	struct loaded loaded;
	struct mr_state_store *store = open_store(&loaded);

	(void)state;
	put(store, MR_STORE_USAGE, "ann@example.net", 7);
	put(store, MR_STORE_USAGE, "ann@example.net", 8);
	put(store, "login", "o'hara\"; --\xff", INT64_MAX);
	put(store, "login", "ben", 5);
	mr_state_store_free(&store);
	expect_state("all",
		"usage ann@example.net 1000 8 2 0\n"
		"login ben 1000 5 2 0\n"
		"login o'hara\"; --\xff 1000 9223372036854775807 2 0\n");
	store = open_store(&loaded);
	put(store, "login", "ben", 0);
	put(store, "login", "o'hara\"; --\xff", 0);
	put(store, "login", "never there", 0);
	mr_state_store_free(&store);
	expect_state("deleted", "usage ann@example.net 1000 8 2 0\n");
	expect_done();
}

static void test_bounds(void **state)
{
	char name[MR_STORE_NAME + 2];
	struct loaded loaded;
	struct mr_state_store *store = open_store(&loaded);

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	put(store, "login", name, 1);
	name[sizeof(name) - 2] = '\0';
	put(store, "login", name, 1);
	expect_number("too long", (long)mr_state_store_status(store).lost, 1);
	mr_state_store_free(&store);
	store = open_store(&loaded);
	expect_number("rows", (long)loaded.rows, 1);
	mr_state_store_free(&store);
	expect_done();
}

/* A child that has written one row, and goes on until it is killed. */
static pid_t begin_writer(bool whole_second)
{
	int ready[2];
	char octet;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct loaded loaded;
		struct mr_state_store *store = open_store(&loaded);

		put(store, MR_STORE_USAGE, "kept@example.net", 7);
		if (whole_second && !comes(store, has_written))
			_exit(1);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (int64_t i = 1;; i++) {
			char name[32];

			snprintf(name, sizeof(name), "n%" PRId64, i % 5000);
			put(store, "login", name, i);
		}
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_writer(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_killed(void **state)
{
	struct loaded loaded;
	struct mr_state_store *store;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid = begin_writer(true);

		/* in the middle of the next transaction, about */
		nanosleep(&(struct timespec){ .tv_nsec =
						      990000000 + i * 9000000 },
			NULL);
		end_writer(pid);
		store = open_store(&loaded);
		expect_part("killed", loaded.text,
			"usage kept@example.net 1000 7 2 0\n");
		expect_number("nothing is broken",
			mr_state_store_status(store).set_aside, 0);
		mr_state_store_free(&store);
		expect_number("removed", remove(place), 0);
	}
	expect_done();
}

/* Another process has it: memory first, and the rows follow. */
static void test_taken(void **state)
{
	struct loaded loaded;
	pid_t pid = begin_writer(true);
	struct mr_state_store *store = open_store(&loaded);

	(void)state;
	expect_number("works", mr_state_store_status(store).works, false);
	put(store, MR_STORE_USAGE, "late@example.net", 9);
	end_writer(pid);
	expect_number("written", comes(store, has_written), true);
	expect_part("loaded", loaded.text, "usage kept@example.net");
	mr_state_store_free(&store);
	expect_done();
}

/* What cannot be written because a file may not grow, as on a full disk. */
static void test_full(void **state)
{
	struct loaded loaded;
	struct mr_state_store *store = open_store(&loaded);
	struct rlimit old, small;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	put(store, MR_STORE_USAGE, "full@example.net", 3);
	expect_number("fails", comes(store, fails), true);
	expect_number("says why", mr_state_store_status(store).error[0] != '\0',
		true);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	expect_number("written", comes(store, has_written), true);
	expect_number("broken", mr_state_store_status(store).set_aside, 0);
	mr_state_store_free(&store);
	expect_state("after", "usage full@example.net 1000 3 2 0\n");
	expect_done();
}

static bool sh(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define MOUNT(image) \
	"mount -o loop,errors=remount-ro " image " disk 2>/dev/null"

/* As ext4 makes it after an error, while the store is open; then an admin puts
 * the repaired disk in its place. */
static void test_read_only(void **state)
{
	struct mr_state_store *store;
	struct loaded loaded;

	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || !sh("mount --make-rprivate /") ||
		!sh("mkdir disk && truncate -s 20M one &&"
		    " /sbin/mkfs.ext4 -q one && " MOUNT("one")))
		skip(); /* not root, or no loop device */
	store = open_at("disk/state.sqlite", &loaded);
	put(store, MR_STORE_USAGE, "ann@example.net", 3);
	expect_number("written", comes(store, has_written), true);
	assert_true(sh("device=$(findmnt -n -o SOURCE disk) &&"
		       " echo 1 >/sys/fs/ext4/${device##*/}/trigger_fs_error"));
	put(store, MR_STORE_USAGE, "ben@example.net", 4);
	expect_number("fails", comes(store, fails), true);
	assert_true(sh("cp one two && /sbin/e2fsck -fp two >/dev/null;"
		       " [ $? -le 1 ] && umount -l disk && " MOUNT("two")));
	expect_number("works again", comes(store, works), true);
	expect_number("broken", mr_state_store_status(store).set_aside, 0);
	mr_state_store_free(&store);
	store = open_at("disk/state.sqlite", &loaded);
	expect_text("after", loaded.text,
		"usage ann@example.net 1000 3 2 0\n"
		"usage ben@example.net 1000 4 2 0\n");
	mr_state_store_free(&store);
	assert_true(sh("umount disk"));
	expect_done();
}

static void test_no_place(void **state)
{
	struct loaded loaded = { .length = 0 };
	struct mr_state_store *store = mr_state_store_new(
		&mr_state_store_sqlite, "missing/state.sqlite",
		&(struct mr_state_store_owner){ &loaded, seen, NULL });

	(void)state;
	put(store, MR_STORE_USAGE, "ann@example.net", 3);
	expect_number("works", mr_state_store_status(store).works, false);
	assert_int_equal(mkdir("missing", 0700), 0);
	expect_number("written", comes(store, has_written), true);
	mr_state_store_free(&store);
	expect_done();
}

/* --- while it is open */

static void take_away(void)
{
	assert_int_equal(remove(place), 0);
}

static void replace(void)
{
	FILE *file = fopen("other", "w");

	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("no database\n", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename("other", place), 0);
}

static void cut(void)
{
	assert_int_equal(truncate(place, 100), 0);
}

/* What a daemon has in memory. */
static void save(void *context, struct mr_state_store *store, bool all)
{
	(void)context;
	if (all)
		put(store, MR_STORE_USAGE, "old@example.net", 6);
}

static bool has_written_two(const struct mr_state_store_status *status)
{
	return status->works && status->written >= 2;
}

static void test_spoilt(void **state)
{
	static const struct {
		const char *name;
		void (*spoil)(void);
	} ways[] = {
		{ "taken away", take_away },
		{ "replaced", replace },
		{ "cut", cut },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct loaded loaded = { .length = 0 };
		struct mr_state_store *store = mr_state_store_new(
			&mr_state_store_sqlite, place,
			&(struct mr_state_store_owner){ &loaded, seen, save });

		put(store, MR_STORE_USAGE, "old@example.net", 6);
		expect_number(ways[i].name, comes(store, has_written), true);
		ways[i].spoil();
		expect_number(
			ways[i].name, comes(store, has_written_two), true);
		mr_state_store_free(&store);
		expect_state(
			ways[i].name, "usage old@example.net 1000 6 2 0\n");
		take_away();
	}
	expect_done();
}

static void damage(long at)
{
	FILE *file = fopen(place, "r+");
	char junk[4096];

	assert_non_null(file);
	memset(junk, 'j', sizeof(junk));
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fwrite(junk, sizeof(junk), 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

static void test_broken(void **state)
{
	static const struct {
		const char *name;
		long at;
	} places[] = {
		{ "its head", 0 },
		{ "a table", 4096 },
		{ "the other", 2 * 4096 },
	};
	struct loaded loaded;

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct mr_state_store *store = open_store(&loaded);

		put(store, MR_STORE_USAGE, "ann@example.net", 3);
		put(store, "login", "ann", 3);
		mr_state_store_free(&store);
		damage(places[i].at);
		store = open_store(&loaded);
		expect_number(places[i].name,
			mr_state_store_status(store).set_aside, 1);
		expect_number(
			places[i].name, mr_state_store_status(store).works, 1);
		put(store, MR_STORE_USAGE, "new@example.net", 4);
		mr_state_store_free(&store);
		expect_state(
			places[i].name, "usage new@example.net 1000 4 2 0\n");
	}
	expect_number("kept", access("state.sqlite.broken-3", F_OK), 0);
	expect_done();
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, files_enter, files_leave)
	const struct CMUnitTest tests[] = {
		T(test_comes_back),
		T(test_bounds),
		T(test_killed),
		T(test_taken),
		T(test_full),
		T(test_read_only),
		T(test_no_place),
		T(test_spoilt),
		T(test_broken),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
