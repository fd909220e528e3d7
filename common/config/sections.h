/*
 * sections - what may stand in the policy file, apart from the checks
 *
 * Each struct is filled from the option table of the same name in sections.c.
 * The checks bring their own sections, see common/policy/check.h.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_SECTIONS_H
#define MR_CONFIG_SECTIONS_H

#include "common/config/schema.h"

enum mr_mode { MR_MODE_ENFORCE, MR_MODE_OBSERVE };
enum mr_on_failure { MR_ON_FAILURE_TEMPFAIL, MR_ON_FAILURE_ACCEPT };
enum mr_auth { MR_AUTH_OPTIONAL, MR_AUTH_REQUIRED, MR_AUTH_REFUSE };
enum mr_full { MR_FULL_DEFER, MR_FULL_REJECT };

struct mr_global {
	const char *hostname;   /* never NULL in a loaded policy: gethostname */
	int mode;               /* enum mr_mode */
	struct mr_list trusted; /* struct mr_network */
	struct mr_list exempt;  /* patterns of recipients */
	const char *tag_header;
	int on_failure; /* enum mr_on_failure */
	int64_t wait;   /* seconds a mail may wait for look-ups */
};

struct mr_maps {
	struct mr_list domains, aliases, mailboxes; /* TYPE:NAME */
	const char *recipient_delimiter;
};

struct mr_message {
	uint64_t size; /* octets, MR_UNLIMITED */
};

struct mr_listener {
	int auth;   /* enum mr_auth */
	int tls;    /* enum mr_tls, the least that is accepted */
	bool login; /* are logins served at all on this port (Dovecot) */
};

struct mr_group {
	struct mr_list members; /* TYPE:NAME */
};

struct mr_domain {
	int tls; /* enum mr_tls, for logins of this domain */
};

struct mr_user {
	char unused; /* a user has sections only */
};

struct mr_exception {
	struct mr_list client;                   /* struct mr_network */
	struct mr_list client_name;              /* globs of names */
	struct mr_list helo;                     /* globs of names */
	struct mr_list sender, recipient, login; /* address patterns */
	struct mr_list skip;                     /* names of checks, or `all` */
	time_t until;                            /* 0: for good */
	const char *reason;
};

struct mr_milter {
	const char *socket; /* unix:PATH, inet:PORT@HOST, inet6:..., fd:N */
	const char *control;
	const char *user;
};

struct mr_mailbox {
	uint64_t quota;      /* octets, MR_UNLIMITED */
	struct mr_list warn; /* percentages, int64_t */
	int full;            /* enum mr_full */
	uint64_t trash; /* octets that a move to \Trash may exceed the quota by
	                 */
};

struct mr_purge {
	int64_t after; /* seconds */
	bool keep_flagged;
};

struct mr_keep {
	int64_t minimum; /* seconds; nothing younger is purged */
};

extern const struct mr_section mr_section_global, mr_section_maps,
	mr_section_message, mr_section_listener, mr_section_group,
	mr_section_domain, mr_section_user, mr_section_exception,
	mr_section_milter, mr_section_mailbox, mr_section_purge,
	mr_section_keep;

#endif
