/* section_dns - the option table of dns; see sections.h. */
/* SPDX-License-Identifier: ISC */
#include "common/config/problem.h"
#include "common/config/sections.h"

#define AT(member) offsetof(struct mr_dns_settings, member)

enum { SERVERS, TIMEOUT, CACHE };

static const struct mr_option options[] = {
	[SERVERS] = { "servers", MR_TYPE_STRING, .list = true,
		.offset = AT(servers),
		.help = "The DNS servers, ADDRESS or ADDRESS:PORT, in the "
			"order in which they are asked; by default those of "
			"/etc/resolv.conf." },
	[TIMEOUT] = { "timeout", MR_TYPE_DURATION, .offset = AT(timeout),
		.initial = "5s",
		.help = "After which a question is given up, all servers "
			"together; who asks waits no longer than wait." },
	[CACHE] = { "cache", MR_TYPE_SIZE, .offset = AT(cache),
		.initial = "16M",
		.help = "The memory for answers; what was not asked for "
			"longest goes first." },
	{ NULL },
};

enum { MOST_SERVERS = 8, LONGEST_TIMEOUT = 25 };
static const uint64_t least_cache = 64 * 1024,
		      most_cache = 4ULL * 1024 * 1024 * 1024;

static void validate(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_dns_settings *dns = values;
	const char *const *servers = dns->servers.items;
	struct mr_error error;
	struct mr_ip ip;
	uint16_t port;

	if (dns->servers.count > MOST_SERVERS)
		mr_problem_add(problems, MR_MISTAKE, places[SERVERS],
			"%d servers are the most that are asked", MOST_SERVERS);
	for (size_t i = 0; i < dns->servers.count; i++)
		if (mr_ip_port_parse(servers[i], 53, &ip, &port, &error) < 0)
			mr_problem_add(problems, MR_MISTAKE, places[SERVERS],
				"%s", error.text);
	if (dns->timeout < 1 || dns->timeout > LONGEST_TIMEOUT)
		mr_problem_add(problems, MR_MISTAKE, places[TIMEOUT],
			"timeout must be from 1s to %ds", LONGEST_TIMEOUT);
	if (dns->cache < least_cache || dns->cache > most_cache)
		mr_problem_add(problems, MR_MISTAKE, places[CACHE],
			"cache must be from 64K to 4G");
}

const struct mr_section mr_section_dns = {
	.name = "dns",
	.rung = MR_UNSET,
	.where = MR_IN(MR_GLOBAL),
	.options = options,
	.size = sizeof(struct mr_dns_settings),
	.validate = validate,
	.help = "How names are looked up.",
};
