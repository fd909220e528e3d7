/* view - see view.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/view.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/config/published.h"
#include "common/config/sections.h"
#include "common/map/map.h"

#include <stdio.h>
#include <string.h>

/* A table that does not answer for so long is "could not find out". */
enum { GROUP_WAIT_MS = 500 };

struct view {
	struct mr_view view;
	struct mr_arena *arena;
	struct mr_published *published;
	struct mr_chain chain;
	const struct mr_scope **perhaps; /* ends with NULL */
	size_t n_perhaps;
	int64_t loaded_ms;
};

static const void *get(const struct view *v, const struct mr_chain *chain,
	const struct mr_section *section, const char *title,
	const struct mr_settings **settings_r)
{
	*settings_r = mr_config_get(mr_published_config(v->published), chain,
		section, title, v->arena);
	return (*settings_r)->values;
}

/* --- groups ------------------------------------------------------------- */

static enum mr_lookup ask_table(const char *reference, const char *address,
	struct mr_arena *arena, struct mr_error *error)
{
	enum mr_lookup answer = MR_TEMPFAIL;
	struct mr_map *map = NULL;
	const char *value;

	if (mr_map_open(reference, &map, error) == 0)
		answer = mr_map_get(map, arena, address,
			mr_clock_ms() + GROUP_WAIT_MS, &value, error);
	mr_map_free(&map);
	return answer;
}

static enum mr_lookup is_member(struct view *v, const struct mr_scope *group,
	const char *address, struct mr_error *error)
{
	struct mr_chain chain = { .scope[MR_GROUP] = group };
	const struct mr_settings *settings;
	const struct mr_group *values =
		get(v, &chain, &mr_section_group, NULL, &settings);
	const char *const *references = values->members.items;
	enum mr_lookup answer = MR_NOTFOUND;

	for (size_t i = 0; i < values->members.count; i++) {
		struct mr_error why;

		switch (ask_table(references[i], address, v->arena, &why)) {
		case MR_FOUND:
			return MR_FOUND;
		case MR_TEMPFAIL:
			*error = why;
			answer = MR_TEMPFAIL;
			break;
		case MR_NOTFOUND:
			break;
		}
	}
	return answer;
}

/* The first in the file that has the address; those that may have it are
 * kept, too. */
static void find_group(struct view *v, const char *address)
{
	const struct mr_scope *g = mr_config_scopes(
		mr_published_config(v->published), MR_GROUP);
	size_t n = 0;

	for (const struct mr_scope *s = g; s != NULL; s = s->next)
		n++;
	v->perhaps = MR_NEW_ARRAY(v->arena, const struct mr_scope *, n + 1);
	for (; g != NULL; g = g->next) {
		struct mr_error why;

		switch (is_member(v, g, address, &why)) {
		case MR_FOUND:
			v->chain.scope[MR_GROUP] = g;
			return;
		case MR_TEMPFAIL:
			v->perhaps[v->n_perhaps++] = g;
			v->view.unsure = true;
			snprintf(v->view.unsure_why,
				sizeof(v->view.unsure_why),
				"cannot tell who is in group %.64s: %.400s",
				g->title, why.text);
			break;
		case MR_NOTFOUND:
			break;
		}
	}
}

/* --- settings ----------------------------------------------------------- */

static char *origin(const struct view *v, const struct mr_settings *settings,
	size_t offset)
{
	struct mr_place at = mr_settings_place(settings, offset);

	return mr_published_origin(v->published, &at, v->arena);
}

static void set_quota(struct view *v, const struct mr_chain *chain)
{
	const struct mr_settings *settings;
	const struct mr_mailbox *m =
		get(v, chain, &mr_section_mailbox, NULL, &settings);

	v->view.quota = m->quota;
	v->view.quota_is_users = mr_settings_rung(settings,
					 offsetof(struct mr_mailbox, quota)) ==
	                         MR_USER;
	v->view.quota_at =
		origin(v, settings, offsetof(struct mr_mailbox, quota));
}

/* The default of `trash` is the size of a mail, where that has a limit. */
static void set_trash(struct view *v, const struct mr_mailbox *m,
	const struct mr_settings *settings)
{
	const struct mr_settings *ignored;
	const struct mr_message *message =
		get(v, &v->chain, &mr_section_message, NULL, &ignored);
	struct mr_place at = mr_settings_place(
		settings, offsetof(struct mr_mailbox, trash));

	v->view.trash = at.file == NULL && message->size != MR_UNLIMITED
	                        ? message->size
	                        : m->trash;
}

static void set_mailbox(struct view *v)
{
	const struct mr_settings *settings;
	const struct mr_mailbox *m =
		get(v, &v->chain, &mr_section_mailbox, NULL, &settings);

	v->view.levels = m->warn.items;
	v->view.n_levels = m->warn.count;
	v->view.warn_command = m->warn_command;
	v->view.warn_mail = m->warn_mail;
	set_trash(v, m, settings);
	set_quota(v, &v->chain);
	for (size_t i = 0; i < v->n_perhaps; i++) {
		struct mr_view narrow = v->view;
		struct mr_chain chain = v->chain;

		chain.scope[MR_GROUP] = v->perhaps[i];
		set_quota(v, &chain);
		if (v->view.quota <= narrow.quota)
			v->view = narrow;
	}
}

static const char *describe_scope(struct view *v, enum mr_rung rung)
{
	static const char *const words[] = { "user", "group", "domain",
		"listener" };
	const struct mr_scope *scope =
		rung == MR_GLOBAL ? NULL : v->chain.scope[rung];

	if (scope == NULL)
		return "global";
	return mr_arena_printf(v->arena, "%s %s", words[rung], scope->title);
}

static void set_rules(struct view *v)
{
	const struct mr_settings *settings;
	const struct mr_keep *keep =
		get(v, &v->chain, &mr_section_keep, NULL, &settings);
	const char *const *titles = mr_config_titles(
		mr_published_config(v->published), &v->chain,
		&mr_section_purge, v->arena);
	struct mr_purge_rule *rules;
	size_t n = 0;

	v->view.share = keep->share;
	while (titles[n] != NULL)
		n++;
	rules = MR_NEW_ARRAY(v->arena, struct mr_purge_rule, n + 1);
	for (size_t i = 0; i < n; i++) {
		const struct mr_purge *purge = get(v, &v->chain,
			&mr_section_purge, titles[i], &settings);
		size_t after = offsetof(struct mr_purge, after);

		rules[i] = (struct mr_purge_rule){
			.folder = titles[i],
			.after = purge->after,
			.minimum = keep->minimum,
			.keep_flagged = purge->keep_flagged,
			.scope = describe_scope(
				v, mr_settings_rung(settings, after)),
			.at = origin(v, settings, after),
		};
	}
	v->view.rules = rules;
	v->view.n_rules = n;
}

/* One folder for a scanner's finds, and how, or none. */
static struct mr_filing filing_of(
	struct view *v, const struct mr_chain *chain, const char *scanner)
{
	const struct mr_settings *settings;
	const struct mr_scanner *values =
		get(v, chain, &mr_section_scanner, scanner, &settings);

	return (struct mr_filing){
		.scanner = scanner,
		.folder = mr_scanner_word(values->folder),
		.skips_sieve = values->sieve == MR_SIEVE_SKIPPED,
		.at = origin(v, settings, offsetof(struct mr_scanner, folder)),
	};
}

/* What all groups that it may be agree on: else it stays in INBOX, and Sieve is
 * asked. */
static struct mr_filing agreed_filing(struct view *v, const char *scanner)
{
	struct mr_filing agreed = filing_of(v, &v->chain, scanner);

	for (size_t i = 0; i < v->n_perhaps; i++) {
		struct mr_chain chain = v->chain;
		struct mr_filing other;

		chain.scope[MR_GROUP] = v->perhaps[i];
		other = filing_of(v, &chain, scanner);
		if (agreed.folder != NULL && (other.folder == NULL ||
			strcmp(agreed.folder, other.folder) != 0))
			agreed.folder = NULL;
		agreed.skips_sieve &= other.skips_sieve;
	}
	return agreed;
}

/* All scanners stand at the top. */
static void set_filings(struct view *v)
{
	const char *const *titles =
		mr_config_titles(mr_published_config(v->published), NULL,
			&mr_section_scanner, v->arena);
	struct mr_filing *filings;
	size_t n = 0;

	while (titles[n] != NULL)
		n++;
	filings = MR_NEW_ARRAY(v->arena, struct mr_filing, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct mr_filing filing = agreed_filing(v, titles[i]);

		if (filing.folder != NULL)
			filings[v->view.n_filings++] = filing;
	}
	v->view.filings = filings;
}

/* Set or not, it is for all. */
static const char *usage_socket(struct view *v)
{
	const struct mr_settings *settings;
	const struct mr_service *policyd =
		get(v, NULL, &mr_section_policyd, NULL, &settings);

	return policyd->usage;
}

int mr_view_load(const char *path, const char *address, struct mr_view **view_r,
	struct mr_error *error)
{
	struct mr_published *published;
	const struct mr_settings *settings;
	const struct mr_global *global;
	struct mr_arena *arena;
	struct view *v;

	*view_r = NULL;
	if (mr_published_read(path, address, &published, error) < 0)
		return -1;
	arena = mr_arena_new(2048);
	v = MR_NEW(arena, struct view);
	v->arena = arena;
	v->published = published;
	v->chain = *mr_published_chain(published);
	v->loaded_ms = mr_clock_ms();
	global = get(v, NULL, &mr_section_global, NULL, &settings);
	v->view.observe = global->mode == MR_MODE_OBSERVE;
	v->view.mark = global->tag_header;
	find_group(v, address);
	set_mailbox(v);
	set_rules(v);
	set_filings(v);
	v->view.usage = usage_socket(v);
	*view_r = &v->view;
	return 0;
}

void mr_view_free(struct mr_view **view)
{
	struct view *v = (struct view *)*view;
	struct mr_arena *arena;

	*view = NULL;
	if (v == NULL)
		return;
	arena = v->arena;
	mr_published_free(&v->published);
	mr_arena_free(&arena);
}

bool mr_view_is_stale(const struct mr_view *view, int64_t now_ms)
{
	const struct view *v = (const struct view *)view;

	return now_ms - v->loaded_ms >= (int64_t)MR_VIEW_SECONDS * 1000 ||
	       mr_published_has_changed(v->published);
}

/* --- the sum ------------------------------------------------------------ */

uint64_t mr_view_sum(const struct mr_view *view)
{
	struct mr_arena *arena = mr_arena_new(1024);
	uint64_t sum = MR_HASH_START;

	sum = mr_hash(sum, &view->quota, sizeof(view->quota));
	sum = mr_hash(
		sum, view->levels, view->n_levels * sizeof(*view->levels));
	for (size_t i = 0; i < view->n_rules; i++) {
		const char *line =
			mr_purge_reported_line(arena, &view->rules[i]);

		sum = mr_hash(sum, line, strlen(line) + 1);
	}
	mr_arena_free(&arena);
	return sum;
}
