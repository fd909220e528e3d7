/* doveadm_due - see doveadm_due.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/doveadm_due.h"
#include "dovecot-plugin/purge.h"
#include "dovecot-plugin/state.h"
#include "common/base/arena.h"
#include "common/mailbox/due.h"

#include <unistd.h>

struct mr_dues {
	struct mr_arena *arena;
	struct mr_due *due;
	bool changed;
};

struct mr_dues *mr_dues_open(time_t now)
{
	struct mr_dues *dues;
	const char *text;
	size_t length;

	if (geteuid() != 0)
		return NULL;
	dues = i_new(struct mr_dues, 1);
	dues->arena = mr_arena_new(64 * 1024);
	text = mr_state_read(dues->arena, MR_STATE_DUE, &length);
	dues->due = mr_due_read(dues->arena, text, length, now);
	return dues;
}

bool mr_dues_is_later(const struct mr_dues *dues, const char *username)
{
	uint64_t then, now;

	return dues != NULL && mr_due_find(dues->due, username, &then) &&
		mr_user_policy_sum(username, &now) && now == then;
}

void mr_dues_remember(struct mr_dues *dues, const char *username,
	const struct mr_purge_plan *plan)
{
	if (dues == NULL || plan->unfinished || plan->failed)
		return;
	mr_due_set(dues->due, username, plan->policy, plan->next);
	dues->changed = TRUE;
}

void mr_dues_close(struct mr_dues **_dues)
{
	struct mr_dues *dues = *_dues;
	struct mr_error error;
	const char *text;
	size_t length;

	*_dues = NULL;
	if (dues == NULL)
		return;
	if (dues->changed) {
		text = mr_due_format(dues->due, &length);
		if (mr_state_write(MR_STATE_DUE, text, length, &error) < 0)
			i_warning("the next run will look at every user, as "
				"this one cannot remember when mail is due: %s",
				error.text);
	}
	mr_arena_free(&dues->arena);
	i_free(dues);
}
