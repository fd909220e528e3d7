/* session - see session.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/session.h"
#include "dovecot-plugin/guard.h"
#include "dovecot-plugin/purge.h"
#include "dovecot-plugin/user.h"
#include "dovecot-plugin/view.h"
#include "dovecot-plugin/warn.h"
#include "common/base/clock.h"

#include <time.h>

/* The client has gone, but its process is one of a bounded number. */
enum { PURGE_MS = 2000 };

static bool is_session(const struct mail_user *user)
{
	return strcmp(user->service, "imap") == 0 ||
		strcmp(user->service, "pop3") == 0;
}

/* Nobody is there to ask, so whatever is not plain is left to an admin. */
static bool may_run(struct mr_user *u, const struct mr_purge_plan *plan,
	time_t now)
{
	struct mr_error error;

	if (plan->due == 0)
		return FALSE;
	if (mr_guard_clock(now, &error) < 0) {
		e_warning(u->event, "purge: nothing is purged: %s", error.text);
		return FALSE;
	}
	if (mr_user_view(u)->observe) {
		e_info(u->event, "purge: %"PRIu64" messages would go "
			"(mode = observe)", plan->due);
		return FALSE;
	}
	if (mr_purge_plan_is_too_much(u, plan)) {
		e_warning(u->event, "purge: nothing is purged: %"PRIu64" of %"
			PRIu64" messages are due, more than keep { share } "
			"allows; \"doveadm mailreeve purge -u %s\" at a "
			"terminal asks", plan->due, plan->total,
			u->user->username);
		return FALSE;
	}
	return TRUE;
}

static void purge(struct mr_user *u)
{
	struct mr_purge_how how = {
		.now = time(NULL),
		.until_ms = mr_clock_ms() + PURGE_MS,
	};
	struct mr_purge_plan *plan = mr_purge_plan(u, &how);

	if (plan == NULL)
		return;
	if (may_run(u, plan, how.now)) {
		const char *run = u->user->session_id != NULL
			? u->user->session_id : "session";

		(void)mr_purge_run(u, plan, &how, run);
	}
	mr_purge_plan_free(&plan);
}

void mr_session_end(struct mr_user *u)
{
	struct mail_user *user = u->user;

	if (user->autocreated || user->namespaces == NULL || user->dsyncing ||
	    user->error != NULL || !is_session(user))
		return;
	T_BEGIN {
		purge(u);
		mr_warn_check(u);
	} T_END;
}
