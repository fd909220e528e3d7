/* warn_text - see warn_text.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/warn_text.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/config/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char built_in[] =
	"From: Mail system <{user}>\n"
	"To: <{user}>\n"
	"Subject: Your mailbox is {percent}% full\n"
	"Date: {date}\n"
	"Message-ID: <{id}>\n"
	"Auto-Submitted: auto-generated\n"
	"MIME-Version: 1.0\n"
	"Content-Type: text/plain; charset=utf-8\n"
	"Content-Transfer-Encoding: 8bit\n"
	"\n"
	"Your mailbox {user} holds {used} of {limit}, that is {percent}%.\n"
	"When it is full you get no more mail, until you delete some.  Mail\n"
	"in the Trash counts, too: empty it to win space at once.\n";

static char *format_date(struct mr_arena *arena, time_t now)
{
	struct tm tm;
	char text[64];

	gmtime_r(&now, &tm);
	/* RFC 5322 names are English, and we never call setlocale(3) */
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	return mr_arena_strdup(arena, text);
}

static char *make_id(struct mr_arena *arena, const char *user)
{
	const char *at = strrchr(user, '@');
	unsigned long long octets[2] = { 0, 0 };

	if (getrandom(octets, sizeof(octets), GRND_NONBLOCK) < 0)
		octets[0] = (unsigned long long)time(NULL);
	return mr_arena_printf(arena, "%016llx%016llx@%s", octets[0],
		octets[1], at == NULL ? "localhost" : at + 1);
}

struct field {
	const char *name, *value;
};

/* The field that begins at `p`, or NULL. */
static const struct field *find_field(const struct field *fields, const char *p)
{
	for (; fields->name != NULL; fields++)
		if (strncmp(p, fields->name, strlen(fields->name)) == 0)
			return fields;
	return NULL;
}

/* Fills in, and ends each line with CRLF, however it ended before. */
static char *fill(struct mr_arena *arena, const char *template,
	const struct field *fields)
{
	char *text = NULL, *filled;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (const char *p = template; *p != '\0';) {
		const struct field *f = *p == '{' ? find_field(fields, p)
						  : NULL;

		if (f != NULL) {
			fputs(f->value, out);
			p += strlen(f->name);
			continue;
		}
		if (*p == '\n')
			fputs("\r\n", out);
		else if (*p != '\r')
			putc(*p, out);
		p++;
	}
	fclose(out);
	filled = mr_arena_strndup(arena, text, length);
	free(text);
	return filled;
}

/* Does it begin with a header, and has it a body? */
static int check(const char *path, const char *text, size_t length,
	struct mr_error *error)
{
	const char *colon = strpbrk(text, ": \t\r\n");

	if (strlen(text) != length)
		return mr_error_set(error, "%s has a NUL in it", path);
	if (colon == NULL || colon == text || *colon != ':' ||
		(strstr(text, "\n\n") == NULL &&
			strstr(text, "\n\r\n") == NULL))
		return mr_error_set(error,
			"%s is not a mail: it begins with headers such as "
			"From: and Subject:, and an empty line follows them",
			path);
	return 0;
}

static const char *read_template(
	struct mr_arena *arena, const char *path, struct mr_error *error)
{
	struct mr_source_file file;

	error->text[0] = '\0';
	if (path == NULL)
		return built_in;
	if (mr_source_read(arena, path, MR_WARN_LARGEST, false, &file, error) <
			0 ||
		check(path, file.text, file.length, error) < 0)
		return built_in;
	return file.text;
}

char *mr_warn_mail(struct mr_arena *arena, const char *path,
	const struct mr_warning *warning, struct mr_error *error)
{
	/* a name may hold what would begin another header */
	char *user = mr_text_printable(arena, warning->user, 320);
	const struct field fields[] = {
		{ "{user}", user },
		{ "{level}", warning->level },
		{ "{percent}", warning->percent },
		{ "{used}", warning->used },
		{ "{limit}", warning->limit },
		{ "{date}", format_date(arena, warning->now) },
		{ "{id}", make_id(arena, user) },
		{ NULL, NULL },
	};

	return fill(arena, read_template(arena, path, error), fields);
}
