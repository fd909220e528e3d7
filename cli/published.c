/* published - see published.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/published.h"
#include "cli/replace.h"
#include "common/config/config.h"

static int publish(const void *config, FILE *out, struct mr_error *error)
{
	return mr_config_publish(config, out, error);
}

int mr_published_write(const struct mr_config *config, const char *directory,
	struct mr_arena *arena, const char **path_r, struct mr_error *error)
{
	return mr_replace_file(directory, "mailbox.conf", publish, config,
		arena, path_r, error);
}
