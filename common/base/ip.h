/*
 * ip - IPv4 and IPv6 addresses and networks
 *
 * IPv4-mapped IPv6 addresses (::ffff:192.0.2.1) become IPv4 when parsed, as
 * Postfix does, so that one rule covers both spellings.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_IP_H
#define MR_BASE_IP_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct mr_arena;

struct mr_ip {
	int family; /* AF_INET, AF_INET6, or 0: none known */
	unsigned char octets[16];
};

struct mr_network {
	struct mr_ip ip;
	unsigned bits;
};

/* RFC 5952 out; RFC 4291 and dotted quad in; an optional `[...]` around it and
 * an optional `IPv6:` tag are accepted. */
int mr_ip_parse(const char *text, struct mr_ip *ip, struct mr_error *error);
/* ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT. */
int mr_ip_port_parse(const char *text, uint16_t initial, struct mr_ip *ip,
	uint16_t *port, struct mr_error *error);
char *mr_ip_format(struct mr_arena *arena, const struct mr_ip *ip);
/* From a peer's address; family 0 for anything but IPv4 and IPv6. */
struct mr_ip mr_ip_from_sockaddr(const struct sockaddr *address);

/* 192.0.2.0/24, [2001:db8::]/32, 192.0.2.1.  Host bits must be zero: a typing
 * mistake there would open more than was meant. */
int mr_network_parse(
	const char *text, struct mr_network *network, struct mr_error *error);
char *mr_network_format(
	struct mr_arena *arena, const struct mr_network *network);
bool mr_network_contains(
	const struct mr_network *network, const struct mr_ip *ip);

#endif
