/* setup - what `setup postfix` and `setup dovecot` share; see setup.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "cli/program.h"
#include "common/base/arena.h"
#include "common/base/units.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 78 };

static void print_wrapped(const char *line, size_t length)
{
	size_t column = 1;

	putchar('#');
	if (length > 0 && *line == ' ') {
		printf(" %.*s\n", (int)length, line);
		return;
	}
	while (length > 0) {
		size_t word = strcspn(line, " ");

		if (word > length)
			word = length;
		if (column > 1 && column + 1 + word > WIDTH) {
			printf("\n#");
			column = 1;
		}
		printf(" %.*s", (int)word, line);
		column += 1 + word;
		while (word < length && line[word] == ' ')
			word++;
		line += word;
		length -= word;
	}
	putchar('\n');
}

void mr_setup_explain(const struct mr_setup *setup, const char *format, ...)
{
	const char *text;
	va_list ap;

	if (setup->part != MR_SETUP_ALL)
		return;
	va_start(ap, format);
	text = mr_arena_vprintf(setup->arena, format, ap);
	va_end(ap);
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		print_wrapped(text, length);
		text += length + (text[length] == '\n');
	}
}

void mr_setup_heading(const struct mr_setup *setup, const char *title)
{
	static const char line[] =
		"---------------------------------------------"
		"-------------------------------------";
	int rest = WIDTH - 8 - (int)strlen(title);

	if (setup->part == MR_SETUP_ALL)
		printf("\n# ---- %s %.*s\n\n", title, rest > 4 ? rest : 4,
			line);
}

bool mr_setup_read_version(struct mr_setup *setup, const char *version)
{
	if (version == NULL ||
		sscanf(version, "%d.%d", &setup->major, &setup->minor) != 2)
		return false;
	setup->version = mr_arena_strndup(
		setup->arena, version, strcspn(version, " \n"));
	return true;
}

int mr_setup_ask_postfix(struct mr_setup *setup, struct mr_error *error)
{
	struct mr_postfix *postfix;

	if (mr_postfix_ask(setup->arena, &postfix, error) < 0)
		return -1;
	setup->postfix = postfix;
	if (!mr_setup_read_version(
		    setup, mr_postfix_get(postfix, "mail_version")))
		return mr_error_set(
			error, "postconf does not say Postfix's version");
	return 0;
}

int mr_setup_ask_dovecot(struct mr_setup *setup, struct mr_error *error)
{
	static const char *const argv[] = { "dovecot", "--version", NULL };
	const char *version;
	struct mr_dovecot *dovecot;

	if (mr_program_output(argv, setup->arena, &version, error) < 0)
		return -1;
	if (!mr_setup_read_version(setup, version))
		return mr_error_set(error, "dovecot does not say its version");
	if (mr_dovecot_modules(setup->arena, &setup->modules, error) == 0 &&
		mr_dovecot_ask(setup->arena, &dovecot, error) == 0)
		setup->dovecot = dovecot;
	else
		setup->no_answer = mr_arena_strdup(setup->arena, error->text);
	return 0;
}

bool mr_setup_is_at_least(const struct mr_setup *setup, int major, int minor)
{
	return setup->major > major ||
	       (setup->major == major && setup->minor >= minor);
}

struct mr_setup_listener *mr_setup_listeners(const struct mr_setup *setup)
{
	struct mr_setup_listener *first = NULL, **last = &first;
	const struct mr_scope *scope =
		mr_config_scopes(setup->policy->config, MR_LISTENER);

	for (; scope != NULL; scope = scope->next) {
		struct mr_chain chain = { .scope[MR_LISTENER] = scope };
		struct mr_setup_listener *l =
			MR_NEW(setup->arena, struct mr_setup_listener);
		const struct mr_settings *settings;
		struct mr_error ignored;
		int64_t port;

		l->title = scope->title;
		if (mr_number_parse(scope->title, 1, 65535, &port, &ignored) ==
			0)
			l->port = (unsigned)port;
		settings = mr_config_get(setup->policy->config, &chain,
			&mr_section_listener, NULL, setup->arena);
		l->values = settings->values;
		l->says_auth = mr_settings_place(settings,
				       offsetof(struct mr_listener, auth))
		                       .file != NULL;
		*last = l;
		last = &l->next;
	}
	return first;
}

bool mr_setup_is_dovecots(unsigned port)
{
	return port == 110 || port == 143 || port == 993 || port == 995;
}

const char *mr_setup_tls(enum mr_tls tls)
{
	return tls <= MR_TLS_ANY ? NULL : mr_tls_name(tls);
}
