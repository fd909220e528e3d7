/* setup_master - master.cf's part of `setup postfix`: each listener of the
 * policy is a service, with its TLS and logins.  What only the milter can judge
 * (exceptions, the reply's text) is left to it. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"

#include <stdio.h>
#include <string.h>

enum { OPTIONS_MOST = 8 };

struct service {
	unsigned port;
	const char *there;                 /* its line in master.cf, or NULL */
	const char *name;                  /* as that line calls it */
	const char *options[OPTIONS_MOST]; /* "name=value" */
	size_t n_options;
};

/* What master.cf may call a port (services(5)). */
static const struct {
	unsigned port;
	const char *name;
} port_names[] = {
	{ 25, "smtp" },
	{ 465, "submissions" },
	{ 465, "smtps" },
	{ 587, "submission" },
};

static const char *find_service(
	const struct mr_setup *setup, unsigned port, const char **name_r)
{
	const char *line;

	*name_r = mr_arena_printf(setup->arena, "%u", port);
	if (setup->postfix == NULL)
		return NULL;
	line = mr_postfix_service(setup->postfix, *name_r);
	for (size_t i = 0;
		line == NULL && i < sizeof(port_names) / sizeof(port_names[0]);
		i++)
		if (port_names[i].port == port)
			line = mr_postfix_service(
				setup->postfix, port_names[i].name);
	if (line != NULL)
		*name_r = mr_arena_strndup(
			setup->arena, line, strcspn(line, " "));
	return line;
}

/* The fifth column of the line for port 25: y on Debian. */
static const char *chroot_column(const struct mr_setup *setup)
{
	const char *name, *line = find_service(setup, 25, &name);

	for (int column = 1; line != NULL && column < 5; column++) {
		line = strchr(line, ' ');
		line = line == NULL ? NULL : line + 1;
	}
	return line == NULL ? "-"
	                    : mr_arena_strndup(
				      setup->arena, line, strcspn(line, " "));
}

static void add_option(
	struct mr_setup *setup, struct service *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	s->options[s->n_options++] = mr_arena_vprintf(setup->arena, format, ap);
	va_end(ap);
}

/* Everything below `least`, in the words of the installed Postfix. */
static const char *protocols(const struct mr_setup *setup, enum mr_tls least)
{
	static const char *const excluded[] = {
		[MR_TLS_1_0] = "!SSLv2,!SSLv3",
		[MR_TLS_1_1] = "!SSLv2,!SSLv3,!TLSv1",
		[MR_TLS_1_2] = "!SSLv2,!SSLv3,!TLSv1,!TLSv1.1",
		[MR_TLS_1_3] = "!SSLv2,!SSLv3,!TLSv1,!TLSv1.1,!TLSv1.2",
	};

	if (mr_setup_is_at_least(setup, 3, 6))
		return mr_arena_printf(
			setup->arena, ">=%s", mr_setup_tls(least));
	return excluded[least];
}

static void add_tls(struct mr_setup *setup, struct service *s,
	const struct mr_listener *listener)
{
	enum mr_tls least = (enum mr_tls)listener->tls;
	bool wrapped = s->port == 465;

	if (wrapped)
		add_option(setup, s, "smtpd_tls_wrappermode=yes");
	if (least == MR_TLS_NONE && !wrapped)
		return;
	/* On 25 the milter refuses, so that exceptions hold. */
	add_option(setup, s, "smtpd_tls_security_level=%s",
		s->port == 25 ? "may" : "encrypt");
	if (mr_setup_tls(least) != NULL)
		add_option(setup, s, "smtpd_tls_%sprotocols=%s",
			s->port == 25 ? "" : "mandatory_",
			protocols(setup, least));
}

/* main.cf says smtpd_tls_auth_only = yes; on 25 that stays, as tls = no there
 * is about other servers. */
static void add_auth(struct mr_setup *setup, struct service *s,
	const struct mr_setup_listener *listener)
{
	bool clear = listener->values->tls == MR_TLS_NONE && s->port != 465;

	switch ((enum mr_auth)listener->values->auth) {
	case MR_AUTH_REFUSE:
		add_option(setup, s, "smtpd_sasl_auth_enable=no");
		return;
	case MR_AUTH_OPTIONAL:
		if (s->port == 25 && !listener->says_auth)
			return;
		break;
	case MR_AUTH_REQUIRED:
		break;
	}
	add_option(setup, s, "smtpd_sasl_auth_enable=yes");
	if (s->port != 25)
		add_option(setup, s, "smtpd_tls_auth_only=%s",
			clear ? "no" : "yes");
}

static void describe(struct mr_setup *setup, struct service *s,
	const struct mr_setup_listener *listener)
{
	s->there = find_service(setup, s->port, &s->name);
	if (s->port != 25)
		add_option(setup, s, "syslog_name=postfix/%u", s->port);
	add_tls(setup, s, listener->values);
	add_auth(setup, s, listener);
}

/* --- printing ----------------------------------------------------------- */

static void print_new(struct mr_setup *setup, const struct service *s)
{
	if (s->port == 25) {
		mr_setup_explain(setup,
			"Port 25 is there in every master.cf; its options:\n"
			" smtp      inet  n       -       %s       -       -   "
			"    "
			"smtpd",
			chroot_column(setup));
		for (size_t i = 0; i < s->n_options; i++)
			mr_setup_explain(setup, "   -o %s", s->options[i]);
		return;
	}
	printf("%-9u inet  n       -       %s       -       -       smtpd\n",
		s->port, chroot_column(setup));
	for (size_t i = 0; i < s->n_options; i++)
		printf("  -o %s\n", s->options[i]);
}

/* Does the line of master.cf say so, or main.cf where the line is silent? */
static bool is_so(const struct mr_setup *setup, const struct service *s,
	const char *option)
{
	size_t length = strcspn(option, "=");
	const char *name = mr_arena_strndup(setup->arena, option, length);
	const char *main_cf = mr_postfix_get(setup->postfix, name);

	if (strcmp(name, "syslog_name") == 0)
		return true;
	if (strstr(s->there, mr_arena_printf(setup->arena, "-o %s=", name)) !=
		NULL)
		return strstr(s->there, mr_arena_printf(setup->arena, "-o %s",
						option)) != NULL;
	return main_cf != NULL && strcmp(main_cf, option + length + 1) == 0;
}

/* A second service on the same port would keep Postfix from starting, so this
 * one gets options. */
static void print_change(struct mr_setup *setup, const struct service *s)
{
	bool said = false;

	for (size_t i = 0; i < s->n_options; i++) {
		if (is_so(setup, s, s->options[i]))
			continue;
		if (!said)
			mr_setup_explain(setup,
				"master.cf has a service %s; it still needs:",
				s->name);
		said = true;
		mr_setup_explain(setup, " postconf -P '%s/inet/%s'", s->name,
			s->options[i]);
		if (setup->part == MR_SETUP_MASTER_CF)
			mr_cli_say(setup->cli,
				"master.cf has a service %s; run: postconf -P "
				"'%s/inet/%s'",
				s->name, s->name, s->options[i]);
	}
	if (!said)
		mr_setup_explain(setup,
			"Port %u: master.cf has a service %s that does all the "
			"policy asks for.",
			s->port, s->name);
}

/* login = no: nothing may listen there. */
static void print_closed(struct mr_setup *setup, const struct service *s)
{
	if (s->there == NULL) {
		mr_setup_explain(setup,
			"Port %u is closed (login = no), and master.cf has no "
			"service there.",
			s->port);
		return;
	}
	mr_setup_explain(setup,
		"Port %u is to be closed (login = no); this takes it out:\n"
		" postconf -MX %s/inet",
		s->port, s->name);
	if (setup->part == MR_SETUP_MASTER_CF)
		mr_cli_say(setup->cli,
			"port %u is to be closed; run: postconf -MX %s/inet",
			s->port, s->name);
}

static void print_listener(
	struct mr_setup *setup, const struct mr_setup_listener *listener)
{
	struct service s = { .port = listener->port };

	if (listener->port == 0) {
		mr_setup_explain(setup,
			"listener %s: the service that is meant needs the "
			"option "
			"-o milter_macro_daemon_name=%s",
			listener->title, listener->title);
		return;
	}
	describe(setup, &s, listener);
	if (listener->values->auth != MR_AUTH_REFUSE && s.port != 25 &&
		s.port != 465 && listener->values->login &&
		listener->values->tls == MR_TLS_NONE)
		mr_setup_explain(setup,
			"Port %u allows logins without TLS (tls = no): the "
			"password then crosses the wire in the clear.",
			s.port);
	if (!listener->values->login && listener->port != 25)
		print_closed(setup, &s);
	else if (s.there != NULL)
		print_change(setup, &s);
	else
		print_new(setup, &s);
}

void mr_setup_master_cf(struct mr_setup *setup)
{
	const struct mr_setup_listener *l = mr_setup_listeners(setup);
	bool any = false;

	for (; l != NULL; l = l->next) {
		if (mr_setup_is_dovecots(l->port))
			continue;
		print_listener(setup, l);
		any = true;
	}
	if (!any)
		mr_setup_explain(setup,
			"The policy has no listener section for a port of "
			"Postfix, so master.cf may stay as it is.");
}
