/* scan - see scan.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/scan.h"
#include "common/base/arena.h"
#include "common/base/mark.h"
#include "common/base/subject.h"
#include "common/base/text.h"
#include "common/policy/facts.h"
#include "common/policy/results.h"
#include "common/policy/scanners.h"

#include <string.h>
#include <strings.h>

/* Of one scanner. */
struct says {
	bool found;  /* something, and is believed */
	bool marked; /* the mail has brought its mark along */
};

struct mr_scan {
	struct says *says; /* one for each of policy->scanners */
	bool is_signed;
	const char *subject; /* the first; NULL: none so far */
	const char *tagged;  /* its new value, or NULL */
	const char **marks;
};

static struct mr_scan *scan_of(struct mr_txn *txn)
{
	size_t n = txn->policy->n_scanners;

	if (txn->scan == NULL) {
		txn->scan = MR_NEW(txn->arena, struct mr_scan);
		txn->scan->says = MR_NEW_ARRAY(txn->arena, struct says, n);
		txn->scan->marks =
			MR_NEW_ARRAY(txn->arena, const char *, n + 1);
	}
	return txn->scan;
}

/* --- headers */

static bool same_address(const struct mr_ip *a, const struct mr_ip *b)
{
	return a->family == b->family && a->family != 0 &&
	       memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

static bool comes_in_at(
	const struct mr_txn *txn, const struct mr_scanner_rule *rule)
{
	const struct mr_session *s = txn->session;

	return rule->trust == MR_TRUST_REINJECTED && txn->trusted &&
	       s->port == rule->port &&
	       same_address(&s->server, &rule->address);
}

bool mr_scan_is_reinjected(const struct mr_txn *txn)
{
	const struct mr_policy *policy = txn->policy;

	for (size_t i = 0; i < policy->n_scanners; i++)
		if (comes_in_at(txn, &policy->scanners[i]))
			return true;
	return false;
}

/* Anybody on this host can pipe a mail to sendmail(1), and whoever has a
 * password can send one from a trusted network. */
static bool is_relay(const struct mr_txn *txn)
{
	return txn->trusted && txn->session->login == NULL &&
	       !txn->session->local;
}

/* Without the blanks around the value, its lines unfolded. */
static bool matches(const char *pattern, const char *value)
{
	struct mr_arena *arena = mr_arena_new(0);
	char *text, *to;
	bool same;

	value += strspn(value, " \t\r\n");
	text = to = mr_arena_strdup(arena, value);
	for (const char *p = value; *p != '\0'; p++)
		if (*p != '\r' && *p != '\n')
			*to++ = *p;
	while (to > text && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	*to = '\0';
	same = mr_text_glob(pattern, text);
	mr_arena_free(&arena);
	return same;
}

/* A header of the scanner's name. */
static bool see_claim(struct mr_txn *txn, size_t i, const char *value)
{
	const struct mr_scanner_rule *rule = &txn->policy->scanners[i];

	if (!matches(rule->pattern, value))
		return false;
	switch (rule->trust) {
	case MR_TRUST_BEFORE:
		break;
	case MR_TRUST_REINJECTED:
		if (!comes_in_at(txn, rule))
			return !mr_scan_is_reinjected(txn);
		break;
	case MR_TRUST_AUTHSERV_ID:
		return false;
	}
	txn->scan->says[i].found = true;
	return false;
}

/* Authentication-Results: what a relay of ours says, or somebody in its name.
 */
static bool see_results(struct mr_txn *txn, size_t i, const char *value)
{
	const struct mr_scanner_rule *rule = &txn->policy->scanners[i];

	if (rule->trust != MR_TRUST_AUTHSERV_ID)
		return false;
	if (!is_relay(txn))
		return mr_results_claims(value, rule->authserv_id);
	txn->scan->says[i].found |= mr_results_say(
		value, rule->authserv_id, rule->header, rule->pattern);
	return false;
}

static bool is_signature(const char *name)
{
	return strcasecmp(name, "DKIM-Signature") == 0 ||
	       strcasecmp(name, "ARC-Message-Signature") == 0;
}

bool mr_scan_header(struct mr_txn *txn, const char *name, const char *value)
{
	const struct mr_policy *policy = txn->policy;
	struct mr_scan *scan;
	bool forged = false;

	if (policy->n_scanners == 0)
		return false;
	scan = scan_of(txn);
	scan->is_signed |= is_signature(name);
	if (scan->subject == NULL && strcasecmp(name, "Subject") == 0)
		scan->subject = mr_arena_strdup(txn->arena, value);
	for (size_t i = 0; i < policy->n_scanners; i++) {
		if (strcasecmp(name, policy->scanners[i].header) == 0)
			forged |= see_claim(txn, i, value);
		if (strcasecmp(name, "Authentication-Results") == 0)
			forged |= see_results(txn, i, value);
		if (strcasecmp(name, policy->global->tag_header) == 0)
			scan->says[i].marked |=
				mr_mark_is(value, policy->scanners[i].name);
	}
	return forged && policy->global->mode == MR_MODE_ENFORCE;
}

/* --- the end of the mail */

/* Somebody who gets the mail, and not in a mailbox of ours, as far as that can
 * be found out; NULL: nobody. */
static const struct mr_recipient *find_elsewhere(struct mr_txn *txn)
{
	struct mr_question q = {
		.policy = txn->policy,
		.session = txn->session,
		.txn = txn,
		.stage = MR_STAGE_EOM,
	};

	for (struct mr_recipient *r = txn->recipients; r != NULL; r = r->next) {
		q.recipient = r;
		if (r->verdict.action < MR_DEFER &&
			(mr_fact_recipient(&q) != MR_FOUND ||
				r->found.kind != MR_RECIPIENT_MAILBOX ||
				r->found.remotes[0] != NULL))
			return r;
	}
	return NULL;
}

/* Of the first recipient who gets the mail and wants one; NULL: nobody does. */
static const char *wanted_tag(struct mr_txn *txn, const char *name)
{
	for (struct mr_recipient *r = txn->recipients; r != NULL; r = r->next) {
		const struct mr_scanner *scanner =
			mr_config_get(txn->policy->config, &r->who.chain,
				&mr_section_scanner, name, txn->arena)
				->values;
		const char *tag = mr_scanner_word(scanner->subject);

		if (r->verdict.action < MR_DEFER && tag != NULL)
			return tag;
	}
	return NULL;
}

/* Also of scanners that found nothing now: the mail may have been here before.
 */
static size_t list_tags(struct mr_txn *txn, struct mr_subject_tag *tags)
{
	const struct mr_scan *scan = txn->scan;
	size_t n = 0;

	for (size_t i = 0; i < txn->policy->n_scanners; i++) {
		const char *tag =
			wanted_tag(txn, txn->policy->scanners[i].name);

		if (tag != NULL)
			tags[n++] = (struct mr_subject_tag){ tag,
				scan->says[i].found };
	}
	return n;
}

/* What becomes of the Subject, as a clause. */
static const char *settle_subject(struct mr_txn *txn)
{
	struct mr_subject_tag *tags = MR_NEW_ARRAY(
		txn->arena, struct mr_subject_tag, txn->policy->n_scanners);
	const struct mr_recipient *elsewhere = NULL;
	struct mr_scan *scan = txn->scan;
	size_t n = list_tags(txn, tags);
	const char *tagged = mr_subject_tag(txn->arena, scan->subject, tags, n);

	if (tagged == NULL)
		return "the Subject stays";
	if (scan->is_signed)
		elsewhere = find_elsewhere(txn);
	if (elsewhere == NULL) {
		scan->tagged = tagged;
		return "the Subject is tagged";
	}
	if (elsewhere->resolution == MR_TEMPFAIL)
		return "the Subject stays, as the mail is signed and may be "
		       "forwarded";
	return mr_arena_printf(txn->arena,
		"the Subject stays, as the mail is signed and goes to another "
		"server for <%s>",
		elsewhere->given);
}

static void add_trace(struct mr_txn *txn, const struct mr_scanner_rule *rule,
	const char *then)
{
	struct mr_trace *trace = MR_NEW(txn->arena, struct mr_trace);
	bool enforce = then != NULL;

	*trace = (struct mr_trace){
		.check = "scanner",
		.stage = MR_STAGE_EOM,
		.finding = MR_HIT,
		.outcome = rule->name,
		.detail = mr_arena_printf(txn->arena, "%s: %s%s%s",
			rule->header, rule->pattern, enforce ? "; " : "",
			enforce ? then : ""),
		.action = enforce ? MR_TAG : MR_OBSERVE,
		.why = enforce ? NULL : "mode = observe",
		.at = rule->at,
	};
	*txn->trace_last = trace;
	txn->trace_last = &trace->next;
}

static bool found_anything(const struct mr_txn *txn)
{
	for (size_t i = 0; i < txn->policy->n_scanners; i++)
		if (txn->scan != NULL && txn->scan->says[i].found)
			return true;
	return false;
}

void mr_scan_conclude(struct mr_txn *txn)
{
	bool again = mr_scan_is_reinjected(txn);
	struct mr_scan *scan = txn->scan;
	const char *then = NULL;
	size_t n = 0;

	if (!found_anything(txn))
		return;
	if (txn->policy->global->mode == MR_MODE_ENFORCE)
		then = settle_subject(txn);
	for (size_t i = 0; i < txn->policy->n_scanners; i++) {
		if (!scan->says[i].found)
			continue;
		add_trace(txn, &txn->policy->scanners[i], then);
		if (then != NULL && !(again && scan->says[i].marked))
			scan->marks[n++] = txn->policy->scanners[i].name;
	}
}

const char *const *mr_scan_marks(const struct mr_txn *txn)
{
	static const char *const none[] = { NULL };

	return txn->scan == NULL ? none : txn->scan->marks;
}

const char *mr_scan_subject(const struct mr_txn *txn, bool *add_r)
{
	*add_r = txn->scan != NULL && txn->scan->subject == NULL;
	return txn->scan == NULL ? NULL : txn->scan->tagged;
}
