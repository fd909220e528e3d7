/* verdict - the words for its enumerations; see verdict.h. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/verdict.h"

const char *mr_stage_name(enum mr_stage stage)
{
	static const char *const names[MR_STAGES] = {
		[MR_STAGE_MAIL] = "mail",
		[MR_STAGE_RCPT] = "rcpt",
		[MR_STAGE_EOM] = "eom",
	};

	return names[stage];
}

const char *mr_stage_smtp(enum mr_stage stage)
{
	static const char *const names[MR_STAGES] = {
		[MR_STAGE_MAIL] = "MAIL",
		[MR_STAGE_RCPT] = "RCPT",
		[MR_STAGE_EOM] = "END-OF-MESSAGE",
	};

	return names[stage];
}

const char *mr_finding_name(enum mr_finding finding)
{
	static const char *const names[] = {
		[MR_SKIP] = "skip",
		[MR_CLEAR] = "clear",
		[MR_HIT] = "hit",
		[MR_UNSURE] = "unsure",
	};

	return names[finding];
}

const char *mr_action_name(enum mr_action action)
{
	static const char *const names[] = {
		[MR_OFF] = "off",
		[MR_OBSERVE] = "observe",
		[MR_TAG] = "tag",
		[MR_DEFER] = "defer",
		[MR_REJECT] = "reject",
	};

	return names[action];
}

const char *mr_verdict_name(const struct mr_verdict *verdict)
{
	return verdict->action <= MR_OBSERVE ? "accept"
	                                     : mr_action_name(verdict->action);
}
