/* dns_kept - an answer in one piece of memory, see dns_cache.h.  Its pointers
 * lead into it, so a copy is a memcpy and a shift. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/lookup/dns_cache.h"

#include <stdlib.h>
#include <string.h>

static size_t text_size(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static bool same_owner(const struct mr_dns_answer *answer, size_t i)
{
	return i > 0 && strcmp(answer->records[i].owner,
				answer->records[i - 1].owner) == 0;
}

static size_t size_of(const struct mr_dns_answer *answer, const char *why)
{
	size_t size = sizeof(struct mr_dns_kept) + text_size(why) +
	              answer->n * sizeof(struct mr_dns_record);

	for (size_t i = 0; i < answer->n; i++) {
		const struct mr_dns_record *r = &answer->records[i];

		size += same_owner(answer, i) ? 0 : text_size(r->owner);
		size += text_size(r->target);
		size += r->text == NULL ? 0 : r->length + 1;
	}
	return size;
}

static const char *put(char **out, const char *octets, size_t size)
{
	char *begin = *out;

	if (octets == NULL)
		return NULL;
	memcpy(begin, octets, size);
	*out += size;
	return begin;
}

static void fill(
	struct mr_dns_kept *kept, const struct mr_dns_answer *answer, char *out)
{
	struct mr_dns_record *records = (struct mr_dns_record *)(kept + 1);

	out += answer->n * sizeof(*records);
	for (size_t i = 0; i < answer->n; i++) {
		struct mr_dns_record *r = &records[i];

		*r = answer->records[i];
		r->owner = same_owner(answer, i)
		                   ? records[i - 1].owner
		                   : put(&out, r->owner, text_size(r->owner));
		r->target = put(&out, r->target, text_size(r->target));
		r->text = put(&out, r->text, r->length + 1);
	}
	kept->answer.records = records;
	kept->why = put(&out, kept->why, text_size(kept->why));
}

/* RFC 2308 section 5 and 7, with our limits. */
static int64_t seconds_to_keep(
	enum mr_lookup found, const struct mr_dns_answer *answer)
{
	int64_t most = MR_DNS_KEEP_MOST, ttl = answer->ttl;

	switch (found) {
	case MR_TEMPFAIL:
		return MR_DNS_KEEP_FAILURE;
	case MR_NOTFOUND:
		most = MR_DNS_KEEP_NEGATIVE;
		break;
	case MR_FOUND:
		break;
	}
	if (ttl < MR_DNS_KEEP_LEAST)
		return MR_DNS_KEEP_LEAST;
	return ttl > most ? most : ttl;
}

struct mr_dns_kept *mr_dns_kept_new(enum mr_lookup found,
	const struct mr_dns_answer *answer, const struct mr_error *error,
	int64_t now_ms)
{
	static const struct mr_dns_answer nothing = { .exists = true };
	const struct mr_dns_answer *told =
		found == MR_TEMPFAIL ? &nothing : answer;
	const char *why = found == MR_TEMPFAIL ? error->text : NULL;
	size_t size = size_of(told, why);
	struct mr_dns_kept *kept = mr_calloc(1, size);

	kept->references = 1;
	kept->size = size;
	kept->found = found;
	kept->since_ms = now_ms;
	kept->until_ms = now_ms + seconds_to_keep(found, told) * 1000;
	kept->answer = *told;
	kept->why = why;
	fill(kept, told, (char *)(kept + 1));
	return kept;
}

void mr_dns_kept_release(struct mr_dns_kept *kept)
{
	if (kept != NULL && --kept->references == 0)
		free(kept);
}

static const char *shifted(
	const char *pointer, const char *from, const char *to)
{
	return pointer == NULL ? NULL : to + (pointer - from);
}

static uint32_t left(uint32_t ttl, int64_t seconds)
{
	return ttl > seconds ? ttl - (uint32_t)seconds : 0;
}

enum mr_lookup mr_dns_kept_tell(const struct mr_dns_kept *kept, int64_t now_ms,
	struct mr_arena *arena, struct mr_dns_answer *answer,
	struct mr_error *error)
{
	size_t size = kept->size - sizeof(*kept);
	int64_t age = (now_ms - kept->since_ms) / 1000;
	const char *from = (const char *)(kept + 1);
	struct mr_dns_record *records;
	char *to;

	if (kept->found == MR_TEMPFAIL) {
		memset(answer, 0, sizeof(*answer));
		mr_error_set(error, "%s", kept->why);
		return MR_TEMPFAIL;
	}
	to = mr_arena_alloc(arena, size);
	memcpy(to, from, size);
	records = (struct mr_dns_record *)to;
	for (size_t i = 0; i < kept->answer.n; i++) {
		struct mr_dns_record *r = &records[i];

		r->owner = shifted(r->owner, from, to);
		r->target = shifted(r->target, from, to);
		r->text = shifted(r->text, from, to);
		r->ttl = left(r->ttl, age);
	}
	*answer = kept->answer;
	answer->records = records;
	answer->ttl = left(answer->ttl, age);
	return kept->found;
}
