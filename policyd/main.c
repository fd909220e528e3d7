/* main - mailreeve-policyd: the policy by Postfix's policy delegation. */
/* SPDX-License-Identifier: ISC */
#include "common/daemon/daemon.h"
#include "common/daemon/status.h"
#include "common/policy/engine.h"
#include "common/policy/policy.h"
#include "policyd/delegation.h"
#include "policyd/memory.h"
#include "policyd/server.h"

#include <inttypes.h>

struct policyd {
	struct mr_engine *engine;
	struct mr_delegation *delegation;
	struct mr_answerer answerer;
	struct mr_server *server;
	struct mr_memory *memory;
};

static const struct mr_service *settings(const struct mr_policy *policy)
{
	return policy->policyd;
}

static int open_server(void *state, struct mr_engine *engine,
	struct mr_listens *listens, struct mr_error *error)
{
	struct policyd *policyd = state;
	struct mr_policy *policy = mr_engine_policy(engine);

	policyd->engine = engine;
	policyd->memory = mr_memory_new(policy->policyd);
	mr_policy_release(&policy);
	policyd->delegation =
		mr_delegation_new(engine, mr_memory_rates(policyd->memory),
			mr_memory_quotas(policyd->memory));
	policyd->answerer = mr_delegation_answerer(policyd->delegation);
	return mr_server_open(
		&policyd->answerer, listens, &policyd->server, error);
}

static int start(void *state, int ended, struct mr_error *error)
{
	struct policyd *policyd = state;

	mr_memory_start(policyd->memory, policyd->engine, ended);
	return mr_server_start(policyd->server, ended, error);
}

static int quiesce(
	void *state, struct mr_listens *listens, struct mr_error *error)
{
	struct policyd *policyd = state;

	(void)listens;
	(void)error;
	mr_server_quiesce(policyd->server);
	return 0;
}

static void end(void *state)
{
	mr_memory_end(((struct policyd *)state)->memory);
}

static struct mr_front_work work(void *state)
{
	return (struct mr_front_work){
		.mails = mr_server_status(((struct policyd *)state)->server)
		                 .under_way,
	};
}

static void status(void *state, struct mr_arena *arena, FILE *out)
{
	struct policyd *policyd = state;
	struct mr_server_status server = mr_server_status(policyd->server);

	mr_status_say(arena, out, "connections", "%u", server.connections);
	mr_status_say(arena, out, "threads", "%u", server.threads);
	mr_status_say(arena, out, "requests", "%" PRIu64, server.requests);
	mr_status_say(arena, out, "transactions", "%zu",
		mr_delegation_mails(policyd->delegation));
	mr_memory_status(policyd->memory, arena, out);
}

static void rates(void *state, struct mr_arena *arena, FILE *out)
{
	mr_memory_say_rates(((struct policyd *)state)->memory, arena, out);
}

int main(int argc, char **argv)
{
	static const struct mr_front front = {
		.program = "mailreeve-policyd",
		.section = &mr_section_policyd,
		.sockets = MR_SOCKETS_MOST,
		.settings = settings,
		.open = open_server,
		.start = start,
		.quiesce = quiesce,
		.end = end,
		.work = work,
		.status = status,
		.rates = rates,
	};
	static struct policyd policyd;

	mr_daemon_run(argc, argv, &front, &policyd);
}
