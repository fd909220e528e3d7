/* spf_libspf2 - see spf_libspf2.h. */
/* SPDX-License-Identifier: ISC */
#include "common/lookup/spf_libspf2.h"
#include "common/base/error.h"
#include "common/lookup/spf.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spf2/spf.h>

/* libspf2 has an explanation of its own, which names another site; ours says
 * that there is none. */
#define NO_EXPLANATION "no-explanation-of-the-domain"

struct mr_spf2 {
	SPF_server_t *server;
	SPF_dns_server_t dns;
	mr_spf2_ask *ask;
	int fd;
	struct mr_spf_wire_answer *answer;
};

/* It would print to standard error, which is closed. */
static void say_nothing(const char *file, int line, const char *message)
{
	(void)file;
	(void)line;
	(void)message;
}

/* Where it would abort(). */
__attribute__((noreturn)) static void give_up(
	const char *file, int line, const char *message)
{
	say_nothing(file, line, message);
	_exit(EXIT_FAILURE);
}

static SPF_dns_stat_t status_of(const struct mr_spf_wire_answer *answer)
{
	if (answer->found == MR_FOUND)
		return NETDB_SUCCESS;
	if (answer->found != MR_NOTFOUND)
		return TRY_AGAIN;
	return answer->exists ? NO_DATA : HOST_NOT_FOUND;
}

/* false: no memory. */
static bool add_record(SPF_dns_rr_t *rr, const char *octets, uint16_t length)
{
	if (SPF_dns_rr_buf_realloc(rr, rr->num_rr, (size_t)length + 1) !=
		SPF_E_SUCCESS)
		return false;
	memcpy(rr->rr[rr->num_rr], octets, length);
	((char *)rr->rr[rr->num_rr])[length] = '\0';
	rr->num_rr++;
	return true;
}

static SPF_dns_rr_t *look_up(SPF_dns_server_t *server, const char *domain,
	ns_type type, int use_cache)
{
	struct mr_spf2 *spf2 = server->hook;
	struct mr_spf_wire_question question = { MR_SPF_WIRE_QUESTION, type,
		"" };
	const char *p = (const char *)(spf2->answer + 1);
	SPF_dns_rr_t *rr;
	uint16_t length;
	size_t left;

	(void)use_cache;
	if (strlen(domain) >= sizeof(question.name))
		return SPF_dns_rr_new_nxdomain(server, domain);
	snprintf(question.name, sizeof(question.name), "%s", domain);
	left = spf2->ask(spf2->fd, &question, spf2->answer);
	if (left < sizeof(*spf2->answer))
		_exit(EXIT_FAILURE); /* nobody waits for the result */
	left -= sizeof(*spf2->answer);
	rr = SPF_dns_rr_new_init(
		server, domain, type, 0, status_of(spf2->answer));
	for (uint32_t i = 0; rr != NULL && i < spf2->answer->count; i++) {
		if (left < sizeof(length))
			break;
		memcpy(&length, p, sizeof(length));
		p += sizeof(length);
		left -= sizeof(length);
		if (left < length || !add_record(rr, p, length))
			break;
		p += length;
		left -= length;
	}
	return rr;
}

struct mr_spf2 *mr_spf2_new(mr_spf2_ask *ask)
{
	struct mr_spf2 *spf2 = calloc(1, sizeof(*spf2));
	SPF_response_t *response = NULL;

	if (spf2 == NULL)
		return NULL;
	SPF_error_handler = give_up;
	SPF_warning_handler = say_nothing;
	SPF_info_handler = say_nothing;
	SPF_debug_handler = say_nothing;
	spf2->ask = ask;
	spf2->answer = malloc(MR_SPF_WIRE_LARGEST);
	spf2->dns.lookup = look_up;
	spf2->dns.name = "asked of another process";
	spf2->dns.hook = spf2;
	spf2->server = SPF_server_new_dns(&spf2->dns, 0);
	if (spf2->answer == NULL || spf2->server == NULL ||
		SPF_server_set_explanation(spf2->server, NO_EXPLANATION,
			&response) != SPF_E_SUCCESS)
		return NULL; /* for a process that ends */
	SPF_response_free(response);
	return spf2;
}

/* --- the result --------------------------------------------------------- */

static enum mr_spf result_of(SPF_response_t *response, SPF_errcode_t error)
{
	switch (SPF_response_result(response)) {
	case SPF_RESULT_NONE:
		return MR_SPF_NONE;
	case SPF_RESULT_NEUTRAL:
		return MR_SPF_NEUTRAL;
	case SPF_RESULT_PASS:
		return MR_SPF_PASS;
	case SPF_RESULT_FAIL:
		return MR_SPF_FAIL;
	case SPF_RESULT_SOFTFAIL:
		return MR_SPF_SOFTFAIL;
	case SPF_RESULT_TEMPERROR:
		return MR_SPF_TEMPERROR;
	case SPF_RESULT_PERMERROR:
		return MR_SPF_PERMERROR;
	case SPF_RESULT_INVALID:
		break;
	}
	return error == SPF_E_DNS_ERROR ? MR_SPF_TEMPERROR : MR_SPF_PERMERROR;
}

static void set_result(struct mr_spf_wire_result *result,
	SPF_response_t *response, SPF_errcode_t error)
{
	const char *explanation = SPF_response_get_explanation(response);
	const char *why = SPF_response_get_header_comment(response);

	result->kind = MR_SPF_WIRE_RESULT;
	result->result = result_of(response, error);
	if (explanation != NULL && strcmp(explanation, NO_EXPLANATION) != 0)
		snprintf(result->explanation, sizeof(result->explanation), "%s",
			explanation);
	if (why == NULL || *why == '\0')
		why = SPF_strerror(error);
	snprintf(result->why, sizeof(result->why), "%s", why);
}

void mr_spf2_check(struct mr_spf2 *spf2, int fd,
	const struct mr_spf_wire_check *check,
	struct mr_spf_wire_result *result)
{
	SPF_request_t *request = SPF_request_new(spf2->server);
	SPF_response_t *response = NULL;
	SPF_errcode_t error;

	spf2->fd = fd;
	SPF_server_set_rec_dom(spf2->server, check->receiver);
	if (strchr(check->ip, ':') != NULL)
		SPF_request_set_ipv6_str(request, check->ip);
	else
		SPF_request_set_ipv4_str(request, check->ip);
	/* without an envelope sender libspf2 takes postmaster@ this */
	SPF_request_set_helo_dom(request, check->helo);
	if (*check->sender != '\0')
		SPF_request_set_env_from(request, check->sender);
	error = SPF_request_query_mailfrom(request, &response);
	set_result(result, response, error);
	/* nothing is freed: its destructors have nothing to gain, and the
	 * process ends */
}
