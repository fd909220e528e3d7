/*
 * answers - a table's last answers, for as long as it is the same
 *
 * Of a hundred mails many are for the same domain.  Who knows that a table has
 * not changed since it was asked need not lock and read it again.  A key's
 * place is its hash, so whoever comes last has it; long ones are not kept.  For
 * one thread at a time.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_MAP_ANSWERS_H
#define MR_MAP_ANSWERS_H

#include <stdbool.h>

/* How many, and octets of key and value together. */
enum { MR_ANSWERS = 64, MR_ANSWER_LONGEST_KEPT = 256 };

struct mr_answers;

struct mr_answers *mr_answers_new(void);
/* NULL-safe. */
void mr_answers_free(struct mr_answers **answers);
/* All of them. */
void mr_answers_forget(struct mr_answers *answers);
/* *value_r NULL: the table does not have it.  What it points to stays until the
 * next call. */
bool mr_answers_find(const struct mr_answers *answers, const char *key,
	const char **value_r);
void mr_answers_keep(
	struct mr_answers *answers, const char *key, const char *value);

#endif
