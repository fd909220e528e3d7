/* postfix - see postfix.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/postfix.h"
#include "cli/program.h"
#include "common/base/arena.h"

#include <string.h>

int mr_postfix_ask(struct mr_arena *arena, struct mr_postfix **postfix_r,
	struct mr_error *error)
{
	static const char *const all[] = { "postconf", NULL };
	static const char *const set[] = { "postconf", "-n", NULL };
	static const char *const expanded[] = { "postconf", "-x", NULL };
	static const char *const services[] = { "postconf", "-M", NULL };
	static const char *const options[] = { "postconf", "-Px", NULL };
	struct mr_postfix *postfix = MR_NEW(arena, struct mr_postfix);

	postfix->arena = arena;
	if (mr_program_output(all, arena, &postfix->all, error) < 0 ||
		mr_program_output(set, arena, &postfix->set, error) < 0 ||
		mr_program_output(expanded, arena, &postfix->expanded, error) <
			0 ||
		mr_program_output(services, arena, &postfix->services, error) <
			0 ||
		mr_program_output(options, arena, &postfix->options, error) < 0)
		return -1;
	*postfix_r = postfix;
	return 0;
}

/* The value in lines of "name = value". */
static const char *find(
	struct mr_arena *arena, const char *text, const char *name)
{
	size_t length = strlen(name);

	while (text != NULL && *text != '\0') {
		size_t line = strcspn(text, "\n");

		if (line > length + 1 && strncmp(text, name, length) == 0 &&
			strncmp(text + length, " =", 2) == 0) {
			const char *value = text + length + 2;

			value += strspn(value, " ");
			return mr_arena_strndup(
				arena, value, (size_t)(text + line - value));
		}
		text += line + (text[line] == '\n');
	}
	return NULL;
}

const char *mr_postfix_get(const struct mr_postfix *postfix, const char *name)
{
	return find(postfix->arena, postfix->all, name);
}

const char *mr_postfix_expand(
	const struct mr_postfix *postfix, const char *name)
{
	return find(postfix->arena, postfix->expanded, name);
}

bool mr_postfix_sets(const struct mr_postfix *postfix, const char *name)
{
	return find(postfix->arena, postfix->set, name) != NULL;
}

static const char *squeeze(struct mr_arena *arena, const char *text, size_t n)
{
	char *copy = mr_arena_strndup(arena, text, n), *to = copy;

	for (const char *from = copy; *from != '\0'; from++)
		if (*from != ' ' || to == copy || to[-1] != ' ')
			*to++ = *from;
	*to = '\0';
	return copy;
}

const char *mr_postfix_service(
	const struct mr_postfix *postfix, const char *name)
{
	const char *text = postfix->services;

	while (*text != '\0') {
		size_t line = strcspn(text, "\n");
		const char *copy = squeeze(postfix->arena, text, line);
		size_t first = strcspn(copy, " ");
		const char *port = copy;

		for (const char *p = copy; p < copy + first; p++)
			if (*p == ':')
				port = p + 1;
		if ((size_t)(copy + first - port) == strlen(name) &&
			strncmp(port, name, strlen(name)) == 0 &&
			strncmp(copy + first, " inet ", 6) == 0)
			return copy;
		text += line + (text[line] == '\n');
	}
	return NULL;
}

/* `name` is that of an inet service, [HOST:]PORT. */
static bool is_loopback(const char *name)
{
	static const char *const hosts[] = { "127.",
		"[::1]:", "::1:", "localhost:" };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (strncmp(name, hosts[i], strlen(hosts[i])) == 0 &&
			strchr(name, ':') != NULL)
			return true;
	return false;
}

enum {
	NAME,
	TYPE,
	PRIVATE,
	UNPRIVILEGED,
	CHROOT,
	WAKEUP,
	MAXPROC,
	PROGRAM,
	FIELDS
};

static bool read_service(const struct mr_postfix *postfix, const char *line,
	struct mr_postfix_service *service)
{
	const char *field[FIELDS];

	for (int i = 0; i < FIELDS; i++) {
		size_t length = strcspn(line, " ");

		if (length == 0)
			return false;
		field[i] = mr_arena_strndup(postfix->arena, line, length);
		line += length + (line[length] == ' ');
	}
	service->name = mr_arena_printf(
		postfix->arena, "%s/%s", field[NAME], field[TYPE]);
	service->program = field[PROGRAM];
	service->chrooted = strcmp(field[CHROOT], "y") == 0;
	service->outside = strcmp(field[PROGRAM], "smtpd") == 0 &&
	                   (strcmp(field[TYPE], "pass") == 0 ||
				   (strcmp(field[TYPE], "inet") == 0 &&
					   !is_loopback(field[NAME])));
	return true;
}

const struct mr_postfix_service *mr_postfix_services(
	const struct mr_postfix *postfix)
{
	const struct mr_postfix_service *first = NULL, **last = &first;
	const char *text = postfix->services;

	while (*text != '\0') {
		size_t line = strcspn(text, "\n");
		struct mr_postfix_service *service =
			MR_NEW(postfix->arena, struct mr_postfix_service);

		if (read_service(postfix, squeeze(postfix->arena, text, line),
			    service)) {
			*last = service;
			last = &service->next;
		}
		text += line + (text[line] == '\n');
	}
	return first;
}

const char *mr_postfix_option(const struct mr_postfix *postfix,
	const struct mr_postfix_service *service, const char *name)
{
	return find(postfix->arena, postfix->options,
		mr_arena_printf(postfix->arena, "%s/%s", service->name, name));
}

const char *mr_postfix_next(struct mr_arena *arena, const char **list)
{
	const char *start = *list + strspn(*list, ", \t"), *p = start;
	int depth = 0;

	if (*start == '\0')
		return NULL;
	for (; *p != '\0' && (depth > 0 || strchr(", \t", *p) == NULL); p++)
		depth += (*p == '{') - (*p == '}');
	*list = p;
	return mr_arena_strndup(arena, start, (size_t)(p - start));
}
