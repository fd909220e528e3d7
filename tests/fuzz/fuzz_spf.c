/* fuzz_spf - strangers' octets as an SPF record, as a macro string of a term,
 * and as an explanation. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/base/ip.h"
#include "common/lookup/spf_macro.h"
#include "common/lookup/spf_term.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char LONG_LOCAL[] =
	"a-local.part+of=many,parts/and_delimiters.............--------++++++++";

static void expand(struct mr_spf_slice string, enum mr_spf_place place)
{
	const struct mr_ip ip = { .family = AF_INET6, .octets = { 0x20, 1 } };
	const struct mr_spf_values values = {
		.sender = LONG_LOCAL,
		.local = LONG_LOCAL,
		.sender_domain = "a.example",
		.domain = "a.b.c.example",
		.ip = &ip,
		.helo = "\xff\r\n%{s}",
		.now = 1,
	};
	struct mr_arena *arena = mr_arena_new(0);
	struct mr_error error;
	const char *text;

	if (mr_spf_expand(arena, string, place, &values, &text, &error) == 0)
		assert(strlen(text) <= MR_SPF_EXPANSION);
	assert(mr_arena_size(arena) <= 16 * (MR_SPF_EXPANSION + string.length));
	mr_arena_free(&arena);
}

static void look(struct mr_spf_slice record)
{
	struct mr_spf_term term;
	struct mr_error error;
	size_t at = 0, end = 0;

	if (!mr_spf_is_record(record) ||
		mr_spf_record_check(record, &error) < 0)
		return;
	while (mr_spf_next_term(record, &at, &term)) {
		end = (size_t)(term.text.text - record.text) + term.text.length;
		assert(term.bits4 <= 32 && term.bits6 <= 128);
		expand(term.domain, MR_SPF_IN_TERM);
	}
	/* it came to the end */
	for (; end > 0 && end < record.length; end++)
		assert(record.text[end] == ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_spf_slice text = { (const char *)data, size };

	look(text);
	expand(text, MR_SPF_IN_TERM);
	expand(text, MR_SPF_IN_EXPLANATION);
	return 0;
}
