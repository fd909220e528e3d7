/* prepend - see prepend.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/prepend.h"
#include "common/base/arena.h"
#include "common/base/log.h"
#include "common/policy/engine.h"
#include "common/policy/results.h"

#include <string.h>

static const char *tag(struct mr_txn *txn)
{
	return txn->policy->tags ? mr_txn_tag(txn) : NULL;
}

/* The first one that has something to say is told. */
static const struct {
	const char *name; /* NULL: the policy's tag_header */
	const char *(*value)(struct mr_txn *txn);
} headers[] = {
	{ NULL, tag },
	{ "Received-SPF", mr_results_received_spf },
	{ "Authentication-Results", mr_results_value },
};

static const char *unfold(struct mr_arena *arena, const char *value)
{
	char *copy = mr_arena_strdup(arena, value), *to = copy;

	for (const char *from = value; *from != '\0'; from++)
		if (*from != '\n')
			*to++ = *from == '\t' ? ' ' : *from;
	*to = '\0';
	return copy;
}

static const char *write_header(
	struct mr_txn *txn, const char *name, const char *value)
{
	const char *text;

	if (name == NULL)
		name = txn->policy->global->tag_header;
	text = mr_arena_printf(
		txn->arena, "%s: %s", name, unfold(txn->arena, value));
	if (strlen(text) <= MR_HEADER_LONGEST)
		return text;
	mr_log(MR_LOG_WARNING, "%s: a header %s of %zu octets is left out",
		txn->id, name, strlen(text));
	return NULL;
}

const char *mr_prepend_next(struct mr_txn *txn, unsigned *told_r)
{
	const char *text = NULL;

	for (unsigned i = 0;
		text == NULL && i < sizeof(headers) / sizeof(headers[0]); i++) {
		const char *value;

		if ((*told_r & (1u << i)) != 0)
			continue;
		value = headers[i].value(txn);
		if (value == NULL)
			continue;
		*told_r |= 1u << i;
		text = write_header(txn, headers[i].name, value);
	}
	return text;
}
