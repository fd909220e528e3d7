/* clock.c - moves CLOCK_REALTIME of every process of the world
 * SPDX-License-Identifier: ISC
 *
 * Loaded by /etc/ld.so.preload.  /run/lab/clock is an array of {since,
 * offset}, in nanoseconds and seconds: from kernel time "since" on, the world's
 * clock is ahead by "offset".  It is mapped, so running processes follow at
 * once, also those that have changed their root directory or user.
 *
 * File times are the kernel's, so they are translated with the offset that was
 * in force at that time.  A time later than the file's ctime was set on purpose
 * (utimes), hence by the world's clock, and is left alone.  Monotonic clocks
 * are not touched: time-outs keep working.  Of waits for an absolute
 * CLOCK_REALTIME only those for a condition are translated, when they begin:
 * libmilter's idle workers have them, and would never rest in a world that is
 * behind.  Static and Go programs do not follow.
 *
 * Whether NTP keeps the clock (adjtimex) does not depend on this machine: a
 * clock that is ahead or behind is not synchronised, and another is while there
 * is a file /run/lab/synchronised. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define JUMPS 256 /* the last one stays empty */

struct jump {
	int64_t since, offset;
};

static const struct jump none[JUMPS];
static const volatile struct jump *jumps = none;

__attribute__((constructor)) static void map_jumps(void)
{
	int fd = open("/run/lab/clock", O_RDONLY | O_CLOEXEC);
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(none), PROT_READ, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		jumps = p;
	close(fd);
}

static int64_t offset_at(int64_t sec, int64_t nsec)
{
	int64_t offset = 0, t = sec * 1000000000 + nsec;
	int i;

	for (i = 0; i < JUMPS && jumps[i].since != 0 && jumps[i].since <= t;
		i++)
		offset = jumps[i].offset;
	return offset;
}

/* --- the clock ---------------------------------------------------------- */

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = syscall(SYS_clock_gettime, id, ts);

	if (ret == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += offset_at(ts->tv_sec, ts->tv_nsec);
	return ret;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *t)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int timespec_get(struct timespec *ts, int base)
{
	return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, ts) == 0 ? base
	                                                                  : 0;
}

/* Of one that goes by CLOCK_MONOTONIC the time is a small number. */
int pthread_cond_timedwait(pthread_cond_t *restrict condition,
	pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
	int (*wait)(
		pthread_cond_t *, pthread_mutex_t *, const struct timespec *) =
		dlsym(RTLD_NEXT, "pthread_cond_timedwait");
	struct timespec now, shifted = *until;

	if (shifted.tv_sec > 1000000000) {
		syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
		shifted.tv_sec -= offset_at(now.tv_sec, now.tv_nsec);
	}
	return wait(condition, mutex, &shifted);
}

int clock_adjtime(clockid_t id, struct timex *t)
{
	int state = syscall(SYS_clock_adjtime, id, t);
	struct timespec now;
	int64_t offset;

	if (state < 0 || id != CLOCK_REALTIME)
		return state;
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	offset = offset_at(now.tv_sec, now.tv_nsec);
	t->time.tv_sec += offset;
	if (offset == 0 && access("/run/lab/synchronised", F_OK) == 0) {
		t->status &= ~STA_UNSYNC;
		return TIME_OK;
	}
	t->status |= STA_UNSYNC;
	return TIME_ERROR;
}

int adjtimex(struct timex *t)
{
	return clock_adjtime(CLOCK_REALTIME, t);
}

int ntp_adjtime(struct timex *) __attribute__((alias("adjtimex")));

/* --- file times --------------------------------------------------------- */

static int64_t shift(int64_t sec, int64_t nsec, int64_t csec, int64_t cnsec)
{
	int on_purpose = sec > csec || (sec == csec && nsec > cnsec);

	return on_purpose ? 0 : offset_at(sec, nsec);
}

int fstatat(
	int fd, const char *restrict path, struct stat *restrict st, int flags)
{
	int ret = syscall(SYS_newfstatat, fd, path, st, flags);
	struct timespec c;

	if (ret == 0) {
		c = st->st_ctim;
		st->st_atim.tv_sec += shift(st->st_atim.tv_sec,
			st->st_atim.tv_nsec, c.tv_sec, c.tv_nsec);
		st->st_mtim.tv_sec += shift(st->st_mtim.tv_sec,
			st->st_mtim.tv_nsec, c.tv_sec, c.tv_nsec);
		st->st_ctim.tv_sec += offset_at(c.tv_sec, c.tv_nsec);
	}
	return ret;
}

int stat(const char *restrict path, struct stat *restrict st)
{
	return fstatat(AT_FDCWD, path, st, 0);
}

int lstat(const char *restrict path, struct stat *restrict st)
{
	return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

int fstat(int fd, struct stat *st)
{
	return fstatat(fd, "", st, AT_EMPTY_PATH);
}

/* on 64-bit machines struct stat64 is struct stat */
int fstatat64(int, const char *restrict, struct stat64 *restrict, int)
	__attribute__((alias("fstatat")));
int stat64(const char *restrict, struct stat64 *restrict)
	__attribute__((alias("stat")));
int lstat64(const char *restrict, struct stat64 *restrict)
	__attribute__((alias("lstat")));
int fstat64(int, struct stat64 *) __attribute__((alias("fstat")));

int statx(int fd, const char *restrict path, int flags, unsigned mask,
	struct statx *restrict st)
{
	int ret = syscall(SYS_statx, fd, path, flags, mask | STATX_CTIME, st);
	struct statx_timestamp c;

	if (ret == 0) {
		c = st->stx_ctime;
		st->stx_atime.tv_sec += shift(st->stx_atime.tv_sec,
			st->stx_atime.tv_nsec, c.tv_sec, c.tv_nsec);
		st->stx_mtime.tv_sec += shift(st->stx_mtime.tv_sec,
			st->stx_mtime.tv_nsec, c.tv_sec, c.tv_nsec);
		st->stx_btime.tv_sec +=
			offset_at(st->stx_btime.tv_sec, st->stx_btime.tv_nsec);
		st->stx_ctime.tv_sec += offset_at(c.tv_sec, c.tv_nsec);
	}
	return ret;
}
