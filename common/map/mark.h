/* mark - what tells one state of a file from the next. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_MARK_H
#define MR_MAP_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

struct mr_mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

/* Somebody may be in the middle of saving a file so young. */
enum { MR_MARK_FRESH_MS = 5000 };

static inline struct mr_mark mr_mark_of(const struct stat *st)
{
	return (struct mr_mark){ st->st_dev, st->st_ino, st->st_size,
		st->st_mtim, st->st_ctim };
}

static inline bool mr_mark_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static inline bool mr_mark_same(
	const struct mr_mark *a, const struct mr_mark *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size &&
	       mr_mark_same_time(a->modified, b->modified) &&
	       mr_mark_same_time(a->changed, b->changed);
}

/* Since it was modified, MR_MARK_FRESH_MS at most; 0 for a time in the future:
 * a wrong clock makes us careful, for a while. */
static inline int64_t mr_mark_age_ms(const struct mr_mark *mark)
{
	struct timespec now;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = now.tv_sec - mark->modified.tv_sec;
	if (age < 0)
		return 0;
	if (age > MR_MARK_FRESH_MS)
		return MR_MARK_FRESH_MS;
	age = age * 1000 + (now.tv_nsec - mark->modified.tv_nsec) / 1000000;
	if (age > MR_MARK_FRESH_MS)
		return MR_MARK_FRESH_MS;
	return age < 0 ? 0 : age;
}

#endif
