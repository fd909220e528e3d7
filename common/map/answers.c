/* answers - see answers.h. */
/* SPDX-License-Identifier: ISC */
#include "common/map/answers.h"
#include "common/base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Key and value in one piece of memory, each with its NUL. */
struct place {
	char *key; /* NULL: nothing is here */
	char *value;
};

struct mr_answers {
	struct place places[MR_ANSWERS];
};

static size_t place_of(const char *key)
{
	unsigned hash;

	HASH_FUNCTION(key, strlen(key), hash);
	return hash % MR_ANSWERS;
}

struct mr_answers *mr_answers_new(void)
{
	return mr_calloc(1, sizeof(struct mr_answers));
}

void mr_answers_forget(struct mr_answers *answers)
{
	for (size_t i = 0; i < MR_ANSWERS; i++)
		free(answers->places[i].key);
	*answers = (struct mr_answers){ 0 };
}

void mr_answers_free(struct mr_answers **answers)
{
	if (*answers == NULL)
		return;
	mr_answers_forget(*answers);
	free(*answers);
	*answers = NULL;
}

bool mr_answers_find(
	const struct mr_answers *answers, const char *key, const char **value_r)
{
	const struct place *place = &answers->places[place_of(key)];

	if (place->key == NULL || strcmp(place->key, key) != 0)
		return false;
	*value_r = place->value;
	return true;
}

void mr_answers_keep(
	struct mr_answers *answers, const char *key, const char *value)
{
	struct place *place = &answers->places[place_of(key)];
	size_t length = strlen(key) + 1,
	       more = value == NULL ? 0 : strlen(value) + 1;

	if (length + more > MR_ANSWER_LONGEST_KEPT)
		return;
	free(place->key);
	place->key = mr_calloc(1, length + more);
	memcpy(place->key, key, length);
	place->value = value == NULL ? NULL : place->key + length;
	if (value != NULL)
		memcpy(place->value, value, more);
}
