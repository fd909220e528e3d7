/* results - see results.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/results.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/policy/facts.h"

#include <string.h>

/* RFC 5321 section 4.5.3.1.2 */
enum { VALUE_LONGEST = 255 };

static const char word_octets[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/* A dot-atom (RFC 5322 section 3.2.3) as it is, anything else quoted. */
static const char *quoted(struct mr_arena *arena, const char *text)
{
	const char *value = mr_text_printable(arena, text, VALUE_LONGEST);
	const char *p = value;
	char *copy, *to;

	p += strspn(p, word_octets);
	while (p > value && *p == '.' && strchr(word_octets, p[1]) != NULL)
		p += 1 + strspn(p + 1, word_octets);
	if (p > value && *p == '\0' && p[-1] != '.')
		return value;
	copy = to = mr_arena_alloc(arena, strlen(value) * 2 + 3);
	*to++ = '"';
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			*to++ = '\\';
		*to++ = *value;
	}
	*to = '"';
	return copy;
}

/* Section 2.7.2 */
static const char *spf_result(struct mr_txn *txn)
{
	const char *helo = txn->session->helo;
	enum mr_identity identity;
	const struct mr_spf_answer *spf = mr_fact_spf_result(txn, &identity);

	if (identity == MR_IDENTITY_HELO)
		return mr_arena_printf(txn->arena, "spf=%s smtp.helo=%s",
			mr_spf_word(spf->result),
			quoted(txn->arena, helo == NULL ? "" : helo));
	return mr_arena_printf(txn->arena, "spf=%s smtp.mailfrom=%s",
		mr_spf_word(spf->result),
		quoted(txn->arena, txn->sender.domain));
}

/* Sections 2.7.3 and 3 */
static const char *iprev_result(struct mr_txn *txn)
{
	const char *name, *ignored, *result = "temperror";

	switch (mr_fact_client_confirmed(txn, &name, &ignored)) {
	case MR_FOUND:
		result = "pass";
		break;
	case MR_NOTFOUND:
		result = name == NULL ? "permerror" : "fail";
		break;
	case MR_TEMPFAIL:
		break;
	}
	return mr_arena_printf(txn->arena, "iprev=%s policy.iprev=%s", result,
		quoted(txn->arena,
			mr_ip_format(txn->arena, &txn->session->client)));
}

/* RFC 8904 section 2; NULL: the list was not asked. */
static const char *dnswl_word(enum mr_dnsbl_says says)
{
	switch (says) {
	case MR_DNSBL_UNASKED:
		break;
	case MR_DNSBL_SILENT:
		return "temperror";
	case MR_DNSBL_CLEAR:
	case MR_DNSBL_OTHER:
		return "none";
	case MR_DNSBL_LISTED:
		return "pass";
	case MR_DNSBL_REFUSED:
	case MR_DNSBL_PARKED:
		return "permerror";
	}
	return NULL;
}

/* The title stands for the zone, which may have a key in it. */
static const char *dnswl_results(struct mr_txn *txn)
{
	size_t n;
	const struct mr_dnsbl_list *lists =
		mr_dnsbl_lists(txn->policy->lists, &n);
	const struct mr_dnsbl_found *found;
	const char *text = "";

	if (!mr_policy_asks(txn->policy, "dnsbl"))
		return text;
	found = mr_fact_lists(txn);
	for (size_t i = 0; i < n; i++) {
		const char *word = dnswl_word(found[i].says);

		if (!lists[i].white || word == NULL)
			continue;
		text = mr_arena_printf(txn->arena,
			"%s;\n\tdnswl=%s dns.zone=%s", text, word,
			quoted(txn->arena, lists[i].title));
		if (found[i].code.family != 0)
			text = mr_arena_printf(txn->arena, "%s policy.ip=%s",
				text, mr_ip_format(txn->arena, &found[i].code));
	}
	return text;
}

static bool is_told(const struct mr_txn *txn, enum mr_results header)
{
	const struct mr_session *s = txn->session;

	return (txn->policy->headers & header) != 0 && s->login == NULL &&
	       !txn->trusted && !s->local && s->client.family != 0;
}

const char *mr_results_value(struct mr_txn *txn)
{
	if (!is_told(txn, MR_AUTHENTICATION_RESULTS))
		return NULL;
	return mr_arena_printf(txn->arena, "%s;\n\t%s;\n\t%s%s",
		txn->policy->results->authserv_id, spf_result(txn),
		iprev_result(txn), dnswl_results(txn));
}

/* RFC 7208 section 9.1.  Why an error is one goes into `problem`; a comment
 * would say nothing that the pairs do not. */
const char *mr_results_received_spf(struct mr_txn *txn)
{
	struct mr_arena *arena = txn->arena;
	const char *helo = txn->session->helo, *text;
	const struct mr_spf_answer *spf;
	enum mr_identity identity;

	if (!is_told(txn, MR_RECEIVED_SPF))
		return NULL;
	spf = mr_fact_spf_result(txn, &identity);
	text = mr_arena_printf(arena,
		"%s receiver=%s;\n\tidentity=%s; client-ip=%s;\n\thelo=%s",
		mr_spf_word(spf->result),
		quoted(arena, txn->policy->global->hostname),
		identity == MR_IDENTITY_HELO ? "helo" : "mailfrom",
		quoted(arena, mr_ip_format(arena, &txn->session->client)),
		quoted(arena, helo == NULL ? "" : helo));
	if (*txn->sender.text != '\0')
		text = mr_arena_printf(arena, "%s;\n\tenvelope-from=%s", text,
			quoted(arena, txn->sender_given));
	if (spf->result == MR_SPF_TEMPERROR || spf->result == MR_SPF_PERMERROR)
		text = mr_arena_printf(arena, "%s;\n\tproblem=%s", text,
			quoted(arena, spf->why));
	return text;
}
