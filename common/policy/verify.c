/* verify - see verify.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/verify.h"
#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/map/map.h"
#include "common/policy/check.h"
#include "common/policy/lists.h"
#include "common/policy/mailing.h"
#include "common/policy/reply.h"
#include "common/policy/scanners.h"

#include <string.h>

struct verifier {
	const struct mr_config *config;
	struct mr_problems *problems;
};

/* --- values that the core's types cannot judge */

static void verify_maps(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;
	const struct mr_list *list = value;
	const char *const *references = list->items;
	struct mr_error error;

	(void)scope;
	for (size_t i = 0; i < list->count; i++)
		if (mr_map_check(references[i], &error) < 0)
			mr_problem_add(
				v->problems, MR_MISTAKE, *at, "%s", error.text);
}

static void verify_text(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;
	struct mr_error error;

	(void)scope;
	if (mr_reply_check(*(const char *const *)value, &error) < 0)
		mr_problem_add(v->problems, MR_MISTAKE, *at, "%s", error.text);
}

static void verify_skip(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;
	const struct mr_list *list = value;
	const char *const *names = list->items;
	const char *known[64] = { "all" };

	(void)scope;
	for (size_t i = 0; mr_checks[i] != NULL && i < 62; i++)
		known[i + 1] = mr_checks[i]->name;
	for (size_t i = 0; i < list->count; i++) {
		const char *const *k = known;
		struct mr_problem *problem;
		const char *near;

		while (*k != NULL && strcmp(*k, names[i]) != 0)
			k++;
		if (*k != NULL)
			continue;
		problem = mr_problem_add(v->problems, MR_MISTAKE, *at,
			"there is no check \"%s\"", names[i]);
		near = mr_text_nearest(names[i], known);
		if (near != NULL)
			problem->hint = mr_arena_printf(v->problems->arena,
				"did you mean \"%s\"?", near);
	}
}

static void verify_purge(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;
	struct mr_chain chain = { 0 };
	struct mr_arena *arena = v->problems->arena;
	const struct mr_settings *keep;
	int64_t after = *(const int64_t *)value, minimum;
	struct mr_place floor;

	chain.scope[scope->rung] = scope;
	keep = mr_config_get(v->config, &chain, &mr_section_keep, NULL, arena);
	minimum = ((const struct mr_keep *)keep->values)->minimum;
	floor = mr_settings_place(keep, offsetof(struct mr_keep, minimum));
	if (after < minimum)
		mr_problem_add(v->problems, MR_MISTAKE, *at,
			"after = %s can never happen: keep { minimum = %s } "
			"(%s) is longer",
			mr_duration_format(arena, after),
			mr_duration_format(arena, minimum),
			mr_place_format(arena, &floor));
}

/* Dovecot's quota_full_tempfail, which setup prints from it, is one for all. */
static void verify_full(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;

	(void)value;
	if (scope->rung != MR_GLOBAL)
		mr_problem_add(v->problems, MR_WARNING, *at,
			"full counts at the top of the file only: Dovecot has "
			"one setting for it");
}

/* The milter asks for bodies, or not, before it knows of whom. */
static void verify_verify(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct verifier *v = context;

	(void)value;
	if (scope->rung != MR_GLOBAL)
		mr_problem_add(v->problems, MR_WARNING, *at,
			"verify counts at the top of the file only: it is one "
			"for all mail");
}

/* --- settings that cannot be meant together */

/* Where a check is switched on for anybody. */
struct switched {
	bool on;
	struct mr_place at;
};

static void see_action(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct switched *switched = context;

	(void)scope;
	if (*(const int *)value <= MR_OFF || switched->on)
		return;
	switched->on = true;
	switched->at = *at;
}

static void verify_check(struct verifier *v, const struct mr_check *check)
{
	const struct mr_option *o = check->section->options;
	struct switched switched = { 0 };

	if (check->verify == NULL)
		return;
	for (; o->name != NULL; o++)
		if (o->words == mr_action_words)
			mr_config_each(v->config, check->section, o->offset,
				see_action, &switched);
	if (switched.on)
		check->verify(v->config, &switched.at, v->problems);
}

/* daemon_name is $myhostname unless master.cf says otherwise. */
static bool is_service(const char *title)
{
	static const char *const names[] = { "smtp", "smtps", "submission",
		"submissions", "imap", "imaps", "pop3", "pop3s" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], title) == 0)
			return true;
	return false;
}

static void verify_listener(struct verifier *v, const struct mr_scope *s)
{
	struct mr_chain chain = { .scope[MR_LISTENER] = s };
	const struct mr_listener *listener = mr_config_get(v->config, &chain,
		&mr_section_listener, NULL, v->problems->arena)
	                                             ->values;

	if (is_service(s->title))
		mr_problem_add(v->problems, MR_WARNING, s->at,
			"a listener is a port or Postfix's "
			"milter_macro_daemon_name, which is the host's name "
			"unless master.cf sets it: better write the port");
	if (strcmp(s->title, "25") != 0)
		return;
	if (listener->auth == MR_AUTH_REQUIRED)
		mr_problem_add(v->problems, MR_WARNING, s->at,
			"auth = required on port 25 refuses all mail from "
			"other servers");
	if (listener->tls != MR_TLS_NONE)
		mr_problem_add(v->problems, MR_WARNING, s->at,
			"tls on port 25 refuses mail from servers that offer "
			"none (RFC 3207 section 4)");
}

/* Rules go by the address without its detail; this one would never match. */
static void verify_users(struct verifier *v)
{
	const struct mr_maps *maps = mr_config_get(
		v->config, NULL, &mr_section_maps, NULL, v->problems->arena)
	                                     ->values;
	const struct mr_scope *s = mr_config_scopes(v->config, MR_USER);
	struct mr_arena *arena = mr_arena_new(1024);
	struct mr_address address;
	struct mr_error ignored;

	for (; s != NULL; s = s->next)
		if (mr_address_parse(arena, s->title, maps->recipient_delimiter,
			    &address, &ignored) == 0 &&
			address.detail != NULL)
			mr_problem_add(v->problems, MR_MISTAKE, s->at,
				"rules go by the address without its detail: "
				"write user %s",
				address.plain);
	mr_arena_free(&arena);
}

static void verify_options(struct verifier *v, const struct mr_section *section)
{
	const struct mr_option *o = section->options;

	for (; o->name != NULL; o++) {
		size_t length = strlen(o->name);

		if (o->type == MR_TYPE_MAP)
			mr_config_each(
				v->config, section, o->offset, verify_maps, v);
		if (length > 5 && strcmp(o->name + length - 5, "_text") == 0)
			mr_config_each(
				v->config, section, o->offset, verify_text, v);
	}
}

void mr_policy_verify(
	const struct mr_config *config, struct mr_problems *problems)
{
	struct verifier v = { config, problems };
	const struct mr_section *const *section =
		mr_config_schema(config)->sections;
	const struct mr_scope *listener = mr_config_scopes(config, MR_LISTENER);

	for (; *section != NULL; section++)
		verify_options(&v, *section);
	mr_config_each(config, &mr_section_exception,
		offsetof(struct mr_exception, skip), verify_skip, &v);
	mr_config_each(config, &mr_section_purge,
		offsetof(struct mr_purge, after), verify_purge, &v);
	mr_config_each(config, &mr_section_mailbox,
		offsetof(struct mr_mailbox, full), verify_full, &v);
	mr_config_each(config, &mr_section_message,
		offsetof(struct mr_message, verify), verify_verify, &v);
	for (size_t i = 0; mr_checks[i] != NULL; i++)
		verify_check(&v, mr_checks[i]);
	mr_policy_verify_lists(config, problems);
	mr_policy_verify_scanners(config, problems);
	mr_policy_verify_mailings(config, problems);
	verify_users(&v);
	for (; listener != NULL; listener = listener->next)
		verify_listener(&v, listener);
}
