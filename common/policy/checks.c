/* checks - the table of all checks, made from checks.def. */
/* SPDX-License-Identifier: ISC */
#include "common/policy/check.h"

const char *const mr_action_words[] = { "off", "observe", "tag", "defer",
	"reject", NULL };
const char *const mr_unsure_words[] = { "accept", "observe", "tag", "defer",
	"reject", NULL };

#define CHECK(name) extern const struct mr_check mr_check_##name;
#include "common/policy/checks.def"
#undef CHECK

const struct mr_check *const mr_checks[] = {
#define CHECK(name) &mr_check_##name,
#include "common/policy/checks.def"
#undef CHECK
	NULL,
};
