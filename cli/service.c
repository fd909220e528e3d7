/* service - see service.h. */
/* SPDX-License-Identifier: ISC */
#include "cli/service.h"
#include "common/base/arena.h"
#include "common/base/control.h"

#include <string.h>

const struct mr_cli_service mr_services[MR_SERVICES] = {
	[MR_JUDGE_MILTER] = { "milter", "mailreeve-milter", &mr_section_milter,
		MR_JUDGE_MILTER },
	[MR_JUDGE_POLICYD] = { "policy daemon", "mailreeve-policyd",
		&mr_section_policyd, MR_JUDGE_POLICYD },
};

int mr_service_ask(const struct mr_cli_service *service, const char *socket,
	const char *request, struct mr_arena *arena,
	struct mr_service_answer *answer, struct mr_error *error)
{
	char *text, *line_end;

	*answer = (struct mr_service_answer){ NULL, "" };
	if (mr_control_ask(socket, request, MR_SERVICE_WAIT_MS, arena, &text,
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
		return mr_error_set(error, "%s: what answers there is not %s",
			socket, service->program);
	return 0;
}
