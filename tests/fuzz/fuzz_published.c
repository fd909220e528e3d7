/* fuzz_published - any octets as the published copy: a view for some addresses,
 * or an error, and the same one each time. */
/* SPDX-License-Identifier: ISC */
#include "common/config/published.h"
#include "dovecot-plugin/view.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const char *path, const char *address)
{
	struct mr_view *view = NULL;
	struct mr_error error = { "" };

	if (mr_view_load(path, address, &view, &error) < 0) {
		assert(view == NULL && error.text[0] != '\0');
		return;
	}
	assert(view->quota_at != NULL);
	for (size_t i = 0; i < view->n_rules; i++)
		assert(view->rules[i].folder != NULL &&
			view->rules[i].at != NULL &&
			view->rules[i].after >= 86400);
	mr_view_free(&view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("mailbox.conf", MFD_CLOEXEC);
	char path[64];

	assert(fd >= 0 && fchmod(fd, 0644) == 0);
	if (size > 0 && write(fd, data, size) != (ssize_t)size)
		return 0;
	/* with its end, so that more than that is looked at; mostly */
	if (size % 16 != 0 && dprintf(fd, "%s", MR_PUBLISHED_END) < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	look(path, "ann@a.example");
	look(path, "zoe@m.example");
	look(path, "nobody");
	close(fd);
	return 0;
}
