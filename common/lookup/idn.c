/* idn - see idn.h.  The only file that includes <idn2.h>. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/idn.h"
#include "common/base/arena.h"

#include <idn2.h>
#include <stdint.h>

const char *mr_idn_ascii(struct mr_arena *arena, const char *name)
{
	const char *p = name, *copy;
	char *labels;

	while (*p != '\0' && (unsigned char)*p < 0x80)
		p++;
	if (*p == '\0')
		return name;
	if (idn2_to_ascii_8z(name, &labels,
		    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return NULL;
	copy = mr_arena_strdup(arena, labels);
	idn2_free(labels);
	return copy;
}
