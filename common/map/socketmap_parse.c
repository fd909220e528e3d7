/* socketmap_parse - see socketmap.h. */
/* SPDX-License-Identifier: ISC */
#include "common/map/socketmap.h"
#include "common/base/arena.h"
#include "common/base/ip.h"
#include "common/base/socket.h"
#include "common/base/text.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_REASON = 200, SHOWN_REPLY = 40, LONGEST_HOST = 64 };

static int wrong_form(struct mr_error *error)
{
	return mr_error_set(error, "expected socketmap:unix:PATH:NAME or "
				   "socketmap:inet:ADDRESS:PORT:NAME");
}

static void put_address(struct mr_socketmap *socketmap, const struct mr_ip *ip,
	unsigned short port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&socketmap->address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&socketmap->address;

	if (ip->family == AF_INET) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, ip->octets, sizeof(four->sin_addr));
		socketmap->address_length = sizeof(*four);
	} else {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		memcpy(&six->sin6_addr, ip->octets, sizeof(six->sin6_addr));
		socketmap->address_length = sizeof(*six);
	}
}

/* HOST:PORT up to `end`.  A name would have to be resolved, which may take
 * longer than any look-up may. */
static int parse_inet(const char *text, const char *end,
	struct mr_socketmap *socketmap, struct mr_error *error)
{
	static const char localhost[] = "localhost:";
	const size_t skip = sizeof(localhost) - 1;
	char host_port[LONGEST_HOST + 16];
	struct mr_error why;
	struct mr_ip ip;
	uint16_t port;
	int n;

	if ((size_t)(end - text) > LONGEST_HOST)
		return mr_error_set(error, "the host is too long");
	n = (int)(end - text);
	if (strncmp(text, localhost, skip) == 0)
		snprintf(host_port, sizeof(host_port), "127.0.0.1:%.*s",
			n - (int)skip, text + skip);
	else
		snprintf(host_port, sizeof(host_port), "%.*s", n, text);
	if (mr_ip_port_parse(host_port, 0, &ip, &port, &why) < 0)
		return mr_error_set(error,
			"\"%s\" is not ADDRESS:PORT or localhost:PORT (names "
			"of other hosts are not resolved)",
			host_port);
	if (port == 0)
		return wrong_form(error);
	put_address(socketmap, &ip, port);
	return 0;
}

static int parse_unix(const char *text, const char *end,
	struct mr_socketmap *socketmap, struct mr_error *error)
{
	struct sockaddr_un *address = (struct sockaddr_un *)&socketmap->address;
	char path[sizeof(address->sun_path) + 1];

	if (text[0] != '/')
		return mr_error_set(
			error, "the path of the socket is not absolute");
	/* Too long is still too long when cut to this. */
	snprintf(path, sizeof(path), "%.*s", (int)(end - text), text);
	socketmap->address_length = sizeof(*address);
	return mr_socket_address(path, address, error);
}

int mr_socketmap_parse(const char *reference, struct mr_socketmap *socketmap,
	struct mr_error *error)
{
	const char *colon = strrchr(reference, ':');

	*socketmap = (struct mr_socketmap){ 0 };
	if (colon == NULL || colon[1] == '\0' || colon - reference <= 5 ||
		strpbrk(colon, " \t\r\n") != NULL)
		return wrong_form(error);
	socketmap->name = colon + 1;
	if (strncmp(reference, "inet:", 5) == 0)
		return parse_inet(reference + 5, colon, socketmap, error);
	if (strncmp(reference, "unix:", 5) == 0)
		return parse_unix(reference + 5, colon, socketmap, error);
	return wrong_form(error);
}

enum mr_netstring mr_netstring_parse(const char *octets, size_t length,
	const char **payload_r, size_t *payload_length_r, size_t *used_r)
{
	size_t payload = 0, at = 0;

	for (; at < length && octets[at] >= '0' && octets[at] <= '9'; at++) {
		payload = payload * 10 + (size_t)(octets[at] - '0');
		if (payload > MR_SOCKETMAP_LONGEST ||
			(at > 0 && octets[0] == '0'))
			return MR_NETSTRING_GARBAGE;
	}
	if (at == length)
		return MR_NETSTRING_SHORT;
	if (at == 0 || octets[at] != ':')
		return MR_NETSTRING_GARBAGE;
	at++;
	if (length - at <= payload)
		return MR_NETSTRING_SHORT;
	if (octets[at + payload] != ',')
		return MR_NETSTRING_GARBAGE;
	*payload_r = octets + at;
	*payload_length_r = payload;
	*used_r = at + payload + 1;
	return MR_NETSTRING_WHOLE;
}

/* What stands behind `word` and a blank, or NULL. */
static const char *behind(const char *text, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(text, word, length) != 0 || text[length] != ' ')
		return NULL;
	return text + length + 1;
}

static const struct {
	const char *word, *says;
} failures[] = {
	{ "TEMP", "a temporary error" },
	{ "TIMEOUT", "a time-out" },
	{ "PERM", "a permanent error" },
};

static enum mr_lookup say_failure(
	struct mr_arena *arena, const char *text, struct mr_error *error)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		const char *reason = behind(text, failures[i].word);

		if (reason == NULL && strcmp(text, failures[i].word) == 0)
			reason = "";
		if (reason == NULL)
			continue;
		mr_error_set(error, "the server says %s%s%s", failures[i].says,
			*reason == '\0' ? "" : ": ",
			mr_text_printable(arena, reason, SHOWN_REASON));
		return MR_TEMPFAIL;
	}
	mr_error_set(error, "not a reply of a socketmap server: \"%s\"",
		mr_text_printable(arena, text, SHOWN_REPLY));
	return MR_TEMPFAIL;
}

enum mr_lookup mr_socketmap_reply(struct mr_arena *arena, const char *payload,
	size_t length, const char **value_r, struct mr_error *error)
{
	const char *text = mr_arena_strndup(arena, payload, length);

	if (memchr(payload, '\0', length) != NULL) {
		mr_error_set(error, "a NUL in the reply");
		return MR_TEMPFAIL;
	}
	*value_r = behind(text, "OK");
	if (*value_r != NULL)
		return MR_FOUND;
	if (strcmp(text, "NOTFOUND") == 0 || behind(text, "NOTFOUND") != NULL)
		return MR_NOTFOUND;
	return say_failure(arena, text, error);
}
