/* queries - see queries.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/queries.h"
#include "common/base/arena.h"
#include "common/base/socket.h"
#include "common/state/quotas_wire.h"
#include "policyd/answerer.h"
#include "policyd/server.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct mr_queries {
	struct mr_socket socket;
	struct mr_quotas quotas;
	struct mr_answerer answerer;
	struct mr_server *server;
};

static bool may_ask(int fd)
{
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0)
		return false;
	return who.uid == 0 || who.uid == geteuid();
}

static const char *answer(void *context, int fd, char *text, size_t length,
	struct mr_arena *arena, const char **why_r)
{
	const struct mr_queries *queries = context;
	enum mr_lookup found = MR_TEMPFAIL;
	struct mr_fill fill;
	struct mr_error error;
	const char *mailbox;

	if (mr_quota_question_parse(text, length, &mailbox, &error) < 0) {
		*why_r = "a broken question";
		return NULL;
	}
	if (!may_ask(fd))
		mr_error_set(&error, "only the milter may ask");
	else
		found = queries->quotas.find(
			queries->quotas.context, mailbox, &fill, &error);
	return mr_quota_answer(arena, found, &fill, &error);
}

int mr_queries_open(const char *path, struct mr_quotas quotas,
	struct mr_queries **queries_r, struct mr_error *error)
{
	struct mr_queries *queries = mr_calloc(1, sizeof(*queries));
	struct mr_listens listens = { .n = 1 };

	queries->quotas = quotas;
	queries->answerer = (struct mr_answerer){ queries, answer };
	if (mr_socket_listen(path, &queries->socket, error) < 0) {
		free(queries);
		return -1;
	}
	listens.socket[0].fd = queries->socket.fd;
	if (mr_server_open(&queries->answerer, &listens, &queries->server,
		    error) < 0) {
		mr_socket_remove(&queries->socket);
		close(queries->socket.fd);
		free(queries);
		return -1;
	}
	*queries_r = queries;
	return 0;
}

int mr_queries_start(
	struct mr_queries *queries, int ended, struct mr_error *error)
{
	return mr_server_start(queries->server, ended, error);
}

void mr_queries_stop(struct mr_queries *queries)
{
	if (queries == NULL)
		return;
	mr_server_quiesce(queries->server);
	mr_socket_remove(&queries->socket);
}

uint64_t mr_queries_count(struct mr_queries *queries)
{
	return mr_server_status(queries->server).requests;
}
