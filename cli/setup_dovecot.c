/* setup_dovecot - `setup dovecot`: the sockets that Postfix and the milter use,
 * the ports that the policy closes, and TLS; the rest is in setup_plugin.
 * Services and listeners are written alike in 2.3 and 2.4; where the versions
 * differ, the line asks. */
/* SPDX-License-Identifier: ISC */
#include "cli/setup.h"
#include "common/base/arena.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

static const struct {
	unsigned port;
	const char *service, *listener;
} closable[] = {
	{ 110, "pop3-login", "pop3" },
	{ 143, "imap-login", "imap" },
	{ 995, "pop3-login", "pop3s" },
	{ 993, "imap-login", "imaps" },
};

enum { CLOSABLE = sizeof(closable) / sizeof(closable[0]) };

/* --- sockets ------------------------------------------------------------ */

/* The first userdb:PATH of the policy's tables, or NULL. */
static const char *find_userdb(const struct mr_setup *setup)
{
	const struct mr_maps *maps = mr_config_get(setup->policy->config, NULL,
		&mr_section_maps, NULL, setup->arena)
	                                     ->values;
	const struct mr_list *lists[] = { &maps->domains, &maps->aliases,
		&maps->mailboxes };

	for (size_t l = 0; l < 3; l++)
		for (size_t i = 0; i < lists[l]->count; i++) {
			const char *reference =
				((const char *const *)lists[l]->items)[i];

			if (strncmp(reference, "userdb:", 7) == 0)
				return reference + 7;
		}
	return NULL;
}

/* The group of the user that the milter runs as. */
static const char *milter_group(const struct mr_setup *setup)
{
	const struct passwd *user = getpwnam(setup->policy->milter->user);
	const struct group *group =
		user == NULL ? NULL : getgrgid(user->pw_gid);

	return group == NULL ? "mailreeve"
	                     : mr_arena_strdup(setup->arena, group->gr_name);
}

static void print_userdb(const struct mr_setup *setup)
{
	const char *path = find_userdb(setup);
	static const char base[] = "/run/dovecot/";

	if (path == NULL) {
		mr_setup_explain(setup, "The policy has no userdb: table, so "
					"that the milter need "
					"not ask Dovecot who exists.");
		return;
	}
	if (strncmp(path, base, sizeof(base) - 1) == 0)
		path += sizeof(base) - 1;
	if (strcmp(path, "auth-userdb") == 0)
		mr_setup_explain(setup,
			"The milter asks Dovecot's userdb who exists, by "
			"Dovecot's own socket. With these lines mail "
			"processes cannot ask it any more, as shared folders "
			"and dovecot-lda do: better let the policy name "
			"userdb:/run/dovecot/mailreeve-userdb, and print them "
			"again.");
	else
		mr_setup_explain(setup,
			"The milter asks Dovecot's userdb who exists, by a "
			"socket of its own:");
	printf("service auth {\n"
	       "  unix_listener %s {\n"
	       "%s"
	       "    mode = 0660\n"
	       "    group = %s\n"
	       "  }\n"
	       "}\n",
		path,
		mr_setup_is_at_least(setup, 2, 4) ? "    type = userdb\n" : "",
		milter_group(setup));
}

static void print_listener(
	const char *service, const char *path, const char *mode)
{
	printf("service %s {\n"
	       "  unix_listener /var/spool/postfix/private/%s {\n"
	       "    mode = %s\n"
	       "    user = postfix\n"
	       "    group = postfix\n"
	       "  }\n"
	       "}\n",
		service, path, mode);
}

static void print_postfix_sockets(const struct mr_setup *setup)
{
	mr_setup_explain(setup, "Postfix asks Dovecot to check logins:");
	print_listener("auth", "auth", "0660");
	mr_setup_explain(setup, "Postfix delivers to Dovecot:");
	print_listener("lmtp", "dovecot-lmtp", "0600");
	if (mr_setup_is_at_least(setup, 2, 4))
		mr_setup_explain(setup,
			"Debian 13's 20-lmtp.conf strips the domain; where "
			"users "
			"are whole addresses:\n"
			" protocol lmtp {\n"
			"   auth_username_format = %%{user | lower}\n"
			" }");
}

/* --- ports -------------------------------------------------------------- */

static const struct mr_listener *find_listener(
	const struct mr_setup_listener *listeners, unsigned port)
{
	for (; listeners != NULL; listeners = listeners->next)
		if (listeners->port == port)
			return listeners->values;
	return NULL;
}

static void print_closed(
	struct mr_setup *setup, const struct mr_setup_listener *listeners)
{
	bool any = false;

	for (int i = 0; i < CLOSABLE; i++) {
		const struct mr_listener *l =
			find_listener(listeners, closable[i].port);

		if (l == NULL || l->login)
			continue;
		if (!any)
			mr_setup_explain(setup,
				"Closed ports (login = no). Only a closed port "
				"keeps passwords off the wire:");
		any = true;
		printf("service %s {\n"
		       "  inet_listener %s {\n"
		       "    port = 0\n"
		       "  }\n"
		       "}\n",
			closable[i].service, closable[i].listener);
	}
	if (!any)
		mr_setup_explain(setup,
			"The policy closes none of the ports 110, 143, 993 and "
			"995.");
}

/* --- TLS ---------------------------------------------------------------- */

/* Dovecot has one least version for all ports: the strictest that is asked for
 * would close the others, so it is the mildest. */
static enum mr_tls least_version(
	const struct mr_setup_listener *listeners, bool *differ, bool *any)
{
	enum mr_tls least = MR_TLS_NONE;

	*any = *differ = false;
	for (int i = 0; i < CLOSABLE; i++) {
		const struct mr_listener *l =
			find_listener(listeners, closable[i].port);

		if (l == NULL || !l->login || l->tls <= MR_TLS_ANY)
			continue;
		*differ |= *any && (enum mr_tls)l->tls != least;
		if (!*any || (enum mr_tls)l->tls < least)
			least = (enum mr_tls)l->tls;
		*any = true;
	}
	return least;
}

/* Said in full: 2.4 refuses to start if ssl = required meets an earlier
 * auth_allow_cleartext = yes. */
static void print_cleartext(const struct mr_setup *setup, bool allowed)
{
	if (allowed)
		mr_setup_explain(setup,
			"The policy allows logins without TLS on 110 or 143; a "
			"password then crosses the wire in the clear:");
	else
		mr_setup_explain(setup, "No login without TLS:");
	printf("ssl = %s\n", allowed ? "yes" : "required");
	if (mr_setup_is_at_least(setup, 2, 4))
		printf("auth_allow_cleartext = %s\n", allowed ? "yes" : "no");
	else
		printf("disable_plaintext_auth = %s\n", allowed ? "no" : "yes");
}

static void print_tls(
	struct mr_setup *setup, const struct mr_setup_listener *listeners)
{
	const struct mr_listener *pop3 = find_listener(listeners, 110);
	const struct mr_listener *imap = find_listener(listeners, 143);
	bool pop3_needs =
		pop3 == NULL || !pop3->login || pop3->tls > MR_TLS_NONE;
	bool imap_needs =
		imap == NULL || !imap->login || imap->tls > MR_TLS_NONE;
	bool known = pop3 != NULL || imap != NULL, differ, any;
	enum mr_tls least = least_version(listeners, &differ, &any);

	if (known)
		print_cleartext(setup, !pop3_needs || !imap_needs);
	if (!any) {
		mr_setup_explain(setup,
			"The policy asks for no particular TLS version on "
			"Dovecot's ports.");
		return;
	}
	mr_setup_explain(setup,
		differ ? "Dovecot has one least TLS version for all ports; the "
			 "policy's differ, and this is the mildest:"
		       : "The least TLS version:");
	printf("ssl_min_protocol = %s\n", mr_setup_tls(least));
}

enum mr_exit mr_setup_dovecot(struct mr_setup *setup)
{
	const struct mr_setup_listener *listeners = mr_setup_listeners(setup);

	mr_setup_explain(setup,
		"For Dovecot %s and the policy %s. Nothing was changed. Put "
		"the lines into /etc/dovecot/conf.d/99-mailreeve.conf, which "
		"is read after the others, then:\n"
		" doveconf -n >/dev/null && doveadm reload\n"
		"To take it out again, remove the file and reload.",
		setup->version, setup->cli->config);
	mr_setup_heading(setup, "sockets");
	print_userdb(setup);
	if (setup->part == MR_SETUP_ALL)
		print_postfix_sockets(setup);
	mr_setup_heading(setup, "ports");
	print_closed(setup, listeners);
	if (setup->part == MR_SETUP_ALL) {
		mr_setup_heading(setup, "TLS");
		print_tls(setup, listeners);
	}
	mr_setup_heading(setup, "mailboxes");
	return mr_setup_plugin(setup);
}
