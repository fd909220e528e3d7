/* dns_server - see dns_server.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/dns_server.h"
#include "common/base/arena.h"
#include "common/base/units.h"
#include "common/config/schema.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- addresses */

static void fill_address(
	struct mr_dns_server *server, const struct mr_ip *ip, uint16_t port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&server->address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&server->address;

	server->address.ss_family = (sa_family_t)ip->family;
	if (ip->family == AF_INET) {
		server->size = sizeof(*four);
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, ip->octets, 4);
	} else {
		server->size = sizeof(*six);
		six->sin6_port = htons(port);
		memcpy(&six->sin6_addr, ip->octets, 16);
	}
}

int mr_dns_server_parse(
	const char *text, struct mr_dns_server *server, struct mr_error *error)
{
	struct mr_ip ip;
	uint16_t port;

	memset(server, 0, sizeof(*server));
	if (mr_ip_port_parse(text, 53, &ip, &port, error) < 0)
		return -1;
	fill_address(server, &ip, port);
	server->text = text;
	return 0;
}

/* resolv.conf(5); an address with a scope is not for us. */
static void read_file(struct mr_arena *arena, const char *path,
	struct mr_dns_servers *servers)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *rest, *word;
	struct mr_error ignored;
	size_t size = 0;

	if (file == NULL)
		return;
	while (getline(&line, &size, file) > 0 && servers->n < MR_DNS_SERVERS) {
		word = strtok_r(line, " \t\r\n", &rest);
		if (word == NULL || strcmp(word, "nameserver") != 0)
			continue;
		word = strtok_r(NULL, " \t\r\n", &rest);
		if (word == NULL)
			continue;
		word = mr_arena_strdup(arena, word);
		if (mr_dns_server_parse(
			    word, &servers->server[servers->n], &ignored) == 0)
			servers->n++;
	}
	free(line);
	fclose(file);
}

int mr_dns_servers_list(struct mr_arena *arena, const struct mr_list *texts,
	const char *path, struct mr_dns_servers *servers,
	struct mr_error *error)
{
	const char *const *items = texts->items;

	servers->n = 0;
	servers->server =
		MR_NEW_ARRAY(arena, struct mr_dns_server, MR_DNS_SERVERS);
	if (texts->count > MR_DNS_SERVERS)
		return mr_error_set(error, "there can be %d DNS servers",
			(int)MR_DNS_SERVERS);
	for (size_t i = 0; i < texts->count; i++)
		if (mr_dns_server_parse(mr_arena_strdup(arena, items[i]),
			    &servers->server[servers->n++], error) < 0)
			return -1;
	if (servers->n == 0)
		read_file(arena, path, servers);
	if (servers->n == 0)
		return mr_dns_server_parse(
			"127.0.0.1", &servers->server[servers->n++], error);
	return 0;
}

/* --- health */

void mr_dns_server_begin(struct mr_dns_server *server, int64_t now_ms)
{
	server->heard_ms = server->probed_ms = now_ms;
}

bool mr_dns_server_heard(
	struct mr_dns_server *server, int64_t now_ms, int64_t took_ms)
{
	unsigned took = took_ms < 0 ? 0 : (unsigned)took_ms;
	bool back = server->set_aside;
	unsigned off;

	server->heard_ms = now_ms;
	server->late = server->probes = 0;
	server->set_aside = false;
	server->answered++;
	if (server->mean_ms == 0 && server->spread_ms == 0) {
		server->mean_ms = took;
		server->spread_ms = took / 2 + 1;
		return back;
	}
	off = took > server->mean_ms ? took - server->mean_ms
	                             : server->mean_ms - took;
	server->spread_ms = (3 * server->spread_ms + off + 3) / 4;
	server->mean_ms = (7 * server->mean_ms + took) / 8;
	return back;
}

void mr_dns_server_late(struct mr_dns_server *server)
{
	server->late++;
}

int64_t mr_dns_server_probe_due(const struct mr_dns_server *server)
{
	int64_t last = server->heard_ms > server->probed_ms ? server->heard_ms
	                                                    : server->probed_ms;

	if (server->late > 0 || server->probes > 0 || server->set_aside)
		return server->probed_ms + MR_DNS_PROBE_MS;
	return last + MR_DNS_IDLE_MS;
}

void mr_dns_server_probed(struct mr_dns_server *server, int64_t now_ms)
{
	if (server->probes++ == 0)
		server->suspect_ms = now_ms;
	server->probed_ms = now_ms;
}

bool mr_dns_server_give_up(struct mr_dns_server *server, int64_t now_ms)
{
	if (server->set_aside || server->probes < MR_DNS_PROBES ||
		now_ms - server->suspect_ms < MR_DNS_SILENCE_MS)
		return false;
	server->set_aside = true;
	return true;
}

bool mr_dns_server_is_suspect(const struct mr_dns_server *server)
{
	return server->late > 0 || server->probes > 1 || server->set_aside ||
	       server->mean_ms > MR_DNS_SLOW_MS;
}

int64_t mr_dns_server_pace(const struct mr_dns_server *server)
{
	int64_t pace = server->mean_ms + 4 * (int64_t)server->spread_ms;

	if (pace < MR_DNS_LEAST_PACE_MS)
		return MR_DNS_LEAST_PACE_MS;
	return pace > MR_DNS_MOST_PACE_MS ? MR_DNS_MOST_PACE_MS : pace;
}
