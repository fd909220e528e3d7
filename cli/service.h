/* service - asks the running programs, mailreeve-milter and mailreeve-policyd;
 * see common/base/control.h. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_SERVICE_H
#define MR_CLI_SERVICE_H

#include "common/base/error.h"
#include "common/config/sections.h"

struct mr_arena;

/* A reload opens tables and may take its time. */
enum { MR_SERVICE_WAIT_MS = 30 * 1000 };

struct mr_cli_service {
	const char *name;    /* "milter", for people */
	const char *program; /* "mailreeve-milter" */
	const struct mr_section *section;
	enum mr_judge judge;
};

/* By enum mr_judge. */
enum { MR_SERVICES = 2 };
extern const struct mr_cli_service mr_services[MR_SERVICES];

struct mr_service_answer {
	const char *refused; /* why the program did not do it, or NULL */
	const char *pairs;   /* what follows "ok": lines of name=value */
};

/* -1: nobody answers at `socket`; *error says what that means. */
int mr_service_ask(const struct mr_cli_service *service, const char *socket,
	const char *request, struct mr_arena *arena,
	struct mr_service_answer *answer, struct mr_error *error);

#endif
