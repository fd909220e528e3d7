/* explain_text - a judged mail for people: the verdict, then why. */
/* SPDX-License-Identifier: ISC */
#include "cli/columns.h"
#include "cli/explain.h"
#include "cli/members.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "common/policy/scan.h"
#include "common/policy/mailing.h"
#include "common/policy/verdict.h"

#include <stdio.h>
#include <string.h>

enum { SUBJECT_SHOWN = 200 };

static enum mr_style style_of(enum mr_action action)
{
	static const enum mr_style styles[] = {
		[MR_OFF] = MR_STYLE_GOOD,
		[MR_OBSERVE] = MR_STYLE_CAREFUL,
		[MR_TAG] = MR_STYLE_CAREFUL,
		[MR_DEFER] = MR_STYLE_CAREFUL,
		[MR_REJECT] = MR_STYLE_BAD,
	};

	return styles[action];
}

/* "reject: 550 5.1.1 ..." as Postfix would send it. */
static const char *verdict_text(
	struct mr_arena *arena, const struct mr_verdict *verdict)
{
	if (verdict->code == 0)
		return mr_verdict_name(verdict);
	return mr_arena_printf(arena, "%s: %d %s %s", mr_verdict_name(verdict),
		verdict->code, verdict->enhanced, verdict->text);
}

/* " for 1 of 2 recipients", where they are not all treated alike. */
static const char *share_text(const struct mr_txn *txn, struct mr_arena *arena)
{
	unsigned accepted = 0;

	for (const struct mr_recipient *r = txn->recipients; r != NULL;
		r = r->next)
		accepted += r->verdict.action < MR_DEFER;
	if (accepted == 0 || accepted == txn->n_recipients)
		return "";
	return mr_arena_printf(
		arena, " for %u of %u recipients", accepted, txn->n_recipients);
}

static void print_scan(const struct mr_txn *txn)
{
	bool add;
	const char *subject = mr_scan_subject(txn, &add);

	for (const char *const *mark = mr_scan_marks(txn); *mark != NULL;
		mark++)
		printf("  adds the header %s: scanner=%s\n",
			txn->policy->global->tag_header, *mark);
	if (subject != NULL)
		printf("  changes the Subject: %s\n",
			mr_text_printable(txn->arena, subject, SUBJECT_SHOWN));
}

static void print_verdict(const struct mr_explained *explained,
	struct mr_arena *arena, bool colour)
{
	const struct mr_verdict *verdict = explained->summary;

	printf("%s%s%s%s\n", mr_style(style_of(verdict->action), colour),
		verdict_text(arena, verdict), share_text(explained->txn, arena),
		mr_style(MR_STYLE_PLAIN, colour));
	if (verdict->rule != NULL)
		printf("  rule %s, set at %s\n", verdict->rule,
			mr_place_format(arena, &verdict->at));
	if (explained->tag != NULL)
		printf("  adds the header %s: %s\n",
			explained->txn->policy->global->tag_header,
			explained->tag);
	print_scan(explained->txn);
	if (explained->name_note != NULL)
		printf("  the client's name is unknown: %s\n",
			explained->name_note);
}

/* Whom the lists reach that the recipient leads to. */
static void print_lists(const struct mr_txn *txn, const struct mr_recipient *r,
	struct mr_arena *arena)
{
	const char *const *list = r->found.lists;

	for (; *list != NULL; list++)
		for (const struct mr_expansion *e = txn->expansions; e != NULL;
			e = e->next)
			if (strcmp(e->list, *list) == 0 && e->why == NULL)
				printf("    the list %s of %s%s\n", *list,
					mr_members_text(arena, &e->members),
					txn->policy->expands
						? ""
						: " (observed: it stays as it "
						  "is)");
}

static void print_recipients(
	const struct mr_txn *txn, struct mr_arena *arena, bool colour)
{
	const struct mr_recipient *r = txn->recipients;

	if (r != NULL)
		printf("\n%sRecipients%s\n", mr_style(MR_STYLE_HEAD, colour),
			mr_style(MR_STYLE_PLAIN, colour));
	for (; r != NULL; r = r->next) {
		printf("  %s\n    %s%s%s\n", r->given,
			mr_style(style_of(r->verdict.action), colour),
			verdict_text(arena, &r->verdict),
			mr_style(MR_STYLE_PLAIN, colour));
		if (r->verdict.rule != NULL)
			printf("    rule %s, set at %s\n", r->verdict.rule,
				mr_place_format(arena, &r->verdict.at));
		if (r->accepted && r->resolved && r->resolution == MR_FOUND &&
			r->found.kind == MR_RECIPIENT_FOREIGN)
			printf("    not a hosted domain: whether it may be "
			       "sent there is left to Postfix\n");
		if (r->accepted && r->resolved && r->resolution == MR_FOUND)
			print_lists(txn, r, arena);
	}
}

/* --- why ---------------------------------------------------------------- */

static const char *finding_text(
	struct mr_arena *arena, const struct mr_trace *trace)
{
	if (trace->outcome == NULL)
		return mr_finding_name(trace->finding);
	return mr_arena_printf(arena, "%s %s", mr_finding_name(trace->finding),
		trace->outcome);
}

static const char *remark(struct mr_arena *arena, const struct mr_trace *trace)
{
	if (trace->detail == NULL || trace->why == NULL)
		return trace->detail != NULL ? trace->detail : trace->why;
	return mr_arena_printf(arena, "%s (%s)", trace->detail, trace->why);
}

static void add_trace(struct mr_columns *columns, struct mr_arena *arena,
	const struct mr_trace *trace)
{
	struct mr_row *row = mr_columns_row(columns);
	bool matters = trace->finding == MR_HIT || trace->finding == MR_UNSURE;

	row->cell[0] = trace->check;
	row->cell[1] = finding_text(arena, trace);
	row->cell[2] = matters ? mr_action_name(trace->action) : NULL;
	row->cell[3] = matters ? mr_place_format(arena, &trace->at) : NULL;
	row->cell[4] = remark(arena, trace);
	if (!matters)
		row->style = MR_STYLE_FAINT;
	else if (trace->action != MR_OFF)
		row->style = style_of(trace->action);
}

static bool together(const struct mr_trace *a, const struct mr_trace *b)
{
	return a != NULL && b != NULL && a->stage == b->stage &&
	       a->recipient == b->recipient;
}

static void print_trace(
	const struct mr_txn *txn, struct mr_arena *arena, bool colour)
{
	const struct mr_trace *trace = txn->trace, *before = NULL;

	while (trace != NULL) {
		struct mr_columns *columns = mr_columns_new(arena, 5, "  ");

		printf("\n%sAsked at %s%s%s%s\n",
			mr_style(MR_STYLE_HEAD, colour),
			trace->stage == MR_STAGE_EOM
				? "the end of the mail"
				: mr_stage_smtp(trace->stage),
			trace->recipient == NULL ? "" : " for ",
			trace->recipient == NULL ? "" : trace->recipient,
			mr_style(MR_STYLE_PLAIN, colour));
		do {
			add_trace(columns, arena, trace);
			before = trace;
			trace = trace->next;
		} while (together(before, trace));
		mr_columns_print(columns, stdout, colour);
	}
}

void mr_explain_print(const struct mr_explained *explained,
	struct mr_arena *arena, bool colour)
{
	print_verdict(explained, arena, colour);
	print_recipients(explained->txn, arena, colour);
	print_trace(explained->txn, arena, colour);
}
