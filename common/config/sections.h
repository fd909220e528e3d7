/*
 * sections - what may stand in the policy file, apart from the checks
 *
 * Each struct is filled from the option table of the same name in sections.c,
 * those of dns, of dnsbl and dnswl, of authentication_results, of list, of
 * scanner, and of milter and policyd in section_dns.c, section_dnsbl.c,
 * section_results.c, section_list.c, section_scanner.c, section_rate.c and
 * section_service.c.
 * The checks bring their own sections, see common/policy/check.h.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CONFIG_SECTIONS_H
#define MR_CONFIG_SECTIONS_H

#include "common/config/schema.h"

enum mr_mode { MR_MODE_ENFORCE, MR_MODE_OBSERVE };
enum mr_on_failure { MR_ON_FAILURE_TEMPFAIL, MR_ON_FAILURE_ACCEPT };
enum mr_auth { MR_AUTH_OPTIONAL, MR_AUTH_REQUIRED, MR_AUTH_REFUSE };
/* Who answers for a mail; the other one lets it pass. */
enum mr_judge { MR_JUDGE_MILTER, MR_JUDGE_POLICYD };
enum mr_full { MR_FULL_DEFER, MR_FULL_REJECT };

struct mr_global {
	const char *hostname;   /* never NULL in a loaded policy: gethostname */
	int mode;               /* enum mr_mode */
	struct mr_list trusted; /* struct mr_network */
	struct mr_list exempt;  /* patterns of recipients */
	const char *tag_header;
	int on_failure; /* enum mr_on_failure */
	int64_t wait;   /* seconds a mail may wait for look-ups */
	int judge;      /* enum mr_judge, where a listener does not say */
};

struct mr_maps {
	struct mr_list domains, aliases, mailboxes; /* TYPE:NAME */
	const char *recipient_delimiter;
};

struct mr_dns_settings {
	struct mr_list servers; /* ADDRESS[:PORT]; none: resolv.conf(5)'s */
	int64_t timeout;        /* seconds until a question is given up */
	uint64_t cache;         /* octets */
};

struct mr_results_settings {
	bool add;
	const char *authserv_id; /* never NULL in a loaded policy: hostname */
	bool received_spf;
};

/* What of a client a list is asked about. */
enum mr_listed {
	MR_LISTED_CLIENT,      /* its address */
	MR_LISTED_HELO,        /* the name it says */
	MR_LISTED_SENDER,      /* the domain of the envelope sender */
	MR_LISTED_CLIENT_NAME, /* the name of its address, as verified */
};

struct mr_list_settings {
	const char *zone;     /* NULL: the title; {key} stands for the key */
	const char *key;      /* a secret, or NULL */
	struct mr_list codes; /* see common/base/codes.h; none: any */
	int64_t weight;
	int ask;          /* enum mr_listed */
	const char *test; /* what is always listed, `none`; NULL: RFC 5782's */
	const char *url;  /* with {item}; NULL: none */
};

/* A mailing list, `list all@*`: the struct's name for it, here and elsewhere,
 * is mailing, as a list is a list of anything. */
struct mr_mailing_settings {
	struct mr_list
		senders; /* see mr_mailing_words; or patterns of logins */
	struct mr_list members; /* TYPE:NAME; none: maps { mailboxes } */
	int64_t most;
};

/* Who may write to a list, in the order of mr_mailing_words, which ends with
 * NULL. */
enum mr_mailing_word {
	MR_MAILING_OWN_DOMAIN, /* logins of the list's own domain */
	MR_MAILING_LOGIN,      /* all logins */
	MR_MAILING_TRUSTED,    /* clients in `trusted` */
	MR_MAILING_ANYONE,
};
extern const char *const mr_mailing_words[];

struct mr_message {
	uint64_t size; /* octets, MR_UNLIMITED */
	int verify;    /* enum mr_judge: who compares it with the true size */
};

struct mr_listener {
	int auth;   /* enum mr_auth */
	int tls;    /* enum mr_tls, the least that is accepted */
	bool login; /* are logins served at all on this port (Dovecot) */
	int judge;  /* enum mr_judge, or MR_UNSET: as the global one */
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

/* A program that answers Postfix: sections milter and policyd. */
struct mr_service {
	struct mr_list socket; /* unix:PATH, inet:PORT@HOST, inet6:..., fd:N */
	const char *control;
	const char *user;
	/* policyd's alone */
	const char *state, *usage, *query; /* paths */
	struct mr_list mail_users;         /* names of system users */
	int64_t hold;                      /* seconds */
};
enum { MR_SOCKETS_MOST = 8 };

struct mr_mailbox {
	uint64_t quota;      /* octets, MR_UNLIMITED */
	struct mr_list warn; /* percentages, int64_t */
	int full;            /* enum mr_full */
	uint64_t trash;      /* octets above the quota for a move to \Trash */
	const char *warn_command, *warn_mail; /* paths, or NULL */
};

struct mr_purge {
	int64_t after; /* seconds */
	bool keep_flagged;
};

struct mr_keep {
	int64_t minimum; /* seconds; nothing younger is purged */
	int64_t share;   /* percent of a user's mail that may go unasked */
};

/* What a rate is of, `rate login`; in the order of mr_rate_kind_words. */
enum mr_rate_kind {
	MR_RATE_LOGIN,
	MR_RATE_CLIENT,
	MR_RATE_SENDER_DOMAIN,
	MR_RATE_RECIPIENT,
	MR_RATE_KINDS,
};
extern const char *const mr_rate_kind_words[];

enum mr_rate_measure {
	MR_RATE_MESSAGES,
	MR_RATE_RECIPIENTS,
	MR_RATE_BYTES,
	MR_RATE_MEASURES,
};
extern const char *const mr_rate_measure_words[];

struct mr_rate_settings {
	struct mr_rate limit[MR_RATE_MEASURES]; /* seconds 0: no limit */
	int action; /* enum mr_action, or MR_UNSET: as check rate says */
};

enum mr_sieve { MR_SIEVE_FIRST, MR_SIEVE_SKIPPED };

struct mr_scanner {
	const char *header;           /* NAME: GLOB, or NULL; milter only */
	const char *trust;            /* milter only */
	const char *subject, *folder; /* see mr_scanner_word */
	int sieve;                    /* enum mr_sieve */
};

/* Of a subject or folder: NULL for the word none. */
const char *mr_scanner_word(const char *text);

extern const struct mr_section mr_section_global, mr_section_dns,
	mr_section_dnsbl, mr_section_dnswl, mr_section_results, mr_section_list,
	mr_section_maps, mr_section_message, mr_section_listener,
	mr_section_group, mr_section_domain, mr_section_user,
	mr_section_exception, mr_section_milter, mr_section_policyd,
	mr_section_mailbox, mr_section_purge, mr_section_keep,
	mr_section_scanner, mr_section_rate;

#endif
