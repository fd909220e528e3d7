/* setup_postfix - main.cf's part of `setup postfix`.  Appending to main.cf
 * replaces what it said before, so lists that may hold other milters are
 * printed with those. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"
#include "common/policy/judge.h"
#include "common/base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *mr_setup_main_cf(const struct mr_setup *setup, const char *name)
{
	return setup->postfix == NULL ? NULL
	                              : mr_postfix_get(setup->postfix, name);
}

void mr_setup_print_line(
	const struct mr_setup *setup, const char *name, const char *value)
{
	const char *now = mr_setup_main_cf(setup, name);

	if (setup->part == MR_SETUP_ALL && now != NULL &&
		strcmp(now, value) == 0)
		printf("# as it is: %s = %s\n", name, value);
	else
		printf("%s = %s\n", name, value);
}

/* --- the milter --------------------------------------------------------- */

static void explain_socket(const struct mr_setup *setup)
{
	const char *socket =
		*(const char *const *)setup->policy->milter->socket.items;

	if (strncmp(socket, "fd:", 3) == 0)
		mr_setup_explain(setup,
			"The policy's milter socket is passed (%s): write the "
			"ListenStream= of its .socket unit here, seen from "
			"Postfix's queue directory.",
			socket);
	else if (strncmp(mr_setup_endpoint(setup), "unix:/", 6) == 0)
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
	const char *action = mr_setup_main_cf(setup, "milter_default_action");
	const char *old = mr_setup_main_cf(setup, "smtpd_milters");

	if (!mr_judge_is_used(setup->policy, MR_JUDGE_MILTER)) {
		mr_setup_explain(setup,
			"The policy daemon judges all mail that comes by SMTP "
			"(judge = policyd), so Postfix needs no milter. Mail "
			"from sendmail(1) is then judged by nobody.");
		return;
	}
	mr_setup_explain(setup,
		"Postfix asks Mailreeve about every mail. default_action is "
		"the "
		"policy's on_failure: what happens to mail while Mailreeve "
		"does "
		"not answer (tempfail: 451, the sender tries again; accept: "
		"mail is accepted unchecked).");
	explain_socket(setup);
	if (old != NULL && *old != '\0' && !mr_setup_is_ours(setup, old))
		mr_setup_explain(setup, "The milters that were there stay.");
	mr_setup_print_line(setup, "smtpd_milters",
		mr_setup_main_milters(setup, "smtpd_milters"));
	mr_setup_explain(setup, "The same for mail from sendmail(1):");
	mr_setup_print_line(setup, "non_smtpd_milters",
		mr_setup_main_milters(setup, "non_smtpd_milters"));
	if (action == NULL ||
		!mr_postfix_sets(setup->postfix, "milter_default_action"))
		action = "tempfail";
	mr_setup_explain(setup, "For milters without a default_action of their "
				"own; the default "
				"differs between versions of Postfix:");
	mr_setup_print_line(setup, "milter_default_action", action);
}

/* --- sizes -------------------------------------------------------------- */

/* local(8) and virtual(8) refuse to run if a mail may be larger than a mailbox
 * file.  0 is no limit, for both. */
static void print_mailbox_limit(const struct mr_setup *setup, const char *name,
	uint64_t message, const char *text)
{
	uint64_t limit = mr_setup_number(setup, name, MR_SETUP_MAILBOX_SIZE);

	if (mr_setup_holds(limit, message))
		return;
	mr_setup_explain(setup,
		"Postfix wants %s to be no smaller than message_size_limit "
		"(it is %" PRIu64 "); the quota is Mailreeve's matter:",
		name, limit);
	mr_setup_print_line(setup, name, text);
}

static void print_limit(const struct mr_setup *setup, uint64_t limit)
{
	const char *text = mr_arena_printf(setup->arena, "%" PRIu64, limit);

	mr_setup_print_line(setup, "message_size_limit", text);
	print_mailbox_limit(setup, "mailbox_size_limit", limit, text);
	print_mailbox_limit(setup, "virtual_mailbox_limit", limit, text);
}

static void print_sizes(const struct mr_setup *setup)
{
	struct mr_setup_sizes sizes = mr_setup_sizes(setup);

	switch (sizes.why) {
	case MR_SETUP_NO_SIZE:
		mr_setup_explain(setup,
			"The policy has no message.size, so that Postfix's own "
			"message_size_limit (%" PRIu64 ") holds.",
			sizes.now);
		return;
	case MR_SETUP_UNLIMITED:
		mr_setup_explain(setup,
			"The policy has a message.size = unlimited, so that "
			"Postfix must not have a limit either (0 is none).");
		break;
	case MR_SETUP_FOR_SOME:
		mr_setup_explain(setup,
			"The policy limits message.size only for some; for the "
			"others Postfix's own message_size_limit (%" PRIu64
			") holds.",
			sizes.now);
		return;
	case MR_SETUP_NOT_ENFORCED:
		mr_setup_explain(setup,
			"The policy does not refuse every mail above its "
			"largest message.size (mode = observe, an exception, or "
			"check size), so Postfix's own message_size_limit "
			"(%" PRIu64 ") stays as it is.",
			sizes.now);
		return;
	case MR_SETUP_FOR_ALL:
		mr_setup_explain(setup,
			"The largest message.size of the policy is %s (%" PRIu64
			" octets). Postfix's own limit has to be above it: "
			"below, it would refuse mail that the policy accepts, "
			"in its own words. It counts envelope and trace "
			"headers, too, hence 1 MB more. It is also what EHLO "
			"advertises.",
			mr_size_for_people(setup->arena, sizes.largest),
			sizes.largest);
		break;
	}
	print_limit(setup, sizes.wanted);
}

/* --- what only a person should decide ----------------------------------- */

static void print_delivery(const struct mr_setup *setup)
{
	mr_setup_explain(setup,
		"Logins: Dovecot checks them (mailreeve setup dovecot prints "
		"its "
		"side). They are switched on per port, in master.cf below.");
	mr_setup_print_line(setup, "smtpd_sasl_type", "dovecot");
	mr_setup_print_line(setup, "smtpd_sasl_path", "private/auth");
	mr_setup_print_line(setup, "smtpd_sasl_auth_enable", "no");
	mr_setup_explain(setup, "No password without encryption:");
	mr_setup_print_line(setup, "smtpd_tls_auth_only", "yes");
	mr_setup_explain(setup, "TLS for whoever offers it; it needs "
				"smtpd_tls_chain_files, your "
				"key and certificate:");
	mr_setup_print_line(setup, "smtpd_tls_security_level", "may");
	putchar('\n');
	mr_setup_explain(setup, "Mail for hosted domains goes to Dovecot:");
	mr_setup_print_line(
		setup, "virtual_transport", "lmtp:unix:private/dovecot-lmtp");
}

/* What was there before comes back; ours itself is not "before". */
static void print_undo(const struct mr_setup *setup, const char *name)
{
	const char *now = mr_setup_main_cf(setup, name);

	if (now != NULL && mr_postfix_sets(setup->postfix, name) &&
		!mr_setup_is_ours(setup, now))
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
	if (mr_judge_is_used(setup->policy, MR_JUDGE_POLICYD))
		mr_setup_policyd_undo(setup);
	mr_setup_explain(setup,
		" postfix reload\n"
		"The programs can then be stopped; nothing else depends on "
		"them.");
}

void mr_setup_postfix(struct mr_setup *setup)
{
	if (setup->part == MR_SETUP_MASTER_CF) {
		mr_setup_master_cf(setup);
		return;
	}
	if (setup->part == MR_SETUP_ALIASES) {
		mr_setup_lists(setup);
		return;
	}
	mr_setup_explain(setup,
		"For Postfix %s and the policy %s. Nothing was changed. After "
		"you have put the lines where they belong:\n"
		" postfix check && postfix reload",
		setup->version, setup->cli->config);
	mr_setup_heading(setup, "main.cf: Mailreeve");
	print_milter(setup);
	mr_setup_policyd(setup);
	if (setup->part == MR_SETUP_ALL)
		putchar('\n');
	print_sizes(setup);
	if (setup->part == MR_SETUP_MAIN_CF)
		return;
	mr_setup_heading(setup, "main.cf: logins, TLS, delivery");
	print_delivery(setup);
	mr_setup_heading(setup, "master.cf: one service per port");
	mr_setup_master_cf(setup);
	mr_setup_lists(setup);
	mr_setup_heading(setup, "tables");
	mr_setup_compare_maps(setup);
	mr_setup_look_at_tables(setup);
	print_removal(setup);
}
