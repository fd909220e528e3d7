/* dns - see dns.h.  What questions mean; dns_engine.c and dns_zone.c answer
 * them. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/dns.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/config/sections.h"
#include "common/lookup/dns_source.h"
#include "common/lookup/idn.h"

#include <stdlib.h>
#include <string.h>

struct mr_dns {
	const struct mr_dns_source *source;
	void *state;
	unsigned references;
};

static struct mr_dns *new_dns(const struct mr_dns_source *source, void *state)
{
	struct mr_dns *dns = mr_calloc(1, sizeof(*dns));

	dns->source = source;
	dns->state = state;
	dns->references = 1;
	return dns;
}

int mr_dns_open(const struct mr_dns_settings *settings, struct mr_dns **dns_r,
	struct mr_error *error)
{
	void *state;

	if (mr_dns_engine_open(settings, mr_clock_ms, &state, error) < 0)
		return -1;
	*dns_r = new_dns(&mr_dns_engine, state);
	return 0;
}

int mr_dns_open_server(
	const char *server, struct mr_dns **dns_r, struct mr_error *error)
{
	const struct mr_dns_settings settings = {
		.servers = { 1, &server }, .timeout = 5, .cache = 1024 * 1024
	};

	return mr_dns_open(&settings, dns_r, error);
}

int mr_dns_open_zone(
	const char *path, struct mr_dns **dns_r, struct mr_error *error)
{
	void *state;

	if (mr_dns_zone_open(path, &state, error) < 0)
		return -1;
	*dns_r = new_dns(&mr_dns_zone, state);
	return 0;
}

struct mr_dns *mr_dns_hold(struct mr_dns *dns)
{
	__atomic_add_fetch(&dns->references, 1, __ATOMIC_RELAXED);
	return dns;
}

void mr_dns_free(struct mr_dns **dns)
{
	struct mr_dns *d = *dns;

	*dns = NULL;
	if (d == NULL ||
		__atomic_sub_fetch(&d->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	d->source->close(d->state);
	free(d);
}

bool mr_dns_alike(const struct mr_dns *dns, const struct mr_dns *other)
{
	return dns->source == other->source && dns->source->alike != NULL &&
	       dns->source->alike(dns->state, other->state);
}

void mr_dns_status(struct mr_dns *dns, struct mr_arena *arena,
	struct mr_dns_status *status)
{
	memset(status, 0, sizeof(*status));
	if (dns->source->status != NULL)
		dns->source->status(dns->state, arena, status);
}

/* Is it as the sources want it?  Almost all are. */
static bool is_plain(const char *name)
{
	const char *p = name;

	while (*p != '\0' && (unsigned char)*p < 0x80 &&
		!(*p >= 'A' && *p <= 'Z'))
		p++;
	return *p == '\0' && p > name && p[-1] != '.';
}

/* NULL if it cannot be asked. */
static const char *make_plain(struct mr_arena *arena, const char *name)
{
	const char *ascii = mr_idn_ascii(arena, name);
	char *lower;
	size_t length;

	if (ascii == NULL)
		return NULL;
	lower = mr_text_lower(arena, ascii);
	length = strlen(lower);
	if (length > 0 && lower[length - 1] == '.')
		lower[length - 1] = '\0';
	return lower;
}

enum mr_lookup mr_dns_ask(struct mr_dns *dns, const char *name,
	enum mr_dns_type type, int64_t deadline_ms, struct mr_arena *arena,
	struct mr_dns_answer *answer, struct mr_error *error)
{
	const char *asked = is_plain(name) ? name : make_plain(arena, name);

	memset(answer, 0, sizeof(*answer));
	if (asked == NULL || !mr_dns_wire_can_ask(asked))
		return MR_NOTFOUND;
	return dns->source->ask(
		dns->state, arena, asked, type, deadline_ms, answer, error);
}

void mr_dns_prefetch(
	struct mr_dns *dns, const char *name, enum mr_dns_type type)
{
	struct mr_arena *arena = NULL;

	if (dns->source->prefetch == NULL)
		return;
	if (!is_plain(name)) {
		arena = mr_arena_new(0);
		name = make_plain(arena, name);
	}
	if (name != NULL && mr_dns_wire_can_ask(name))
		dns->source->prefetch(dns->state, name, type);
	mr_arena_free(&arena);
}

static char *write_decimal(char *out, unsigned octet)
{
	if (octet >= 100)
		*out++ = (char)('0' + octet / 100);
	if (octet >= 10)
		*out++ = (char)('0' + octet / 10 % 10);
	*out++ = (char)('0' + octet % 10);
	*out++ = '.';
	return out;
}

static char *write_nibbles(char *out, unsigned octet)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = digits[octet & 15];
	*out++ = '.';
	*out++ = digits[octet >> 4];
	*out++ = '.';
	return out;
}

/* Asked for each block list of each mail, so without printf(3). */
const char *mr_dns_reverse_name(
	struct mr_arena *arena, const struct mr_ip *ip, const char *zone)
{
	bool ipv4 = ip->family == AF_INET;
	char *name, *out;

	if (zone == NULL)
		zone = ipv4 ? "in-addr.arpa" : "ip6.arpa";
	name = out = mr_arena_alloc(arena, 16 * 4 + strlen(zone) + 1);
	for (size_t i = ipv4 ? 4 : 16; i-- > 0;)
		out = ipv4 ? write_decimal(out, ip->octets[i])
		           : write_nibbles(out, ip->octets[i]);
	memcpy(out, zone, strlen(zone) + 1);
	return name;
}

enum mr_lookup mr_dns_names(struct mr_dns *dns, const struct mr_ip *ip,
	int64_t deadline_ms, struct mr_arena *arena,
	const char *const **names_r, struct mr_error *error)
{
	struct mr_dns_answer answer;
	enum mr_lookup found;
	const char **names;
	size_t n = 0;

	if (ip->family != AF_INET && ip->family != AF_INET6)
		return MR_NOTFOUND;
	found = mr_dns_ask(dns, mr_dns_reverse_name(arena, ip, NULL),
		MR_DNS_PTR, deadline_ms, arena, &answer, error);
	if (found != MR_FOUND)
		return found;
	names = MR_NEW_ARRAY(arena, const char *, answer.n + 1);
	for (size_t i = 0; i < answer.n; i++)
		if (answer.records[i].target != NULL)
			names[n++] = answer.records[i].target;
	*names_r = names;
	return n > 0 ? MR_FOUND : MR_NOTFOUND;
}

bool mr_dns_answer_has(
	const struct mr_dns_answer *answer, const struct mr_ip *ip)
{
	size_t size = ip->family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < answer->n; i++)
		if (answer->records[i].ip.family == ip->family &&
			memcmp(answer->records[i].ip.octets, ip->octets,
				size) == 0)
			return true;
	return false;
}

enum mr_lookup mr_dns_name_has(struct mr_dns *dns, const char *name,
	const struct mr_ip *ip, int64_t deadline_ms, struct mr_arena *arena,
	struct mr_error *error)
{
	enum mr_dns_type type = ip->family == AF_INET ? MR_DNS_A : MR_DNS_AAAA;
	struct mr_dns_answer answer;
	enum mr_lookup found;

	if (ip->family != AF_INET && ip->family != AF_INET6)
		return MR_NOTFOUND;
	found = mr_dns_ask(dns, name, type, deadline_ms, arena, &answer, error);
	if (found != MR_FOUND)
		return found;
	return mr_dns_answer_has(&answer, ip) ? MR_FOUND : MR_NOTFOUND;
}
