/* json - see json.h, explain.h and doctor.h.  The one file that includes
 * <jansson.h>. */
/* SPDX-License-Identifier: ISC */
#include "cli/json.h"
#include "cli/doctor.h"
#include "cli/explain.h"
#include "common/policy/mailing.h"
#include "common/base/arena.h"
#include "common/policy/verdict.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Running out of memory must not lose half of an answer. */
static json_t *sure(json_t *value)
{
	if (value == NULL) {
		fputs("mailreeve: out of memory\n", stderr);
		abort();
	}
	return value;
}

static void put(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, sure(value)) < 0)
		sure(NULL);
}

static void append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, sure(value)) < 0)
		sure(NULL);
}

/* NULL is null; so is what cannot be UTF-8, rather than nothing at all. */
static json_t *string(const char *text)
{
	json_t *value = text == NULL ? NULL : json_string(text);

	return value == NULL ? json_null() : value;
}

static void print(json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);

	if (text == NULL)
		sure(NULL);
	puts(text);
	free(text);
	json_decref(value);
}

/* --- explain ------------------------------------------------------------ */

static void put_verdict(json_t *object, const struct mr_verdict *verdict,
	struct mr_arena *arena)
{
	put(object, "verdict", string(mr_verdict_name(verdict)));
	put(object, "code",
		verdict->code == 0 ? json_null() : json_integer(verdict->code));
	put(object, "enhanced", string(verdict->enhanced));
	put(object, "text", string(verdict->text));
	put(object, "rule", string(verdict->rule));
	put(object, "at",
		verdict->rule == NULL
			? json_null()
			: string(mr_place_format(arena, &verdict->at)));
}

/* One of the lists of where the mail would go; null where nobody looked or
 * could find out. */
static json_t *ends_of(const struct mr_recipient *r, const char *const *address)
{
	json_t *array;

	if (!r->resolved || r->resolution != MR_FOUND ||
		r->found.kind == MR_RECIPIENT_FOREIGN)
		return json_null();
	array = sure(json_array());
	for (; *address != NULL; address++)
		append(array, string(*address));
	return array;
}

/* Of the lists that it leads to; null where nobody asked or could find out. */
static json_t *members_of(
	const struct mr_txn *txn, const struct mr_recipient *r)
{
	const struct mr_expansion *e = txn->expansions;
	json_t *array = NULL;

	if (!r->resolved || r->resolution != MR_FOUND ||
		r->found.kind != MR_RECIPIENT_LIST)
		return json_null();
	for (; e != NULL; e = e->next)
		for (const char *const *l = r->found.lists; *l != NULL; l++) {
			if (strcmp(*l, e->list) != 0 || e->why != NULL)
				continue;
			if (array == NULL)
				array = sure(json_array());
			for (size_t i = 0; i < e->members.n; i++)
				append(array, string(e->members.of[i].address));
		}
	return array == NULL ? json_null() : array;
}

static json_t *recipients_of(const struct mr_txn *txn, struct mr_arena *arena)
{
	json_t *array = sure(json_array());

	for (const struct mr_recipient *r = txn->recipients; r != NULL;
		r = r->next) {
		json_t *object = sure(json_object());

		put(object, "address", string(r->given));
		put_verdict(object, &r->verdict, arena);
		put(object, "mailboxes", ends_of(r, r->found.mailboxes));
		put(object, "remotes", ends_of(r, r->found.remotes));
		put(object, "members", members_of(txn, r));
		append(array, object);
	}
	return array;
}

static json_t *trace_of(const struct mr_txn *txn, struct mr_arena *arena)
{
	json_t *array = sure(json_array());

	for (const struct mr_trace *t = txn->trace; t != NULL; t = t->next) {
		json_t *object = sure(json_object());
		bool ruled = t->finding == MR_HIT || t->finding == MR_UNSURE;

		put(object, "check", string(t->check));
		put(object, "stage", string(mr_stage_name(t->stage)));
		put(object, "recipient", string(t->recipient));
		put(object, "finding", string(mr_finding_name(t->finding)));
		put(object, "detail", string(t->detail));
		put(object, "action", string(mr_action_name(t->action)));
		put(object, "why", string(t->why));
		put(object, "at",
			ruled ? string(mr_place_format(arena, &t->at))
			      : json_null());
		append(array, object);
	}
	return array;
}

void mr_explain_print_json(
	const struct mr_explained *explained, struct mr_arena *arena)
{
	json_t *object = sure(json_object());

	put_verdict(object, explained->summary, arena);
	put(object, "recipients", recipients_of(explained->txn, arena));
	put(object, "trace", trace_of(explained->txn, arena));
	print(object);
}

/* --- doctor -------------------------------------------------------------- */

void mr_doctor_print_json(const struct mr_doctor *doctor)
{
	json_t *object = sure(json_object()), *array = sure(json_array());

	for (const struct mr_complaint *c = doctor->complaints; c != NULL;
		c = c->next) {
		json_t *complaint = sure(json_object());

		put(complaint, "name", string(c->ailment->name));
		put(complaint, "severity",
			string(mr_harm_name(c->ailment->harm)));
		put(complaint, "where", string(c->where));
		put(complaint, "why", string(c->ailment->why));
		put(complaint, "commands", string(c->cure));
		append(array, complaint);
	}
	put(object, "complaints", array);
	array = sure(json_array());
	for (const struct mr_unseen *u = doctor->unseen; u != NULL;
		u = u->next) {
		json_t *unseen = sure(json_object());

		put(unseen, "what", string(u->what));
		put(unseen, "why", string(u->why));
		append(array, unseen);
	}
	put(object, "could_not_look", array);
	print(object);
}

/* --- status ------------------------------------------------------------- */

static json_t *guess(const char *text, size_t length)
{
	char digits[20];

	if (length > 0 && length < 19 && strspn(text, "0123456789") >= length &&
		(length == 1 || text[0] != '0')) {
		memcpy(digits, text, length);
		digits[length] = '\0';
		return json_integer(strtoll(digits, NULL, 10));
	}
	return json_stringn(text, length);
}

static void put_pair(json_t *object, const char *name, json_t *value)
{
	json_t *there = json_object_get(object, name);

	if (there == NULL) {
		put(object, name, value);
	} else if (json_is_array(there)) {
		append(there, value);
	} else {
		json_t *array = sure(json_array());

		append(array, json_incref(there));
		append(array, value);
		put(object, name, array);
	}
}

static json_t *object_of(const char *text)
{
	json_t *object = sure(json_object());

	while (*text != '\0') {
		size_t line = strcspn(text, "\n");
		size_t name = strcspn(text, "=\n");
		char *copy;

		if (name < line) {
			copy = strndup(text, name);
			if (copy == NULL)
				sure(NULL);
			put_pair(object, copy,
				guess(text + name + 1, line - name - 1));
			free(copy);
		}
		text += line + (text[line] == '\n');
	}
	return object;
}

void mr_json_print_objects(const char *const *texts)
{
	json_t *array = sure(json_array());

	for (; *texts != NULL; texts++)
		append(array, object_of(*texts));
	print(array);
}

void mr_json_print_status(const char *milter, const char *policyd)
{
	json_t *object = object_of(milter == NULL ? "" : milter);

	if (policyd != NULL)
		put(object, "policyd", object_of(policyd));
	print(object);
}
