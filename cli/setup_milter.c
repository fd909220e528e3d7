/* setup_milter - how Postfix has to name our milter, and among which others;
 * the doctor compares with it what Postfix does. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"
#include "common/policy/scanners.h"

#include <inttypes.h>
#include <string.h>

/* BESIDES_S: above the policy's `wait`, what a busy machine may take. */
enum { CONTENT_S = 60, BESIDES_S = 22 };

static const char *queue_of(const struct mr_setup *setup)
{
	const char *queue =
		setup->postfix == NULL
			? NULL
			: mr_postfix_expand(setup->postfix, "queue_directory");

	return queue == NULL ? "/var/spool/postfix" : queue;
}

/* libmilter writes PORT@HOST, Postfix HOST:PORT. */
static const char *inet_endpoint(const struct mr_setup *setup, const char *rest)
{
	const char *at = strchr(rest, '@');
	const char *host = at == NULL ? "127.0.0.1" : at + 1;
	int port = at == NULL ? (int)strlen(rest) : (int)(at - rest);

	return mr_arena_printf(setup->arena,
		strchr(host, ':') != NULL && *host != '[' ? "inet:[%s]:%.*s"
							  : "inet:%s:%.*s",
		host, port, rest);
}

/* A path below the queue directory, from there; else as it is. */
static const char *from_queue(const struct mr_setup *setup, const char *path)
{
	const char *queue = queue_of(setup);
	size_t length = strlen(queue);

	if (strncmp(path, queue, length) == 0 && path[length] == '/')
		path += length + strspn(path + length, "/");
	return path;
}

static const char *endpoint_of(const struct mr_setup *setup,
	const struct mr_list *sockets, const char *passed)
{
	const char *socket = *(const char *const *)sockets->items;

	if (strncmp(socket, "inet:", 5) == 0)
		return inet_endpoint(setup, socket + 5);
	if (strncmp(socket, "inet6:", 6) == 0)
		return inet_endpoint(setup, socket + 6);
	if (strncmp(socket, "fd:", 3) == 0)
		return passed;
	if (strncmp(socket, "unix:", 5) == 0)
		socket += 5;
	return mr_arena_printf(
		setup->arena, "unix:%s", from_queue(setup, socket));
}

const char *mr_setup_endpoint(const struct mr_setup *setup)
{
	return endpoint_of(setup, &setup->policy->milter->socket,
		"unix:mailreeve/milter.sock");
}

const char *mr_setup_policy_endpoint(const struct mr_setup *setup)
{
	return endpoint_of(setup, &setup->policy->policyd->socket,
		"unix:mailreeve/policy.sock");
}

const char *mr_setup_socket_path(
	const struct mr_setup *setup, const char *endpoint, bool chrooted)
{
	if (strncmp(endpoint, "unix:", 5) != 0)
		return NULL;
	endpoint += 5;
	if (*endpoint == '/' && !chrooted)
		return endpoint;
	return mr_arena_printf(setup->arena, "%s/%s", queue_of(setup),
		endpoint + strspn(endpoint, "/"));
}

/* --- one element of a list of milters ----------------------------------- */

const char *mr_setup_milter_endpoint(
	const struct mr_setup *setup, const char *milter)
{
	milter += strspn(milter, "{ ,\t");
	return mr_arena_strndup(setup->arena, milter, strcspn(milter, " ,\t}"));
}

const char *mr_setup_element_option(
	const struct mr_setup *setup, const char *element, const char *name)
{
	size_t length = strlen(name);
	const char *word;

	if (*element != '{')
		return NULL;
	element = mr_arena_strndup(
		setup->arena, element + 1, strlen(element) - 1);
	while ((word = mr_postfix_next(setup->arena, &element)) != NULL) {
		const char *value;
		size_t end;

		word += strspn(word, "{ ");
		if (strncmp(word, name, length) != 0)
			continue;
		value = word + length + strspn(word + length, " ");
		if (*value++ != '=')
			continue;
		value += strspn(value, " ");
		end = strlen(value);
		while (end > 0 && strchr(" }", value[end - 1]) != NULL)
			end--;
		return mr_arena_strndup(setup->arena, value, end);
	}
	return NULL;
}

bool mr_setup_is_same(
	const struct mr_setup *setup, const char *a, const char *b)
{
	if (strncmp(a, "unix:", 5) == 0 && strncmp(b, "unix:", 5) == 0)
		return strcmp(from_queue(setup, a + 5),
			       from_queue(setup, b + 5)) == 0;
	return strcmp(a, b) == 0;
}

bool mr_setup_is_ours(const struct mr_setup *setup, const char *milter)
{
	return mr_setup_is_same(setup, mr_setup_milter_endpoint(setup, milter),
		mr_setup_endpoint(setup));
}

const char *mr_setup_our_milter(const struct mr_setup *setup, const char *list)
{
	const char *milter;

	while (list != NULL &&
		(milter = mr_postfix_next(setup->arena, &list)) != NULL)
		if (mr_setup_is_ours(setup, milter))
			return milter;
	return NULL;
}

/* --- the list ----------------------------------------------------------- */

const char *mr_setup_on_failure(const struct mr_setup *setup)
{
	return setup->policy->global->on_failure == MR_ON_FAILURE_ACCEPT
	               ? "accept"
	               : "tempfail";
}

int64_t mr_setup_answer_s(const struct mr_setup *setup, int64_t least)
{
	int64_t seconds = setup->policy->global->wait + BESIDES_S;

	return seconds > least ? seconds : least;
}

static const char *ours(const struct mr_setup *setup)
{
	return mr_arena_printf(setup->arena,
		"{ %s, connect_timeout=%ds, command_timeout=%" PRId64
		"s, content_timeout=%" PRId64 "s, default_action=%s }",
		mr_setup_endpoint(setup), MR_SETUP_CONNECT_S,
		mr_setup_answer_s(setup, MR_SETUP_ANSWER_S),
		mr_setup_answer_s(setup, CONTENT_S),
		mr_setup_on_failure(setup));
}

bool mr_setup_comes_last(const struct mr_setup *setup)
{
	const struct mr_policy *policy = setup->policy;

	for (size_t i = 0; i < policy->n_scanners; i++)
		if (policy->scanners[i].trust == MR_TRUST_BEFORE)
			return true;
	return false;
}

bool mr_setup_is_in_order(const struct mr_setup *setup, const char *list)
{
	const char *milter = mr_postfix_next(setup->arena, &list);

	return !mr_setup_comes_last(setup) || milter == NULL ||
	       !mr_setup_is_ours(setup, milter) ||
	       mr_postfix_next(setup->arena, &list) == NULL;
}

const char *mr_setup_milters(const struct mr_setup *setup, const char *list)
{
	const char *text = ours(setup), *others = "", *milter;
	bool in_place = mr_setup_our_milter(setup, list) != NULL &&
	                mr_setup_comes_last(setup) &&
	                mr_setup_is_in_order(setup, list);

	while (list != NULL &&
		(milter = mr_postfix_next(setup->arena, &list)) != NULL) {
		if (mr_setup_is_ours(setup, milter)) {
			if (!in_place)
				continue;
			milter = text;
		}
		others = mr_arena_printf(setup->arena, "%s%s%s", others,
			*others == '\0' ? "" : ", ", milter);
	}
	if (in_place)
		return others;
	if (*others == '\0')
		return text;
	return mr_setup_comes_last(setup)
	               ? mr_arena_printf(setup->arena, "%s, %s", others, text)
	               : mr_arena_printf(setup->arena, "%s, %s", text, others);
}

const char *mr_setup_main_milters(
	const struct mr_setup *setup, const char *name)
{
	const char *list, *expanded;

	if (setup->postfix == NULL)
		return mr_setup_milters(setup, NULL);
	list = mr_postfix_get(setup->postfix, name);
	expanded = mr_postfix_expand(setup->postfix, name);
	if (list != NULL && strcmp(list, "$smtpd_milters") == 0)
		return list;
	if (list != NULL && strchr(list, '$') != NULL &&
		mr_setup_our_milter(setup, expanded) != NULL)
		list = expanded; /* ours is in the parameter that it names */
	return mr_setup_milters(setup, list);
}
