/* section_scanner - the option table of scanner; see sections.h.  Its header
 * and whom it is believed of are the milter's; the plugin sees the rest. */
/* SPDX-License-Identifier: ISC */
#include "common/base/text.h"
#include "common/config/problem.h"
#include "common/config/sections.h"

#include <string.h>

#define AT(member) offsetof(struct mr_scanner, member)

enum { NAME_LONGEST = 32, SUBJECT_LONGEST = 40 };
enum { HEADER, TRUST, SUBJECT, FOLDER, SIEVE };

static const char *const sieve_words[] = { "first", "skipped", NULL };

static const struct mr_option options[] = {
	[HEADER] = { "header", MR_TYPE_STRING, .unpublished = true,
		.offset = AT(header),
		.help = "The header by which the scanner says that it found "
			"something, NAME: VALUE; in the value * matches "
			"anything." },
	[TRUST] = { "trust", MR_TYPE_STRING, .unpublished = true,
		.offset = AT(trust), .initial = "before",
		.help = "When it is believed: before, reinjected ADDRESS:PORT "
			"or authserv-id NAME." },
	[SUBJECT] = { "subject", MR_TYPE_STRING, .unpublished = true,
		.offset = AT(subject), .initial = "none",
		.help = "What is put in front of the mail's Subject, or "
			"none." },
	[FOLDER] = { "folder", MR_TYPE_STRING, .offset = AT(folder),
		.initial = "none",
		.help = "The folder that the mail is filed into, or none." },
	[SIEVE] = { "sieve", MR_TYPE_ENUM, .offset = AT(sieve),
		.initial = "first", .words = sieve_words,
		.help = "Whether the owner's Sieve script comes first, and "
			"only what it leaves to INBOX is filed, or is "
			"skipped." },
	{ NULL },
};

static int check_title(const char *title, struct mr_error *error)
{
	size_t length = strlen(title);

	if (length > NAME_LONGEST || !mr_text_is_name(title, length))
		return mr_error_set(error,
			"a scanner's name is of a-z, 0-9 and _, begins with a "
			"letter and has at most %d of them",
			NAME_LONGEST);
	return 0;
}

static bool is_printable(const char *text, size_t longest)
{
	const char *p = text;

	for (; *p >= ' ' && *p <= '~'; p++)
		;
	return *p == '\0' && p > text && (size_t)(p - text) <= longest;
}

static void validate(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_scanner *scanner = values;

	if (!is_printable(scanner->subject, SUBJECT_LONGEST))
		mr_problem_add(problems, MR_MISTAKE, places[SUBJECT],
			"a subject's tag is of 1 to %d printable ASCII "
			"characters, or none",
			SUBJECT_LONGEST);
	if (*scanner->folder == '\0')
		mr_problem_add(problems, MR_MISTAKE, places[FOLDER],
			"a folder has a name; without one write none");
}

const char *mr_scanner_word(const char *text)
{
	return strcmp(text, "none") == 0 ? NULL : text;
}

const struct mr_section mr_section_scanner = {
	.name = "scanner",
	.title = "NAME",
	.rung = MR_UNSET,
	.where = MR_EVERYWHERE & ~MR_IN(MR_LISTENER),
	.published = true,
	.options = options,
	.size = sizeof(struct mr_scanner),
	.check_title = check_title,
	.validate = validate,
	.help = "What becomes of mail in which a scanner of spam or viruses "
		"found something.  Published for the Dovecot plugin.",
};
