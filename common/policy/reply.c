/* reply - see reply.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/reply.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/base/units.h"

#include <string.h>

/* "550 5.1.1 " in front and " (id 7F3K9Q2M)" behind. */
enum { CODES = 12, ID = 14, FIELD_LONGEST = 72 };
enum { TEXT_LONGEST = MR_REPLY_LONGEST - CODES - ID };

struct filling {
	const struct mr_question *question;
	const struct mr_answer *answer;
	struct mr_arena *arena;
};

static const char *or_unknown(const char *text)
{
	return text == NULL || *text == '\0' ? "unknown" : text;
}

static const char *fill_id(const struct filling *f)
{
	return f->question->txn->id;
}

static const char *fill_hostname(const struct filling *f)
{
	return f->question->policy->global->hostname;
}

static const char *fill_client(const struct filling *f)
{
	return mr_ip_format(f->arena, &f->question->session->client);
}

static const char *fill_client_name(const struct filling *f)
{
	return or_unknown(f->question->session->client_name);
}

static const char *fill_helo(const struct filling *f)
{
	return or_unknown(f->question->session->helo);
}

static const char *fill_sender(const struct filling *f)
{
	return mr_arena_printf(
		f->arena, "<%s>", f->question->txn->sender_given);
}

static const char *fill_recipient(const struct filling *f)
{
	const struct mr_recipient *r = f->question->recipient;

	return r == NULL ? "this server"
	                 : mr_arena_printf(f->arena, "<%s>", r->given);
}

static const char *fill_login(const struct filling *f)
{
	return or_unknown(f->question->session->login);
}

static const char *fill_port(const struct filling *f)
{
	return mr_arena_printf(f->arena, "%u", f->question->session->port);
}

static const char *fill_tls(const struct filling *f)
{
	enum mr_tls tls = f->question->session->tls;

	return tls == MR_TLS_NONE ? "no TLS" : mr_tls_name(tls);
}

static const char *fill_size(const struct filling *f)
{
	return mr_size_for_people(f->arena, f->answer->size);
}

static const char *fill_limit(const struct filling *f)
{
	return mr_size_for_people(f->arena, f->answer->limit);
}

/* Base64 (RFC 2045 section 6.8) makes 78 octets on the wire of 57 of a file:
 * the "approx 37%" of the providers' pages.  Rounded down: a promise. */
static const char *fill_files(const struct filling *f)
{
	uint64_t files = f->answer->limit / 78 * 57;

	if (files >= 1024 * 1024)
		files = files / (1024 * 1024) * (1024 * 1024);
	return mr_size_for_people(f->arena, files);
}

static const char *fill_detail(const struct filling *f)
{
	return f->answer->detail == NULL ? "" : f->answer->detail;
}

static const char *fill_explanation(const struct filling *f)
{
	return f->answer->explanation == NULL ? "" : f->answer->explanation;
}

static const char *fill_list(const struct filling *f)
{
	return or_unknown(f->answer->list);
}

static const char *fill_listed(const struct filling *f)
{
	return or_unknown(f->answer->listed);
}

static const char *fill_url(const struct filling *f)
{
	return or_unknown(f->answer->url);
}

static const struct {
	const char *name;
	const char *(*fill)(const struct filling *filling);
	bool whole; /* is not cut: half a URL is of no use, and an explanation
	               was cut by its check, behind the name of who says it */
} fields[] = {
	{ "id", fill_id },
	{ "hostname", fill_hostname },
	{ "client", fill_client },
	{ "client_name", fill_client_name },
	{ "helo", fill_helo },
	{ "sender", fill_sender },
	{ "recipient", fill_recipient },
	{ "login", fill_login },
	{ "port", fill_port },
	{ "tls", fill_tls },
	{ "size", fill_size },
	{ "limit", fill_limit },
	{ "files", fill_files },
	{ "detail", fill_detail },
	{ "explanation", fill_explanation, true },
	{ "list", fill_list },
	{ "listed", fill_listed },
	{ "url", fill_url, true },
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static int find_field(const char *name, size_t length)
{
	for (int i = 0; i < FIELDS; i++)
		if (strlen(fields[i].name) == length &&
			memcmp(fields[i].name, name, length) == 0)
			return i;
	return -1;
}

static int unknown_field(
	const char *name, size_t length, struct mr_error *error)
{
	const char *known[FIELDS + 1] = { NULL };
	char text[64];
	const char *near;

	for (int i = 0; i < FIELDS; i++)
		known[i] = fields[i].name;
	if (length >= sizeof(text))
		length = sizeof(text) - 1;
	memcpy(text, name, length);
	text[length] = '\0';
	near = mr_text_nearest(text, known);
	return mr_error_set(error, "unknown field {%s}%s%s%s", text,
		near == NULL ? "" : "; did you mean {",
		near == NULL ? "" : near, near == NULL ? "" : "}?");
}

static const char *fill(const struct filling *filling, int field)
{
	const char *value = field < 0 ? "" : fields[field].fill(filling);
	bool whole = field >= 0 && fields[field].whole;

	return mr_text_printable(
		filling->arena, value, whole ? TEXT_LONGEST : FIELD_LONGEST);
}

int mr_reply_check(const char *template, struct mr_error *error)
{
	if (*template == '\0')
		return mr_error_set(error, "a reply needs a text");
	if (strlen(template) > TEXT_LONGEST)
		return mr_error_set(error,
			"the text has %zu octets, of which at most %d fit into "
			"a reply",
			strlen(template), TEXT_LONGEST);
	for (const char *p = template; *p != '\0'; p++) {
		const char *end = strchr(p, '}');

		if (*p < ' ' || *p > '~')
			return mr_error_set(
				error, "a reply is printable ASCII (RFC 5321)");
		if (*p != '{')
			continue;
		if (end == NULL)
			return mr_error_set(error, "a { without its }");
		if (find_field(p + 1, (size_t)(end - p - 1)) < 0)
			return unknown_field(
				p + 1, (size_t)(end - p - 1), error);
		p = end;
	}
	return 0;
}

const char *mr_reply_text(const struct mr_question *question,
	const struct mr_answer *answer, const char *template)
{
	struct mr_arena *arena = question->txn->arena;
	struct filling filling = { question, answer, arena };
	const char *text = "";

	for (const char *p = template, *end; *p != '\0'; p = end) {
		const char *value;

		if (*p == '{' && (end = strchr(p, '}')) != NULL) {
			int field = find_field(p + 1, (size_t)(end - p - 1));

			value = fill(&filling, field);
			end++;
		} else {
			end = p + 1 + strcspn(p + 1, "{");
			value = mr_arena_strndup(arena, p, (size_t)(end - p));
		}
		text = mr_arena_printf(arena, "%s%s", text, value);
	}
	text = mr_text_printable(arena, text, TEXT_LONGEST);
	return mr_arena_printf(arena, "%s (id %s)", text, question->txn->id);
}
