/* ip - see ip.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/ip.h"
#include "common/base/arena.h"
#include "common/base/units.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

static unsigned bits_of(int family)
{
	return family == AF_INET ? 32 : 128;
}

/* ::ffff:192.0.2.1 becomes 192.0.2.1; says whether it did. */
static bool unmap(struct mr_ip *ip)
{
	if (ip->family != AF_INET6 ||
		memcmp(ip->octets, mapped, sizeof(mapped)) != 0)
		return false;
	ip->family = AF_INET;
	memmove(ip->octets, ip->octets + 12, 4);
	memset(ip->octets + 4, 0, 12);
	return true;
}

/* The address as written, still mapped if it is. */
static int parse_as_written(const char *text, size_t length, struct mr_ip *ip)
{
	char copy[INET6_ADDRSTRLEN + 8];

	memset(ip, 0, sizeof(*ip));
	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length >= 5 && strncasecmp(text, "IPv6:", 5) == 0) {
		text += 5;
		length -= 5;
		ip->family = AF_INET6;
	}
	if (length >= sizeof(copy))
		return -1;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (ip->family == 0 && inet_pton(AF_INET, copy, ip->octets) == 1) {
		ip->family = AF_INET;
		return 0;
	}
	ip->family = AF_INET6;
	return inet_pton(AF_INET6, copy, ip->octets) == 1 ? 0 : -1;
}

int mr_ip_parse(const char *text, struct mr_ip *ip, struct mr_error *error)
{
	if (parse_as_written(text, strlen(text), ip) < 0) {
		memset(ip, 0, sizeof(*ip));
		return mr_error_set(error,
			"\"%.60s\" is not an IP address, such as 192.0.2.1 or "
			"2001:db8::1",
			text);
	}
	unmap(ip);
	return 0;
}

int mr_ip_port_parse(const char *text, uint16_t initial, struct mr_ip *ip,
	uint16_t *port, struct mr_error *error)
{
	const char *bracket = strrchr(text, ']'), *colon = strrchr(text, ':');
	size_t length = strlen(text);
	int64_t number = initial;
	int parsed = 0;

	/* More than one colon and no bracket in front: a bare IPv6 address. */
	if (colon != NULL && (bracket != NULL ? colon == bracket + 1
					      : strchr(text, ':') == colon)) {
		length = (size_t)(colon - text);
		parsed = mr_number_parse(colon + 1, 1, 65535, &number, error);
	}
	if (parsed < 0 || parse_as_written(text, length, ip) < 0) {
		memset(ip, 0, sizeof(*ip));
		return mr_error_set(error,
			"\"%.80s\" is not ADDRESS, ADDRESS:PORT or "
			"[ADDRESS]:PORT",
			text);
	}
	unmap(ip);
	*port = (uint16_t)number;
	return 0;
}

/* glibc's inet_ntop(3) goes through printf(3). */
static void format_v4(const uint8_t *octets, char *text)
{
	for (int i = 0; i < 4; i++) {
		unsigned octet = octets[i];

		if (octet >= 100)
			*text++ = (char)('0' + octet / 100);
		if (octet >= 10)
			*text++ = (char)('0' + octet / 10 % 10);
		*text++ = (char)('0' + octet % 10);
		*text++ = i < 3 ? '.' : '\0';
	}
}

char *mr_ip_format(struct mr_arena *arena, const struct mr_ip *ip)
{
	char text[INET6_ADDRSTRLEN];

	if (ip->family == AF_INET)
		format_v4(ip->octets, text);
	else if (ip->family == 0 ||
		 inet_ntop(ip->family, ip->octets, text, sizeof(text)) == NULL)
		return mr_arena_strdup(arena, "unknown");
	return mr_arena_strdup(arena, text);
}

struct mr_ip mr_ip_from_sockaddr(const struct sockaddr *address)
{
	struct mr_ip ip = { 0 };

	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		memcpy(ip.octets, &in.sin_addr, sizeof(in.sin_addr));
		ip.family = AF_INET;
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		memcpy(ip.octets, &in6.sin6_addr, sizeof(in6.sin6_addr));
		ip.family = AF_INET6;
		unmap(&ip);
	}
	return ip;
}

/* Clears what is behind the first `bits`; says whether anything was there. */
static bool clear_host_bits(struct mr_ip *ip, unsigned bits)
{
	bool found = false;

	for (unsigned i = 0; i < bits_of(ip->family) / 8; i++) {
		unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
		unsigned char mask =
			kept >= 8 ? 0xff : (unsigned char)(0xff00 >> kept);

		if ((ip->octets[i] & (unsigned char)~mask) != 0)
			found = true;
		ip->octets[i] &= mask;
	}
	return found;
}

/* `/24` behind the address; -1 if it is no number up to `most`. */
static int parse_bits(const char *text, unsigned most, unsigned *bits)
{
	char *end;
	unsigned long number;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 3)
		return -1;
	number = strtoul(text, &end, 10);
	if (*end != '\0' || number > most)
		return -1;
	*bits = (unsigned)number;
	return 0;
}

static int complain(const char *text, struct mr_error *error)
{
	return mr_error_set(error,
		"\"%.60s\" is not a network, such as 192.0.2.0/24 or "
		"2001:db8::/32",
		text);
}

int mr_network_parse(
	const char *text, struct mr_network *network, struct mr_error *error)
{
	const char *slash = strchr(text, '/');
	size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);
	struct mr_ip written;

	memset(network, 0, sizeof(*network));
	if (parse_as_written(text, length, &network->ip) < 0)
		return complain(text, error);
	network->bits = bits_of(network->ip.family);
	if (slash != NULL &&
		parse_bits(slash + 1, network->bits, &network->bits) < 0)
		return complain(text, error);
	written = network->ip;
	if (clear_host_bits(&network->ip, network->bits)) {
		char good[INET6_ADDRSTRLEN] = "";

		inet_ntop(
			written.family, network->ip.octets, good, sizeof(good));
		return mr_error_set(error,
			"\"%.60s\" has bits set behind its first %u; the "
			"network is %s/%u",
			text, network->bits, good, network->bits);
	}
	if (network->bits >= 96 && unmap(&network->ip))
		network->bits -= 96;
	return 0;
}

char *mr_network_format(
	struct mr_arena *arena, const struct mr_network *network)
{
	char *ip = mr_ip_format(arena, &network->ip);

	if (network->bits == bits_of(network->ip.family))
		return ip;
	return mr_arena_printf(arena, "%s/%u", ip, network->bits);
}

bool mr_network_contains(
	const struct mr_network *network, const struct mr_ip *ip)
{
	struct mr_ip start = *ip;

	if (network->ip.family != ip->family || ip->family == 0)
		return false;
	clear_host_bits(&start, network->bits);
	return memcmp(start.octets, network->ip.octets,
		       bits_of(ip->family) / 8) == 0;
}
