/* published - see published.h. */
/* SPDX-License-Identifier: ISC */
#include "common/config/published.h"
#include "common/base/arena.h"
#include "common/config/scan.h"
#include "common/config/sections.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 4096, KEPT_AT_FIRST = 2048, SCRATCH = 512 };

/* What the text has of the file: the top, a domain, a user. */
enum { PARTS = 3 };

struct part {
	off_t from, to;
	size_t at; /* in the text */
};

struct mr_published {
	struct mr_arena *arena;
	struct mr_config *config;
	struct mr_chain chain;
	const char *path;
	struct stat st;
	const char *text; /* the parts, one behind the other */
	struct part parts[PARTS];
	size_t n_parts;
};

static const struct mr_section *const sections[] = {
	&mr_section_global,
	&mr_section_message,
	&mr_section_group,
	&mr_section_domain,
	&mr_section_user,
	&mr_section_mailbox,
	&mr_section_purge,
	&mr_section_keep,
	&mr_section_scanner,
	&mr_section_policyd,
	NULL,
};

static const struct mr_schema schema = { .sections = sections, .copy = true };

const struct mr_schema *mr_mailbox_schema(void)
{
	return &schema;
}

/* --- a file, asked for octets by their place ---------------------------- */

/* What was read, a NUL behind, and of it what was asked for. */
struct window {
	int fd;
	off_t size;
	off_t from;
	size_t held;
	const char *view;
	size_t have;
	char octets[CHUNK + 1];
};

/* A small file is read once: then all of it is here. */
static bool holds(const struct window *w, off_t from)
{
	off_t end = w->from + (off_t)w->held;

	return from >= w->from && from < end &&
	       (from == w->from || end == w->size);
}

/* The octets from `from` on; w->have of them.  -1: errno. */
static int look_at(struct window *w, off_t from)
{
	ssize_t got;

	if (!holds(w, from)) {
		do
			got = pread(w->fd, w->octets, CHUNK, from);
		while (got < 0 && errno == EINTR);
		if (got < 0)
			return -1;
		w->from = from;
		w->held = (size_t)got;
		w->octets[got] = '\0';
	}
	w->view = w->octets + (from - w->from);
	w->have = w->held - (size_t)(from - w->from);
	return 0;
}

/* A line that begins a rung: its word and where its title begins. */
static bool is_header(const char *line, size_t length)
{
	static const char *const words[] = { "domain ", "listener ", "user " };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);

		if (length > n && memcmp(line, words[i], n) == 0)
			return true;
	}
	return false;
}

/* The first header at or behind `from` that begins a line; w->size if there is
 * none.  Its text, cut to what a chunk holds, is in *line_r. */
static int find_header(struct window *w, off_t from, off_t *at_r,
	const char **line_r, size_t *length_r)
{
	/* a line begins behind a newline, so look at the octet before, too */
	off_t at = from > 0 ? from - 1 : 0;
	bool begins = from == 0;

	while (at < w->size) {
		const char *p, *end;

		if (look_at(w, at) < 0)
			return -1;
		if (w->have == 0)
			break;
		p = w->view;
		end = p + w->have;
		while (p < end) {
			const char *nl = memchr(p, '\n', (size_t)(end - p));

			if (begins && nl == NULL && p > w->view)
				break; /* a part of a line: look at it whole */
			if (begins &&
				is_header(p, (size_t)((nl == NULL ? end : nl) -
						      p))) {
				*at_r = at + (p - w->view);
				*line_r = p;
				*length_r =
					(size_t)((nl == NULL ? end : nl) - p);
				return 0;
			}
			begins = nl != NULL;
			p = nl == NULL ? end : nl + 1;
		}
		at += p - w->view;
	}
	*at_r = w->size;
	*line_r = "";
	*length_r = 0;
	return 0;
}

/* --- the part that somebody needs --------------------------------------- */

/* `domain x {` against section and title: as mr_config_publish sorts them. */
static int compare(struct mr_arena *scratch, const char *line, size_t length,
	const char *section, const char *title)
{
	const char *space = memchr(line, ' ', length);
	const char *end = line + length, *p = space + 1, *behind;
	char *name = mr_arena_strndup(scratch, line, (size_t)(space - line));
	char *found;
	int order = strcmp(name, section);

	if (order != 0)
		return order;
	behind = mr_scan_quoted(p, end);
	if (behind != NULL)
		found = mr_scan_unquote(scratch, p, behind);
	else {
		for (behind = p; behind < end && *behind != ' ';)
			behind++;
		found = mr_arena_strndup(scratch, p, (size_t)(behind - p));
	}
	return strcmp(found, title);
}

/* Where `section title` begins, or w->size. */
static int bisect(struct window *w, off_t low, struct mr_arena *scratch,
	const char *section, const char *title, off_t *found_r)
{
	off_t high = w->size;

	/* headers before `low` are smaller, those from `high` on are not */
	*found_r = w->size;
	while (low < high) {
		off_t middle = low + (high - low) / 2, at;
		const char *line;
		size_t length;
		int order;

		if (find_header(w, middle, &at, &line, &length) < 0)
			return -1;
		if (at >= high) {
			high = middle;
			continue;
		}
		order = compare(scratch, line, length, section, title);
		if (order == 0)
			*found_r = at;
		if (order >= 0)
			high = middle;
		else
			low = at + 1;
	}
	return 0;
}

/* The text is to have [from, to) of the file. */
static int take(struct mr_published *p, off_t from, off_t to)
{
	if (to - from > MR_PUBLISHED_PART) {
		errno = EFBIG;
		return -1;
	}
	p->parts[p->n_parts++] = (struct part){ .from = from, .to = to };
	return 0;
}

static int take_rung(struct mr_published *p, struct window *w, off_t first,
	struct mr_arena *scratch, const char *section, const char *title)
{
	const char *line;
	size_t length;
	off_t at, next;

	if (bisect(w, first, scratch, section, title, &at) < 0)
		return -1;
	if (at >= w->size)
		return 0;
	if (find_header(w, at + 1, &next, &line, &length) < 0)
		return -1;
	return take(p, at, next);
}

static int take_parts(struct mr_published *p, struct window *w,
	const char *address, struct mr_arena *scratch)
{
	const char *at = strrchr(address, '@'), *line;
	size_t length;
	off_t first;

	if (find_header(w, 0, &first, &line, &length) < 0)
		return -1;
	if (take(p, 0, first) < 0)
		return -1;
	if (at == NULL)
		return 0;
	if (take_rung(p, w, first, scratch, "domain", at + 1) < 0)
		return -1;
	return take_rung(p, w, first, scratch, "user", address);
}

/* Copies the part; what somebody cuts short meanwhile is less. */
static int copy_part(
	struct window *w, const struct part *part, char *text, size_t *length)
{
	off_t from = part->from;

	while (from < part->to) {
		size_t n;

		if (look_at(w, from) < 0)
			return -1;
		n = w->have;
		if (n == 0)
			break;
		if ((off_t)n > part->to - from)
			n = (size_t)(part->to - from);
		memcpy(text + *length, w->view, n);
		*length += n;
		from += (off_t)n;
	}
	return 0;
}

static int read_parts(struct mr_published *p, struct window *w,
	const char *address, size_t *length)
{
	struct mr_arena *scratch = mr_arena_new(SCRATCH);
	int result = take_parts(p, w, address, scratch);
	size_t size = 0;
	char *text;

	mr_arena_free(&scratch);
	if (result < 0)
		return -1;
	for (size_t i = 0; i < p->n_parts; i++)
		size += (size_t)(p->parts[i].to - p->parts[i].from);
	p->text = text = mr_arena_alloc(p->arena, size + 1);
	*length = 0;
	for (size_t i = 0; i < p->n_parts && result == 0; i++) {
		p->parts[i].at = *length;
		result = copy_part(w, &p->parts[i], text, length);
	}
	return result;
}

/* --- its meaning -------------------------------------------------------- */

/* The octet in the text at which a line begins. */
static size_t find_line(const char *text, unsigned line)
{
	const char *p = text;

	while (line-- > 1 && (p = strchr(p, '\n')) != NULL)
		p++;
	return p == NULL ? strlen(text) : (size_t)(p - text);
}

/* The line of the octet `at` of the file.  Only mistakes want it, so it may
 * read the file again. */
static unsigned line_of_octet(const struct mr_published *p, off_t at)
{
	FILE *in = fopen(p->path, "re");
	unsigned line = 1;
	int c;

	if (in == NULL)
		return line;
	while (at-- > 0 && (c = getc(in)) != EOF)
		line += c == '\n';
	fclose(in);
	return line;
}

/* The file's own line for one of the text. */
static unsigned line_in_file(const struct mr_published *p, unsigned line)
{
	size_t at = find_line(p->text, line), i = p->n_parts;

	while (i > 1 && p->parts[i - 1].at > at)
		i--;
	if (i == 0)
		return line;
	return line_of_octet(
		p, p->parts[i - 1].from + (off_t)(at - p->parts[i - 1].at));
}

static int tell(const struct mr_published *p,
	const struct mr_problems *problems, struct mr_error *error)
{
	const struct mr_problem *m = problems->first;

	while (m != NULL && m->severity != MR_MISTAKE)
		m = m->next;
	if (m == NULL)
		return mr_error_set(error, "%s has mistakes", p->path);
	return mr_error_set(error,
		"%s:%u: %s (mailreeve reload writes it anew)", p->path,
		line_in_file(p, m->at.line), m->message);
}

static int understand(struct mr_published *p, const char *address,
	size_t length, struct mr_error *error)
{
	const char *at = strrchr(address, '@');
	struct mr_problems problems;
	int result;

	mr_problems_init(&problems, p->arena);
	result = mr_config_read_text(
		&schema, p->path, p->text, length, &p->config, &problems);
	if (result < 0)
		return tell(p, &problems, error);
	p->chain.scope[MR_USER] = mr_config_scope(p->config, MR_USER, address);
	if (at != NULL)
		p->chain.scope[MR_DOMAIN] =
			mr_config_scope(p->config, MR_DOMAIN, at + 1);
	return 0;
}

static bool has_end(struct window *w)
{
	static const char end[] = MR_PUBLISHED_END;
	size_t length = sizeof(end) - 1;

	return look_at(w, w->size > CHUNK ? w->size - CHUNK : 0) == 0 &&
	       w->from + (off_t)w->held == w->size && w->have >= length &&
	       memcmp(w->view + w->have - length, end, length) == 0;
}

static int read_open(struct mr_published *p, int fd, const char *address,
	struct mr_error *error)
{
	struct window w; /* without filling it with zeroes */
	size_t length;

	if (fstat(fd, &p->st) < 0)
		return mr_error_set(error, "%s: %s", p->path, strerror(errno));
	if (!S_ISREG(p->st.st_mode) || (p->st.st_mode & S_IWOTH) != 0)
		return mr_error_set(error,
			"%s must be a regular file that others cannot write",
			p->path);
	w.fd = fd;
	w.size = p->st.st_size;
	w.from = 0;
	w.held = 0;
	if (!has_end(&w))
		return mr_error_set(error,
			"%s:%u: it is cut short (mailreeve reload writes it "
			"anew)",
			p->path, line_of_octet(p, p->st.st_size));
	if (read_parts(p, &w, address, &length) < 0)
		return mr_error_set(error, "%s: %s", p->path, strerror(errno));
	return understand(p, address, length, error);
}

int mr_published_read(const char *path, const char *address,
	struct mr_published **published_r, struct mr_error *error)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct mr_published *p;
	struct mr_arena *arena;
	int result;

	if (fd < 0)
		return mr_error_set(error, "%s: %s", path, strerror(errno));
	arena = mr_arena_new(KEPT_AT_FIRST);
	p = MR_NEW(arena, struct mr_published);
	p->arena = arena;
	p->path = mr_arena_strdup(arena, path);
	result = read_open(p, fd, address, error);
	close(fd);
	if (result < 0)
		mr_published_free(&p);
	*published_r = p;
	return result;
}

void mr_published_free(struct mr_published **published)
{
	struct mr_arena *arena;

	if (*published == NULL)
		return;
	arena = (*published)->arena;
	mr_config_free(&(*published)->config);
	mr_arena_free(&arena);
	*published = NULL;
}

const struct mr_config *mr_published_config(
	const struct mr_published *published)
{
	return published->config;
}

const struct mr_chain *mr_published_chain(const struct mr_published *published)
{
	return &published->chain;
}

bool mr_published_has_changed(const struct mr_published *published)
{
	const struct stat *old = &published->st;
	struct stat st;

	return stat(published->path, &st) < 0 || st.st_dev != old->st_dev ||
	       st.st_ino != old->st_ino || st.st_size != old->st_size ||
	       st.st_mtim.tv_sec != old->st_mtim.tv_sec ||
	       st.st_mtim.tv_nsec != old->st_mtim.tv_nsec;
}

char *mr_published_origin(const struct mr_published *published,
	const struct mr_place *place, struct mr_arena *arena)
{
	const char *p = published->text, *end, *mark = NULL;

	if (place->file == NULL)
		return mr_arena_strdup(arena, "default");
	for (unsigned line = 1; line < place->line && p != NULL; line++) {
		p = strchr(p, '\n');
		if (p != NULL)
			p++;
	}
	if (p == NULL)
		return mr_place_format(arena, place);
	end = strchrnul(p, '\n');
	/* the last comment sign: a value may have one, in quotes */
	for (; p < end; p++)
		if (p[0] == '#' && p[1] == ' ')
			mark = p + 2;
	if (mark == NULL)
		return mr_place_format(arena, place);
	return mr_arena_strndup(arena, mark, (size_t)(end - mark));
}
