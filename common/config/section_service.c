/* section_service - the option tables of milter and policyd, the programs that
 * answer Postfix; see sections.h. */
/* SPDX-License-Identifier: ISC */
#include "common/config/problem.h"
#include "common/config/sections.h"

#include <string.h>

#define AT(member) offsetof(struct mr_service, member)

enum { SOCKET, CONTROL, USER, STATE, USAGE, QUERY };

static const struct mr_option milter_options[] = {
	[SOCKET] = { "socket", MR_TYPE_STRING, .list = true,
		.offset = AT(socket),
		.initial = "unix:/var/spool/postfix/mailreeve/milter.sock",
		.help = "Where Postfix finds the milter: unix:PATH, "
			"inet:PORT@ADDRESS, inet6:PORT@ADDRESS, or fd:NUMBER "
			"for a passed socket." },
	[CONTROL] = { "control", MR_TYPE_STRING, .offset = AT(control),
		.initial = "/run/mailreeve/milter.control",
		.help = "The socket that mailreeve status and reload talk "
			"to." },
	[USER] = { "user", MR_TYPE_STRING, .offset = AT(user),
		.initial = "mailreeve",
		.help = "The system user that the milter becomes if root "
			"starts it." },
	{ NULL },
};

static const struct mr_option policyd_options[] = {
	[SOCKET] = { "socket", MR_TYPE_STRING, .unpublished = true,
		.list = true, .offset = AT(socket),
		.initial = "unix:/var/spool/postfix/mailreeve/policy.sock",
		.help = "Where Postfix finds the policy daemon, one or more: "
			"unix:PATH, inet:PORT@ADDRESS, inet6:PORT@ADDRESS, or "
			"fd:NUMBER for a passed socket." },
	[CONTROL] = { "control", MR_TYPE_STRING, .unpublished = true,
		.offset = AT(control),
		.initial = "/run/mailreeve/policyd.control",
		.help = "The socket that mailreeve status and reload talk "
			"to." },
	[USER] = { "user", MR_TYPE_STRING, .unpublished = true,
		.offset = AT(user), .initial = "mailreeve",
		.help = "The system user that the policy daemon becomes if "
			"root starts it." },
	[STATE] = { "state", MR_TYPE_STRING, .unpublished = true,
		.offset = AT(state),
		.initial = "/var/lib/mailreeve/policyd.sqlite",
		.help = "Where it keeps what must outlive it: a file of SQLite "
			"of its own." },
	[USAGE] = { "usage", MR_TYPE_STRING, .offset = AT(usage),
		.initial = "/run/mailreeve/usage.sock",
		.help = "The socket on which it is told how full mailboxes "
			"are." },
	[QUERY] = { "query", MR_TYPE_STRING, .unpublished = true,
		.offset = AT(query), .initial = "/run/mailreeve/query.sock",
		.help = "The socket on which the milter asks how full "
			"mailboxes are." },
	{ "hold", MR_TYPE_DURATION, .unpublished = true, .offset = AT(hold),
		.initial = "10m",
		.help = "How long room is kept in a mailbox for mail that was "
			"accepted and is not saved yet." },
	{ "mail_users", MR_TYPE_STRING, .unpublished = true, .list = true,
		.offset = AT(mail_users), .initial = "vmail",
		.help = "The system users, beside root, that may tell it." },
	{ NULL },
};

/* unix:PATH, inet:PORT@ADDRESS, inet6:PORT@ADDRESS, fd:NUMBER. */
static bool is_socket(const char *text)
{
	const char *rest = strchr(text, ':');
	struct mr_error ignored;
	char digits[8] = "";
	size_t n;
	int64_t number;

	if (rest == NULL)
		return false;
	rest++;
	if (strncmp(text, "unix:", 5) == 0)
		return rest[0] == '/';
	n = strcspn(rest, "@");
	if (n >= sizeof(digits))
		return false;
	memcpy(digits, rest, n);
	if (strncmp(text, "fd:", 3) == 0)
		return rest[n] == '\0' &&
		       mr_number_parse(digits, 3, 1023, &number, &ignored) == 0;
	return (strncmp(text, "inet:", 5) == 0 ||
		       strncmp(text, "inet6:", 6) == 0) &&
	       mr_number_parse(digits, 1, 65535, &number, &ignored) == 0;
}

static void validate(const struct mr_service *service,
	const struct mr_place *places, size_t most,
	struct mr_problems *problems)
{
	const char *const *sockets = service->socket.items;

	for (size_t i = 0; i < service->socket.count; i++)
		if (!is_socket(sockets[i]))
			mr_problem_add(problems, MR_MISTAKE, places[SOCKET],
				"a socket is unix:/PATH, inet:PORT@ADDRESS, "
				"inet6:PORT@ADDRESS or fd:NUMBER");
	if (service->socket.count < 1 || service->socket.count > most)
		mr_problem_add(problems, MR_MISTAKE, places[SOCKET],
			most == 1 ? "the milter has one socket"
				  : "there are between one and eight sockets");
	if (service->control[0] != '/')
		mr_problem_add(problems, MR_MISTAKE, places[CONTROL],
			"control is a path that begins with /");
}

static void validate_milter(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	validate(values, places, 1, problems);
}

static void validate_policyd(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_service *service = values;

	validate(values, places, MR_SOCKETS_MOST, problems);
	if (service->state[0] != '/')
		mr_problem_add(problems, MR_MISTAKE, places[STATE],
			"state is a path that begins with /");
	if (service->usage[0] != '/')
		mr_problem_add(problems, MR_MISTAKE, places[USAGE],
			"usage is a path that begins with /");
	if (service->query[0] != '/')
		mr_problem_add(problems, MR_MISTAKE, places[QUERY],
			"query is a path that begins with /");
}

const struct mr_section mr_section_milter = {
	.name = "milter",
	.rung = MR_UNSET,
	.where = MR_IN(MR_GLOBAL),
	.options = milter_options,
	.size = sizeof(struct mr_service),
	.validate = validate_milter,
	.help = "The milter program.",
};

const struct mr_section mr_section_policyd = {
	.name = "policyd",
	.rung = MR_UNSET,
	.where = MR_IN(MR_GLOBAL),
	.published = true,
	.options = policyd_options,
	.size = sizeof(struct mr_service),
	.validate = validate_policyd,
	.help = "The policy daemon, for Postfix's policy delegation.",
};
