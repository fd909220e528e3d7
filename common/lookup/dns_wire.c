/* dns_wire - see dns_wire.h.  The only file that includes <ldns/ldns.h>. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/dns_wire.h"
#include "common/base/arena.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

/* RFC 1035 section 2.3.4 */
enum { LABEL_LONGEST = 63, NAME_LONGEST = 253 };
/* A size that is not fragmented on any path (DNS flag day 2020). */
enum { UDP_SIZE = 1232 };

bool mr_dns_wire_can_ask(const char *name)
{
	const char *label = name, *p = name;

	for (;; p++) {
		if (*p != '.' && *p != '\0')
			continue;
		if (p == label || p - label > LABEL_LONGEST)
			return false;
		if (*p == '\0')
			return p - name <= NAME_LONGEST;
		label = p + 1;
	}
}

/* Unlike ldns's own conversion, no character is an escape. */
static ldns_rdf *name_to_rdf(const char *name)
{
	uint8_t wire[LDNS_MAX_DOMAINLEN + 1];
	size_t used = 0;

	while (*name != '\0') {
		size_t length = strcspn(name, ".");

		wire[used++] = (uint8_t)length;
		memcpy(wire + used, name, length);
		used += length;
		name += length;
		if (*name == '.')
			name++;
	}
	wire[used++] = 0;
	return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, used, wire);
}

/* NULL: no text can tell it.  The root is "". */
static const char *name_from_rdf(struct mr_arena *arena, const ldns_rdf *rdf)
{
	const uint8_t *wire = ldns_rdf_data(rdf);
	size_t size = ldns_rdf_size(rdf), at = 0;
	char *name, *out;

	name = out = mr_arena_alloc(arena, size + 1);
	while (at < size && wire[at] != 0) {
		size_t length = wire[at++];

		if (length > size - at)
			return NULL;
		if (out > name)
			*out++ = '.';
		for (; length > 0; length--, at++) {
			char c = (char)wire[at];

			if (c <= ' ' || c > '~' || c == '.')
				return NULL;
			*out++ = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
		}
	}
	return name;
}

static struct mr_ip ip_from_rdf(const ldns_rdf *rdf, int family, size_t size)
{
	struct mr_ip ip = { .family = family };

	if (ldns_rdf_size(rdf) == size)
		memcpy(ip.octets, ldns_rdf_data(rdf), size);
	else
		ip.family = 0;
	return ip;
}

/* RFC 1035 section 3.3.14: strings, each behind its length. */
static void convert_text(
	struct mr_arena *arena, const ldns_rr *rr, struct mr_dns_record *record)
{
	size_t size = 0, count = ldns_rr_rd_count(rr);
	char *out;

	for (size_t i = 0; i < count; i++)
		size += ldns_rdf_size(ldns_rr_rdf(rr, i));
	record->text = out = mr_arena_alloc(arena, size + 1);
	for (size_t i = 0; i < count; i++) {
		const ldns_rdf *string = ldns_rr_rdf(rr, i);

		if (ldns_rdf_size(string) < 2)
			continue;
		size = ldns_rdf_size(string) - 1;
		memcpy(out, ldns_rdf_data(string) + 1, size);
		out += size;
	}
	record->length = (size_t)(out - record->text);
}

/* A name as a question asked for it may be one that no other text can tell. */
struct asked {
	const ldns_rdf *rdf; /* or NULL */
	const char *name;
};

static const char *owner_name(
	struct mr_arena *arena, const ldns_rr *rr, const struct asked *asked)
{
	const ldns_rdf *owner = ldns_rr_owner(rr);

	if (asked->rdf != NULL && ldns_dname_compare(owner, asked->rdf) == 0)
		return asked->name;
	return name_from_rdf(arena, owner);
}

/* false: nothing that we could tell. */
static bool convert(struct mr_arena *arena, const ldns_rr *rr,
	const struct asked *asked, struct mr_dns_record *record)
{
	const ldns_rdf *data = ldns_rr_rdf(rr, 0);

	memset(record, 0, sizeof(*record));
	record->owner = owner_name(arena, rr, asked);
	record->type = ldns_rr_get_type(rr);
	record->ttl = ldns_rr_ttl(rr);
	/* RFC 2181 section 8 */
	if (record->ttl > INT32_MAX)
		record->ttl = 0;
	if (record->owner == NULL || data == NULL ||
		ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
		return false;
	switch (record->type) {
	case MR_DNS_A:
		record->ip = ip_from_rdf(data, AF_INET, 4);
		return record->ip.family != 0;
	case MR_DNS_AAAA:
		record->ip = ip_from_rdf(data, AF_INET6, 16);
		return record->ip.family != 0;
	case MR_DNS_CNAME:
	case MR_DNS_PTR:
		record->target = name_from_rdf(arena, data);
		break;
	case MR_DNS_MX:
		record->preference = ldns_rdf2native_int16(data);
		if (ldns_rr_rd_count(rr) < 2)
			return false;
		record->target = name_from_rdf(arena, ldns_rr_rdf(rr, 1));
		break;
	case MR_DNS_TXT:
		convert_text(arena, rr, record);
		break;
	}
	return true;
}

struct mr_dns_packet mr_dns_wire_question(struct mr_arena *arena, uint16_t id,
	const char *name, enum mr_dns_type type)
{
	ldns_pkt *query = ldns_pkt_query_new(name_to_rdf(name),
		(ldns_rr_type)type, LDNS_RR_CLASS_IN, LDNS_RD);
	struct mr_dns_packet packet = { NULL, 0 };
	uint8_t *octets = NULL;

	if (query != NULL) {
		ldns_pkt_set_id(query, id);
		ldns_pkt_set_edns_udp_size(query, UDP_SIZE);
		if (ldns_pkt2wire(&octets, query, &packet.length) !=
			LDNS_STATUS_OK)
			packet.length = 0;
	}
	packet.octets = mr_arena_alloc(arena, packet.length);
	if (octets != NULL)
		memcpy(packet.octets, octets, packet.length);
	free(octets);
	ldns_pkt_free(query);
	return packet;
}

static bool is_ours(const ldns_pkt *packet, uint16_t id, const ldns_rdf *asked,
	enum mr_dns_type type)
{
	const ldns_rr_list *questions = ldns_pkt_question(packet);
	const ldns_rr *question;

	if (!ldns_pkt_qr(packet) || ldns_pkt_id(packet) != id ||
		ldns_pkt_get_opcode(packet) != LDNS_PACKET_QUERY ||
		ldns_rr_list_rr_count(questions) != 1)
		return false;
	question = ldns_rr_list_rr(questions, 0);
	return ldns_dname_compare(ldns_rr_owner(question), asked) == 0 &&
	       ldns_rr_get_type(question) == (ldns_rr_type)type &&
	       ldns_rr_get_class(question) == LDNS_RR_CLASS_IN;
}

static void convert_all(struct mr_arena *arena, const ldns_rr_list *list,
	const struct asked *asked, struct mr_dns_section *section)
{
	size_t count = ldns_rr_list_rr_count(list);
	struct mr_dns_record *records =
		MR_NEW_ARRAY(arena, struct mr_dns_record, count);

	section->records = records;
	section->n = 0;
	for (size_t i = 0; i < count; i++)
		if (convert(arena, ldns_rr_list_rr(list, i), asked,
			    &records[section->n]))
			section->n++;
}

/* RFC 2308 section 5: the SOA's own TTL or its minimum, what is less. */
static uint32_t negative_ttl(const ldns_pkt *packet)
{
	enum { MINIMUM = 6 };
	const ldns_rr_list *list = ldns_pkt_authority(packet);

	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		const ldns_rdf *minimum = ldns_rr_rdf(rr, MINIMUM);
		uint32_t ttl = ldns_rr_ttl(rr), least;

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA || minimum == NULL)
			continue;
		least = ldns_rdf2native_int32(minimum);
		if (least < ttl)
			ttl = least;
		return ttl > INT32_MAX ? 0 : ttl;
	}
	return 0;
}

static int refused(
	const char *name, ldns_pkt_rcode rcode, struct mr_error *error)
{
	char *word = ldns_pkt_rcode2str(rcode);

	mr_error_set(error, "%s: the DNS server says %s", name,
		word == NULL ? "no" : word);
	free(word);
	return -1;
}

static enum mr_dns_reply read_reply(struct mr_arena *arena,
	const ldns_pkt *packet, const struct asked *asked,
	struct mr_dns_section *section, struct mr_error *error)
{
	ldns_pkt_rcode rcode = ldns_pkt_get_rcode(packet);

	if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN) {
		refused(asked->name, rcode, error);
		return MR_DNS_FAILED;
	}
	if (ldns_pkt_tc(packet))
		return MR_DNS_TRUNCATED;
	/* a referral, by one that asks nobody for us */
	if (rcode == LDNS_RCODE_NOERROR && ldns_pkt_ancount(packet) == 0 &&
		!ldns_pkt_aa(packet) && !ldns_pkt_ra(packet)) {
		mr_error_set(error,
			"%s: the DNS server does not recurse for us",
			asked->name);
		return MR_DNS_FAILED;
	}
	convert_all(arena, ldns_pkt_answer(packet), asked, section);
	section->exists = rcode == LDNS_RCODE_NOERROR;
	section->negative_ttl = negative_ttl(packet);
	return MR_DNS_ANSWERED;
}

/* RFC 2181 section 9: what follows the question of a truncated reply is not to
 * be looked at; it may be cut anywhere, and not be as much as the header says.
 */
static size_t keep_question(
	const struct mr_dns_packet *packet, uint8_t *octets, size_t size)
{
	enum { HEADER = 12, TC = 0x02, BEHIND_NAME = 4 };
	size_t end = HEADER;

	if (packet->length <= HEADER || (packet->octets[2] & TC) == 0)
		return 0;
	while (end < packet->length && packet->octets[end] != 0)
		end += (size_t)packet->octets[end] + 1;
	end += 1 + BEHIND_NAME;
	if (end > packet->length || end > size)
		return 0;
	memcpy(octets, packet->octets, end);
	memset(octets + 6, 0, HEADER - 6);
	return end;
}

static ldns_status parse(
	const struct mr_dns_packet *packet, ldns_pkt **parsed_r)
{
	uint8_t question[512];
	size_t length;
	ldns_status status =
		ldns_wire2pkt(parsed_r, packet->octets, packet->length);

	if (status == LDNS_STATUS_OK)
		return status;
	length = keep_question(packet, question, sizeof(question));
	return length == 0 ? status : ldns_wire2pkt(parsed_r, question, length);
}

enum mr_dns_reply mr_dns_wire_reply(struct mr_arena *arena,
	struct mr_dns_packet packet, uint16_t id, const char *name,
	enum mr_dns_type type, struct mr_dns_section *section,
	struct mr_error *error)
{
	enum mr_dns_reply reply = MR_DNS_NOT_OURS;
	ldns_rdf *rdf;
	ldns_pkt *parsed;

	if (parse(&packet, &parsed) != LDNS_STATUS_OK)
		return MR_DNS_NOT_OURS;
	rdf = name_to_rdf(name);
	if (is_ours(parsed, id, rdf, type))
		reply = read_reply(arena, parsed, &(struct asked){ rdf, name },
			section, error);
	ldns_rdf_deep_free(rdf);
	ldns_pkt_free(parsed);
	return reply;
}

static bool is_directive(ldns_status status)
{
	return status == LDNS_STATUS_SYNTAX_EMPTY ||
	       status == LDNS_STATUS_SYNTAX_TTL ||
	       status == LDNS_STATUS_SYNTAX_ORIGIN;
}

/* *line: where the record begins that cannot be read. */
static ldns_status read_zone(FILE *file, ldns_rr_list *list, int *line)
{
	int next_line = 1;

	ldns_rdf *origin = ldns_dname_new_frm_str("."), *previous = NULL;
	ldns_status status = LDNS_STATUS_OK;
	uint32_t ttl = 3600;

	while (status == LDNS_STATUS_OK && !feof(file)) {
		ldns_rr *rr = NULL;

		*line = next_line;
		status = ldns_rr_new_frm_fp_l(
			&rr, file, &ttl, &origin, &previous, &next_line);
		if (status == LDNS_STATUS_OK)
			ldns_rr_list_push_rr(list, rr);
		else if (is_directive(status))
			status = LDNS_STATUS_OK;
	}
	ldns_rdf_deep_free(origin);
	ldns_rdf_deep_free(previous);
	return status;
}

int mr_dns_wire_zone(struct mr_arena *arena, FILE *file, const char *path,
	struct mr_dns_section *zone, struct mr_error *error)
{
	ldns_rr_list *list = ldns_rr_list_new();
	int line = 0, result = 0;
	ldns_status status = read_zone(file, list, &line);

	if (status == LDNS_STATUS_OK)
		convert_all(arena, list, &(struct asked){ NULL, NULL }, zone);
	else
		result = mr_error_set(error, "%s:%d: %s", path, line,
			ldns_get_errorstr_by_id(status));
	ldns_rr_list_deep_free(list);
	return result;
}
