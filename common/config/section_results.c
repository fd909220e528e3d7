/* section_results - the option table of authentication_results; see sections.h.
 */
/* SPDX-License-Identifier: ISC */
#include "common/base/address.h"
#include "common/config/problem.h"
#include "common/config/sections.h"

#define AT(member) offsetof(struct mr_results_settings, member)

enum { ADD, AUTHSERV_ID, RECEIVED_SPF };

static const struct mr_option options[] = {
	[ADD] = { "add", MR_TYPE_BOOLEAN, .offset = AT(add), .initial = "no",
		.help = "Whether mail from outside gets the header, and loses "
			"those that claim to be ours." },
	[AUTHSERV_ID] = { "authserv_id", MR_TYPE_STRING,
		.offset = AT(authserv_id),
		.help = "The name under which we vouch for them; by default "
			"hostname." },
	[RECEIVED_SPF] = { "received_spf", MR_TYPE_BOOLEAN,
		.offset = AT(received_spf), .initial = "no",
		.help = "Whether mail from outside also gets Received-SPF (RFC "
			"7208), and loses those that claim to be ours." },
	{ NULL },
};

static void validate(const void *values, const struct mr_place *places,
	struct mr_problems *problems)
{
	const struct mr_results_settings *results = values;
	enum mr_hostname kind = MR_HOSTNAME_FINE;

	if (results->authserv_id != NULL)
		kind = mr_hostname_check(results->authserv_id);
	if (kind != MR_HOSTNAME_FINE && kind != MR_HOSTNAME_NOT_QUALIFIED)
		mr_problem_add(problems, MR_MISTAKE, places[AUTHSERV_ID],
			"\"%.64s\" is not a name of a host or domain",
			results->authserv_id);
}

const struct mr_section mr_section_results = {
	.name = "authentication_results",
	.rung = MR_UNSET,
	.where = MR_IN(MR_GLOBAL),
	.options = options,
	.size = sizeof(struct mr_results_settings),
	.validate = validate,
	.help = "The header that tells others what SPF, the client's name "
		"and lists of good senders say (RFC 8601).",
};
