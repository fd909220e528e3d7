/* setup_postfix - main.cf's part of `setup postfix`.  Appending to main.cf
 * replaces what it said before, so lists that may hold other milters are
 * printed with those. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"
#include "common/policy/check.h"
#include "common/base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What Postfix counts of a mail beside its octets: envelope records, one for
 * each recipient, and the headers that it adds itself. */
#define ROOM (UINT64_C(1) << 20)

static const char *value_of(const struct mr_setup *setup, const char *name)
{
	return setup->postfix == NULL ? NULL
	                              : mr_postfix_get(setup->postfix, name);
}

static void print_line(
	const struct mr_setup *setup, const char *name, const char *value)
{
	const char *now = value_of(setup, name);

	if (setup->part == MR_SETUP_ALL && now != NULL &&
		strcmp(now, value) == 0)
		printf("# as it is: %s = %s\n", name, value);
	else
		printf("%s = %s\n", name, value);
}

/* --- the milter --------------------------------------------------------- */

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

/* As Postfix's processes see it: those that are chrooted have the queue
 * directory as root, and all of them as working directory. */
static const char *endpoint(const struct mr_setup *setup)
{
	const char *socket = setup->policy->milter->socket;
	const char *queue = value_of(setup, "queue_directory");
	size_t length;

	if (strncmp(socket, "inet:", 5) == 0)
		return inet_endpoint(setup, socket + 5);
	if (strncmp(socket, "inet6:", 6) == 0)
		return inet_endpoint(setup, socket + 6);
	if (strncmp(socket, "fd:", 3) == 0)
		return "unix:mailreeve/milter.sock";
	if (strncmp(socket, "unix:", 5) == 0)
		socket += 5;
	if (queue == NULL)
		queue = "/var/spool/postfix";
	length = strlen(queue);
	if (strncmp(socket, queue, length) == 0 && socket[length] == '/')
		socket += length + 1;
	return mr_arena_printf(setup->arena, "unix:%s", socket);
}

static bool is_ours(const char *milter, const char *ours)
{
	size_t length;

	milter += strspn(milter, "{ ");
	length = strcspn(milter, " ,}");
	return length == strlen(ours) && strncmp(milter, ours, length) == 0;
}

/* Ours first, so that nothing else looks at what is refused; then what main.cf
 * has already. */
static const char *milters(const struct mr_setup *setup, const char *name)
{
	const char *ours = endpoint(setup), *list = value_of(setup, name);
	const char *milter;
	char *text = mr_arena_printf(setup->arena,
		"{ %s, connect_timeout=5s, command_timeout=30s, "
		"content_timeout=60s, default_action=%s }",
		ours,
		setup->policy->global->on_failure == MR_ON_FAILURE_ACCEPT
			? "accept"
			: "tempfail");

	if (list != NULL && strcmp(list, "$smtpd_milters") == 0)
		return list;
	while (list != NULL &&
		(milter = mr_postfix_next(setup->arena, &list)) != NULL)
		if (!is_ours(milter, ours))
			text = mr_arena_printf(
				setup->arena, "%s, %s", text, milter);
	return text;
}

static void explain_socket(const struct mr_setup *setup)
{
	const char *socket = setup->policy->milter->socket;

	if (strncmp(socket, "fd:", 3) == 0)
		mr_setup_explain(setup,
			"The policy's milter socket is passed (%s): write the "
			"ListenStream= of its .socket unit here, seen from "
			"Postfix's queue directory.",
			socket);
	else if (strncmp(endpoint(setup), "unix:/", 6) == 0)
		mr_setup_explain(setup,
			"Mind: %s is not below Postfix's queue directory, so "
			"that a chrooted smtpd or cleanup (a y in the fifth "
			"column of master.cf, which is Debian's default) "
			"cannot "
			"reach it.",
			socket);
}

static void print_milter(const struct mr_setup *setup)
{
	const char *action = value_of(setup, "milter_default_action");
	const char *old = value_of(setup, "smtpd_milters");

	mr_setup_explain(setup,
		"Postfix asks Mailreeve about every mail. default_action is "
		"the "
		"policy's on_failure: what happens to mail while Mailreeve "
		"does "
		"not answer (tempfail: 451, the sender tries again; accept: "
		"mail is accepted unchecked).");
	explain_socket(setup);
	if (old != NULL && *old != '\0' && !is_ours(old, endpoint(setup)))
		mr_setup_explain(setup, "The milters that were there stay.");
	print_line(setup, "smtpd_milters", milters(setup, "smtpd_milters"));
	mr_setup_explain(setup, "The same for mail from sendmail(1):");
	print_line(setup, "non_smtpd_milters",
		milters(setup, "non_smtpd_milters"));
	if (action == NULL ||
		!mr_postfix_sets(setup->postfix, "milter_default_action"))
		action = "tempfail";
	mr_setup_explain(setup, "For milters without a default_action of their "
				"own; the default "
				"differs between versions of Postfix:");
	print_line(setup, "milter_default_action", action);
}

/* --- sizes -------------------------------------------------------------- */

static uint64_t number(
	const struct mr_setup *setup, const char *name, uint64_t otherwise)
{
	const char *value = value_of(setup, name);

	return value == NULL ? otherwise : strtoull(value, NULL, 10);
}

/* local(8) and virtual(8) refuse to run if a mail may be larger than a mailbox
 * file.  0 is no limit, for both. */
static void print_mailbox_limit(const struct mr_setup *setup, const char *name,
	uint64_t message, const char *text)
{
	uint64_t limit = number(setup, name, 51200000);

	if (limit == 0 || (message != 0 && limit >= message))
		return;
	mr_setup_explain(setup,
		"Postfix wants %s to be no smaller than message_size_limit "
		"(it is %" PRIu64 "); the quota is Mailreeve's matter:",
		name, limit);
	print_line(setup, name, text);
}

/* What the policy says of message.size, anywhere. */
struct sizes {
	uint64_t largest;
	bool any;
};

static void see_size(void *context, const struct mr_scope *scope,
	const void *value, const struct mr_place *at)
{
	struct sizes *sizes = context;
	uint64_t size = *(const uint64_t *)value;

	(void)scope, (void)at;
	sizes->any = true;
	if (size > sizes->largest)
		sizes->largest = size;
}

static void print_limit(const struct mr_setup *setup, uint64_t limit)
{
	const char *text = mr_arena_printf(setup->arena, "%" PRIu64, limit);

	print_line(setup, "message_size_limit", text);
	print_mailbox_limit(setup, "mailbox_size_limit", limit, text);
	print_mailbox_limit(setup, "virtual_mailbox_limit", limit, text);
}

/* Is everybody refused what is above the largest size? */
static bool is_enforced(const struct mr_policy *policy)
{
	if (policy->global->mode == MR_MODE_OBSERVE)
		return false;
	for (size_t i = 0; mr_checks[i] != NULL; i++)
		if (strcmp(mr_checks[i]->name, "size") == 0) {
			const struct mr_rule *rule = mr_config_get(
				policy->config, NULL, mr_checks[i]->section,
				NULL, policy->arena)
			                                     ->values;

			return (policy->at_mail >> i & 1) &&
			       rule->action >= MR_DEFER;
		}
	return false;
}

static void print_sizes(const struct mr_setup *setup)
{
	struct sizes sizes = { 0 };
	uint64_t now = number(setup, "message_size_limit", 10240000);

	mr_config_each(setup->policy->config, &mr_section_message,
		offsetof(struct mr_message, size), see_size, &sizes);
	if (!sizes.any) {
		mr_setup_explain(setup,
			"The policy has no message.size, so that Postfix's own "
			"message_size_limit (%" PRIu64 ") holds.",
			now);
	} else if (sizes.largest > UINT64_MAX - ROOM) {
		mr_setup_explain(setup,
			"The policy has a message.size = unlimited, so that "
			"Postfix must not have a limit either (0 is none).");
		print_limit(setup, 0);
	} else if (setup->policy->largest == MR_UNLIMITED &&
		   (now == 0 || now >= sizes.largest + ROOM)) {
		mr_setup_explain(setup,
			"The policy limits message.size only for some; for the "
			"others Postfix's own message_size_limit (%" PRIu64
			") holds.",
			now);
	} else if (!is_enforced(setup->policy) &&
		   (now == 0 || now >= sizes.largest + ROOM)) {
		mr_setup_explain(setup,
			"The policy does not refuse every mail above its "
			"largest message.size (mode = observe, an exception, or "
			"check size), so Postfix's own message_size_limit "
			"(%" PRIu64 ") stays as it is.",
			now);
	} else {
		mr_setup_explain(setup,
			"The largest message.size of the policy is %s (%" PRIu64
			" octets). Postfix's own limit has to be above it: "
			"below, it would refuse mail that the policy accepts, "
			"in its own words. It counts envelope and trace "
			"headers, too, hence 1 MB more. It is also what EHLO "
			"advertises.",
			mr_size_for_people(setup->arena, sizes.largest),
			sizes.largest);
		print_limit(setup, sizes.largest + ROOM);
	}
}

/* --- what only a person should decide ----------------------------------- */

static void print_delivery(const struct mr_setup *setup)
{
	mr_setup_explain(setup,
		"Logins: Dovecot checks them (mailreeve setup dovecot prints "
		"its "
		"side). They are switched on per port, in master.cf below.");
	print_line(setup, "smtpd_sasl_type", "dovecot");
	print_line(setup, "smtpd_sasl_path", "private/auth");
	print_line(setup, "smtpd_sasl_auth_enable", "no");
	mr_setup_explain(setup, "No password without encryption:");
	print_line(setup, "smtpd_tls_auth_only", "yes");
	mr_setup_explain(setup, "TLS for whoever offers it; it needs "
				"smtpd_tls_chain_files, your "
				"key and certificate:");
	print_line(setup, "smtpd_tls_security_level", "may");
	putchar('\n');
	mr_setup_explain(setup, "Mail for hosted domains goes to Dovecot:");
	print_line(
		setup, "virtual_transport", "lmtp:unix:private/dovecot-lmtp");
}

/* What was there before comes back; ours itself is not "before". */
static void print_undo(const struct mr_setup *setup, const char *name)
{
	const char *now = value_of(setup, name);

	if (now != NULL && mr_postfix_sets(setup->postfix, name) &&
		!is_ours(now, endpoint(setup)))
		mr_setup_explain(setup, " postconf -e '%s = %s'", name, now);
	else
		mr_setup_explain(setup, " postconf -X %s", name);
}

static void print_removal(const struct mr_setup *setup)
{
	static const char *const names[] = { "smtpd_milters",
		"non_smtpd_milters", "milter_default_action",
		"message_size_limit", "mailbox_size_limit",
		"virtual_mailbox_limit" };

	mr_setup_heading(setup, "to take it out again");
	mr_setup_explain(setup, "Keep these lines: they bring back what "
				"main.cf says now.");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		print_undo(setup, names[i]);
	mr_setup_explain(setup,
		" postfix reload\n"
		"The milter can then be stopped; nothing else depends on it.");
}

void mr_setup_postfix(struct mr_setup *setup)
{
	if (setup->part == MR_SETUP_MASTER_CF) {
		mr_setup_master_cf(setup);
		return;
	}
	mr_setup_explain(setup,
		"For Postfix %s and the policy %s. Nothing was changed. After "
		"you have put the lines where they belong:\n"
		" postfix check && postfix reload",
		setup->version, setup->cli->config);
	mr_setup_heading(setup, "main.cf: Mailreeve");
	print_milter(setup);
	if (setup->part == MR_SETUP_ALL)
		putchar('\n');
	print_sizes(setup);
	if (setup->part == MR_SETUP_MAIN_CF)
		return;
	mr_setup_heading(setup, "main.cf: logins, TLS, delivery");
	print_delivery(setup);
	mr_setup_heading(setup, "master.cf: one service per port");
	mr_setup_master_cf(setup);
	mr_setup_heading(setup, "tables");
	mr_setup_compare_maps(setup);
	print_removal(setup);
}
