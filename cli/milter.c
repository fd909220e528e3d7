/* milter - see milter.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/milter.h"
#include "common/base/arena.h"
#include "common/base/control.h"

#include <string.h>

int mr_milter_ask(const char *socket, const char *request,
	struct mr_arena *arena, struct mr_milter_answer *answer,
	struct mr_error *error)
{
	char *text, *line_end;

	*answer = (struct mr_milter_answer){ NULL, "" };
	if (mr_control_ask(socket, request, MR_MILTER_WAIT_MS, arena, &text,
		    error) < 0)
		return -1;
	line_end = strchr(text, '\n');
	if (line_end != NULL) {
		*line_end = '\0';
		answer->pairs = line_end + 1;
	}
	if (strncmp(text, "error=", 6) == 0)
		answer->refused = text + 6;
	else if (strcmp(text, "ok") != 0)
		return mr_error_set(error,
			"%s: what answers there is not mailreeve-milter",
			socket);
	return 0;
}
