/* setup_sizes - what Postfix's limits have to be for the policy's message.size;
 * the doctor compares with it what they are. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"
#include "common/policy/check.h"

#include <stdlib.h>
#include <string.h>

/* What Postfix counts of a mail beside its octets: envelope records, one for
 * each recipient, and the headers that it adds itself. */
#define ROOM (UINT64_C(1) << 20)

uint64_t mr_setup_number(
	const struct mr_setup *setup, const char *name, uint64_t otherwise)
{
	const char *value = setup->postfix == NULL
	                            ? NULL
	                            : mr_postfix_expand(setup->postfix, name);

	return value == NULL ? otherwise : strtoull(value, NULL, 10);
}

/* Is everybody refused what is above the largest size? */
static bool is_enforced(const struct mr_policy *policy)
{
	if (policy->global->mode == MR_MODE_OBSERVE)
		return false;
	for (size_t i = 0; mr_checks[i] != NULL; i++)
		if (strcmp(mr_checks[i]->name, "size") == 0) {
			const struct mr_rule *rule = mr_config_get(
				policy->config, NULL, mr_checks[i]->section,
				NULL, policy->arena)
			                                     ->values;

			return (policy->at_mail >> i & 1) &&
			       rule->action >= MR_DEFER;
		}
	return false;
}

static void see_size(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct mr_setup_sizes *sizes = context;
	uint64_t size = *(const uint64_t *)value;

	(void)scope, (void)at;
	sizes->any = true;
	if (size > sizes->largest)
		sizes->largest = size;
}

bool mr_setup_holds(uint64_t limit, uint64_t wanted)
{
	return limit == 0 || (wanted != 0 && limit >= wanted);
}

struct mr_setup_sizes mr_setup_sizes(const struct mr_setup *setup)
{
	struct mr_setup_sizes sizes = { 0 };
	bool holds;

	sizes.now = mr_setup_number(setup, "message_size_limit", 10240000);
	mr_config_each(setup->policy->config, &mr_section_message,
		offsetof(struct mr_message, size), see_size, &sizes);
	if (sizes.any && sizes.largest <= UINT64_MAX - ROOM)
		sizes.wanted = sizes.largest + ROOM;
	holds = !sizes.any || mr_setup_holds(sizes.now, sizes.wanted);
	if (!sizes.any)
		sizes.why = MR_SETUP_NO_SIZE;
	else if (sizes.wanted == 0)
		sizes.why = MR_SETUP_UNLIMITED;
	else if (setup->policy->largest == MR_UNLIMITED && holds)
		sizes.why = MR_SETUP_FOR_SOME;
	else if (!is_enforced(setup->policy) && holds)
		sizes.why = MR_SETUP_NOT_ENFORCED;
	else
		sizes.why = MR_SETUP_FOR_ALL;
	sizes.too_small = !holds;
	return sizes;
}
