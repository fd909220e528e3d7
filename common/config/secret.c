/* secret - values that stand in a file of their own.  No message shows the
 * text: somebody may have written the password itself where @FILE belongs. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/config/source.h"
#include "common/config/value.h"

#include <string.h>

enum { SECRET_LONGEST = 4096 };

static const char *keep(struct mr_arena *arena, const char *secret,
	size_t length, const char *reference)
{
	size_t behind = strlen(reference) + 1;
	char *kept = mr_arena_alloc(arena, length + 1 + behind);

	memcpy(kept, secret, length);
	memcpy(kept + length + 1, reference, behind);
	return kept;
}

int mr_secret_read(struct mr_arena *arena, const char *reference,
	const char **secret, struct mr_error *error)
{
	struct mr_arena *scratch;
	struct mr_source_file file;
	size_t length = 0;
	int result = 0;

	error->text[0] = '\0';
	if (reference[0] != '@' || reference[1] != '/')
		return mr_error_set(error,
			"a secret stands in a file of its own, such as "
			"@/etc/mailreeve/zen.key");
	scratch = mr_arena_new(SECRET_LONGEST + 1);
	if (mr_source_read(scratch, reference + 1, SECRET_LONGEST, true, &file,
		    error) < 0) {
		/* only checking, as a user who may not know it */
		if (file.unreadable)
			*secret = keep(arena, "", 0, reference);
		else
			result = -1;
	} else {
		length = strcspn(file.text, "\r\n");
		if (length == 0)
			result = mr_error_set(error,
				"%s has no secret in its first line",
				reference + 1);
		else
			*secret = keep(arena, file.text, length, reference);
		explicit_bzero((char *)file.text, file.length);
	}
	mr_arena_free(&scratch);
	return result;
}

const char *mr_secret_reference(const char *secret)
{
	return secret + strlen(secret) + 1;
}
