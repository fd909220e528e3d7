/* headers - see headers.h. */
/* SPDX-License-Identifier: ISC */
#include "milter/headers.h"
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/base/mark.h"
#include "common/policy/engine.h"
#include "common/policy/results.h"
#include "common/policy/scan.h"
#include "common/policy/scanners.h"

#include <strings.h>

static const char results_name[] = "Authentication-Results";
static const char spf_name[] = "Received-SPF";

/* What trusted clients hand on may be what we said when the mail came in. */
static bool is_ours(const struct mr_txn *txn, enum mr_results header)
{
	return (txn->policy->headers & header) != 0 && !txn->trusted;
}

/* The headers of this name, or NULL: none of them is ever deleted. */
static struct mr_forged *find_name(
	struct mr_headers *headers, const struct mr_txn *txn, const char *name)
{
	const struct mr_policy *policy = txn->policy;

	if (strcasecmp(name, results_name) == 0)
		return &headers->results;
	if (strcasecmp(name, spf_name) == 0)
		return &headers->spf;
	if ((policy->tags || policy->n_scanners > 0) &&
		strcasecmp(name, policy->global->tag_header) == 0)
		return &headers->tag;
	for (size_t i = 0; i < policy->n_scanners; i++)
		if (strcasecmp(name, policy->scanners[i].header) == 0)
			return &headers->scanned[i];
	return NULL;
}

static bool claims(const struct mr_headers *headers, const struct mr_txn *txn,
	const struct mr_forged *of, const char *value)
{
	if (of == &headers->tag)
		return !mr_scan_is_reinjected(txn);
	if (of == &headers->results)
		return is_ours(txn, MR_AUTHENTICATION_RESULTS) &&
		       mr_results_claims(
			       value, txn->policy->results->authserv_id);
	if (of == &headers->spf)
		return is_ours(txn, MR_RECEIVED_SPF) &&
		       mr_results_spf_claims(
			       value, txn->policy->global->hostname);
	return false;
}

void mr_headers_see(struct mr_headers *headers, struct mr_txn *txn,
	const char *name, const char *value)
{
	struct mr_forged *of;
	bool forged;

	if (headers->scanned == NULL)
		headers->scanned = MR_NEW_ARRAY(
			txn->arena, struct mr_forged, txn->policy->n_scanners);
	if (mr_headers_too_many(headers, txn))
		return;
	forged = mr_scan_header(txn, name, value);
	of = find_name(headers, txn, name);
	if (of == NULL)
		return;
	of->seen++;
	if (!forged && !claims(headers, txn, of, value))
		return;
	if (of->n < MR_FORGED_MOST)
		of->at[of->n] = of->seen;
	of->n++;
}

bool mr_headers_too_many(
	const struct mr_headers *headers, const struct mr_txn *txn)
{
	for (size_t i = 0;
		headers->scanned != NULL && i < txn->policy->n_scanners; i++)
		if (headers->scanned[i].n > MR_FORGED_MOST)
			return true;
	return headers->tag.n > MR_FORGED_MOST ||
	       headers->results.n > MR_FORGED_MOST ||
	       headers->spf.n > MR_FORGED_MOST;
}

static void remove_forged(
	struct mr_mta *mta, const char *name, const struct mr_forged *forged)
{
	int n = forged->n < MR_FORGED_MOST ? forged->n : MR_FORGED_MOST;

	for (int i = n - 1; i >= 0; i--)
		if (mr_mta_delete_header(mta, name, forged->at[i]) < 0)
			mr_log(MR_LOG_WARNING,
				"cannot delete a forged %s header, the MTA "
				"does not let us",
				name);
}

static void complain(const char *name, int status)
{
	if (status < 0)
		mr_log(MR_LOG_WARNING,
			"cannot add the %s header, the MTA does not let us",
			name);
}

static void insert(struct mr_mta *mta, const char *name, const char *value)
{
	if (value != NULL)
		complain(name, mr_mta_insert_header(mta, name, value));
}

static void tag_subject(const struct mr_txn *txn, struct mr_mta *mta)
{
	static const char name[] = "Subject";
	bool add;
	const char *subject = mr_scan_subject(txn, &add);

	if (subject == NULL)
		return;
	if ((add ? mr_mta_add_header(mta, name, subject)
		 : mr_mta_change_header(mta, name, 1, subject)) < 0)
		mr_log(MR_LOG_WARNING,
			"cannot tag a Subject, the MTA does not let us");
}

static void change_scanned(const struct mr_headers *headers,
	const struct mr_txn *txn, struct mr_mta *mta)
{
	const struct mr_policy *policy = txn->policy;
	const char *tag = policy->global->tag_header;

	for (size_t i = 0; headers->scanned != NULL && i < policy->n_scanners;
		i++)
		remove_forged(
			mta, policy->scanners[i].header, &headers->scanned[i]);
	for (const char *const *mark = mr_scan_marks(txn); *mark != NULL;
		mark++)
		complain(tag, mr_mta_add_header(mta, tag,
				      mr_mark_format(txn->arena, *mark)));
	tag_subject(txn, mta);
}

void mr_headers_change(const struct mr_headers *headers, struct mr_txn *txn,
	struct mr_mta *mta)
{
	const char *tag = txn->policy->global->tag_header;
	const char *tagged = txn->policy->tags ? mr_txn_tag(txn) : NULL;

	remove_forged(mta, tag, &headers->tag);
	if (tagged != NULL)
		complain(tag, mr_mta_add_header(mta, tag, tagged));
	change_scanned(headers, txn, mta);
	remove_forged(mta, spf_name, &headers->spf);
	insert(mta, spf_name, mr_results_received_spf(txn));
	remove_forged(mta, results_name, &headers->results);
	insert(mta, results_name, mr_results_value(txn));
}
