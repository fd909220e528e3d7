/* reply - see reply.h. */
/* SPDX-License-Identifier: ISC */
#include "milter/reply.h"
#include "common/base/log.h"

enum mr_mta_answer mr_reply_give(
	struct mr_mta *mta, const struct mr_verdict *verdict)
{
	if (verdict->action < MR_DEFER)
		return MR_MTA_CONTINUE;
	if (mr_mta_reply(mta, verdict->code, verdict->enhanced, verdict->text) <
		0)
		mr_log(MR_LOG_ERROR,
			"the reply \"%d %s %s\" cannot be given: the sender "
			"gets Postfix's own words instead",
			verdict->code, verdict->enhanced, verdict->text);
	return verdict->action == MR_DEFER ? MR_MTA_TEMPFAIL : MR_MTA_REJECT;
}
