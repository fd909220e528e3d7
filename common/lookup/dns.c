/* dns - see dns.h.  What questions mean; dns_live.c and dns_zone.c answer them.
 */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/dns.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/lookup/dns_source.h"

#include <stdlib.h>
#include <string.h>

/* More CNAMEs than this lead nowhere. */
enum { LONGEST_CHAIN = 10 };

struct mr_dns {
	const struct mr_dns_source *source;
	void *state;
};

static struct mr_dns *new_dns(const struct mr_dns_source *source, void *state)
{
	struct mr_dns *dns = mr_calloc(1, sizeof(*dns));

	dns->source = source;
	dns->state = state;
	return dns;
}

int mr_dns_open_server(
	const char *server, struct mr_dns **dns_r, struct mr_error *error)
{
	void *state;

	if (mr_dns_live_open(server, &state, error) < 0)
		return -1;
	*dns_r = new_dns(&mr_dns_live, state);
	return 0;
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

void mr_dns_free(struct mr_dns **dns)
{
	if (*dns == NULL)
		return;
	(*dns)->source->close((*dns)->state);
	free(*dns);
	*dns = NULL;
}

static const char *alias_of(
	const struct mr_dns_answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->n; i++)
		if (answer->records[i].type == MR_DNS_CNAME &&
			strcmp(answer->records[i].owner, name) == 0)
			return answer->records[i].target;
	return NULL;
}

/* The name that the answer's records have, at the end of its CNAMEs. */
static const char *end_of_chain(
	const struct mr_dns_answer *answer, const char *name)
{
	for (unsigned i = 0; i < LONGEST_CHAIN; i++) {
		const char *next = alias_of(answer, name);

		if (next == NULL)
			return name;
		name = next;
	}
	return name;
}

/* MR_FOUND: *owner_r is the name whose records of `type` answer the question;
 * there may be none. */
static enum mr_lookup ask(struct mr_dns *dns, const char *name,
	enum mr_dns_type type, int64_t deadline_ms, struct mr_arena *arena,
	struct mr_dns_answer *answer, const char **owner_r,
	struct mr_error *error)
{
	char *lower = mr_text_lower(arena, name);
	size_t length = strlen(lower);
	enum mr_lookup found;

	if (length > 0 && lower[length - 1] == '.')
		lower[length - 1] = '\0';
	if (!mr_dns_wire_can_ask(lower))
		return MR_NOTFOUND;
	found = dns->source->ask(
		dns->state, arena, lower, type, deadline_ms, answer, error);
	if (found == MR_FOUND)
		*owner_r = end_of_chain(answer, lower);
	return found;
}

/* RFC 1035 section 3.5, RFC 3596 section 2.5 */
static const char *reverse_name(struct mr_arena *arena, const struct mr_ip *ip)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *o = ip->octets;
	char *name, *out;

	if (ip->family == AF_INET)
		return mr_arena_printf(arena, "%u.%u.%u.%u.in-addr.arpa", o[3],
			o[2], o[1], o[0]);
	name = out = mr_arena_alloc(arena, 16 * 4 + sizeof("ip6.arpa"));
	for (size_t i = 16; i-- > 0;) {
		*out++ = digits[o[i] & 15];
		*out++ = '.';
		*out++ = digits[o[i] >> 4];
		*out++ = '.';
	}
	memcpy(out, "ip6.arpa", sizeof("ip6.arpa"));
	return name;
}

enum mr_lookup mr_dns_names(struct mr_dns *dns, const struct mr_ip *ip,
	int64_t deadline_ms, struct mr_arena *arena,
	const char *const **names_r, struct mr_error *error)
{
	struct mr_dns_answer answer;
	enum mr_lookup found;
	const char *owner;
	const char **names;
	size_t n = 0;

	if (ip->family != AF_INET && ip->family != AF_INET6)
		return MR_NOTFOUND;
	found = ask(dns, reverse_name(arena, ip), MR_DNS_PTR, deadline_ms,
		arena, &answer, &owner, error);
	if (found != MR_FOUND)
		return found;
	names = MR_NEW_ARRAY(arena, const char *, answer.n + 1);
	for (size_t i = 0; i < answer.n; i++) {
		const struct mr_dns_record *record = &answer.records[i];

		if (record->type == MR_DNS_PTR && record->target != NULL &&
			strcmp(record->owner, owner) == 0)
			names[n++] = record->target;
	}
	*names_r = names;
	return n > 0 ? MR_FOUND : MR_NOTFOUND;
}

enum mr_lookup mr_dns_name_has(struct mr_dns *dns, const char *name,
	const struct mr_ip *ip, int64_t deadline_ms, struct mr_arena *arena,
	struct mr_error *error)
{
	enum mr_dns_type type = ip->family == AF_INET ? MR_DNS_A : MR_DNS_AAAA;
	size_t size = ip->family == AF_INET ? 4 : 16;
	struct mr_dns_answer answer;
	enum mr_lookup found;
	const char *owner;

	if (ip->family != AF_INET && ip->family != AF_INET6)
		return MR_NOTFOUND;
	found = ask(
		dns, name, type, deadline_ms, arena, &answer, &owner, error);
	if (found != MR_FOUND)
		return found;
	for (size_t i = 0; i < answer.n; i++) {
		const struct mr_dns_record *record = &answer.records[i];

		if (record->type == type && strcmp(record->owner, owner) == 0 &&
			memcmp(record->ip.octets, ip->octets, size) == 0)
			return MR_FOUND;
	}
	return MR_NOTFOUND;
}
