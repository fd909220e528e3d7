/* dnsbl - what answers of lists mean; see dnsbl.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/dnsbl.h"
#include "common/base/arena.h"

#include <string.h>

/* --- one answer */

static bool counts(const struct mr_dnsbl_list *list, const struct mr_ip *code)
{
	for (size_t i = 0; i < list->n_codes; i++)
		if (mr_codes_match(&list->codes[i], code))
			return true;
	return false;
}

/* 127.0.0.1 is how SURBL and URIBL refuse, 127.0.0.255 how dnswl.org does; RFC
 * 5782 section 2.1 keeps lists from using the first for anything else. */
static enum mr_dnsbl_says read_code(
	const struct mr_dnsbl_list *list, const struct mr_ip *code)
{
	static const unsigned char local[3] = { 127, 0, 0 };

	if (!mr_code_is_one(code))
		return MR_DNSBL_PARKED;
	if (mr_code_refuses(code))
		return MR_DNSBL_REFUSED;
	if (counts(list, code))
		return MR_DNSBL_LISTED;
	if (memcmp(code->octets, local, sizeof(local)) == 0 &&
		(code->octets[3] == 1 || code->octets[3] == 255))
		return MR_DNSBL_REFUSED;
	return list->n_codes == 0 ? MR_DNSBL_LISTED : MR_DNSBL_OTHER;
}

/* The larger says more, but for a code that counts beside one that does not. */
static bool is_worse(enum mr_dnsbl_says says, enum mr_dnsbl_says than)
{
	if (says == MR_DNSBL_OTHER)
		return than < MR_DNSBL_LISTED;
	if (than == MR_DNSBL_OTHER)
		return says >= MR_DNSBL_LISTED;
	return says > than;
}

enum mr_dnsbl_says mr_dnsbl_read(const struct mr_dnsbl_list *list,
	enum mr_lookup found, const struct mr_dns_answer *answer,
	struct mr_ip *code)
{
	enum mr_dnsbl_says says = MR_DNSBL_CLEAR;

	*code = (struct mr_ip){ 0 };
	switch (found) {
	case MR_TEMPFAIL:
		return MR_DNSBL_SILENT;
	case MR_NOTFOUND:
		return MR_DNSBL_CLEAR;
	case MR_FOUND:
		break;
	}
	for (size_t i = 0; i < answer->n; i++) {
		enum mr_dnsbl_says one =
			read_code(list, &answer->records[i].ip);

		if (!is_worse(one, says))
			continue;
		says = one;
		*code = answer->records[i].ip;
	}
	return says;
}

/* --- all of them */

struct weights {
	int64_t listed, silent;
	bool outweighed, may_be_outweighed; /* by a white list of weight 0 */
};

static void add(struct weights *weights, const struct mr_dnsbl_list *list,
	enum mr_dnsbl_says says)
{
	if (says == MR_DNSBL_LISTED) {
		weights->listed += list->weight;
		weights->outweighed |= list->weight == 0;
	} else if (says == MR_DNSBL_SILENT) {
		weights->silent += list->weight;
		weights->may_be_outweighed |= list->weight == 0;
	}
}

enum mr_dnsbl_sum mr_dnsbl_weigh(const struct mr_dnsbl_list *lists, size_t n,
	const struct mr_dnsbl_found *found, int64_t threshold, int64_t *score)
{
	struct weights black = { 0 }, white = { 0 };

	for (size_t i = 0; i < n; i++)
		add(lists[i].white ? &white : &black, &lists[i], found[i].says);
	*score = black.listed - white.listed;
	if (white.outweighed || *score + black.silent < threshold)
		return MR_DNSBL_BELOW;
	if (*score < threshold || *score - white.silent < threshold ||
		white.may_be_outweighed)
		return MR_DNSBL_OPEN;
	return MR_DNSBL_REACHED;
}
