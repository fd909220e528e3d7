/* decide - see decide.h. */
/* SPDX-License-Identifier: ISC */
#include "common/daemon/decide.h"
#include "common/base/log.h"
#include "common/policy/report.h"

static void log_trace(struct mr_txn *txn)
{
	struct mr_trace *trace;

	for (; (trace = *txn->trace_untold) != NULL;
		txn->trace_untold = &trace->next)
		if ((trace->finding == MR_HIT || trace->finding == MR_UNSURE) &&
			(trace->action == MR_OBSERVE ||
				trace->action == MR_TAG))
			mr_log(MR_LOG_INFO, "%s", mr_report_trace(txn, trace));
}

/* What sendmail(1) gave us has one answer, at the end.  Who only verifies sizes
 * is not the one who accepts. */
static bool is_logged(const struct mr_txn *txn, enum mr_stage stage,
	const struct mr_verdict *verdict)
{
	if (stage != MR_STAGE_EOM)
		return verdict->action >= MR_DEFER && !txn->session->local;
	return verdict->action >= MR_DEFER ||
	       (txn->stages & (1u << MR_STAGE_RCPT)) != 0;
}

const struct mr_verdict *mr_decide(struct mr_engine *engine, struct mr_txn *txn,
	enum mr_stage stage, const struct mr_recipient *recipient)
{
	const struct mr_verdict *verdict = mr_engine_step(engine, txn, stage);

	mr_log(MR_LOG_DEBUG, "%s %s: %s", txn->id, mr_stage_smtp(stage),
		mr_verdict_name(verdict));
	log_trace(txn);
	if (is_logged(txn, stage, verdict))
		mr_log(MR_LOG_INFO, "%s",
			mr_report_line(txn, stage, recipient, verdict));
	return verdict;
}
