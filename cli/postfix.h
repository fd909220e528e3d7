/*
 * postfix - what the installed Postfix says of itself, by postconf(1)
 *
 * MAIL_CONFIG in the environment names another configuration directory, as for
 * all of Postfix's commands.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_POSTFIX_H
#define MR_CLI_POSTFIX_H

#include "common/base/error.h"

#include <stdbool.h>

struct mr_arena;

struct mr_postfix {
	struct mr_arena *arena;
	const char *all;      /* postconf: every parameter, NULL if not asked */
	const char *set;      /* postconf -n: those of main.cf */
	const char *expanded; /* postconf -x: with $names filled in */
	const char *services; /* postconf -M: master.cf */
	const char *options;  /* postconf -Px: its -o, with $names filled in */
};

/* A service of master.cf. */
struct mr_postfix_service {
	const char *name;    /* "127.0.0.1:10025/inet", as postconf -P has it */
	const char *program; /* smtpd */
	bool chrooted;
	bool outside; /* an smtpd that more than this machine can reach */
	const struct mr_postfix_service *next;
};

int mr_postfix_ask(struct mr_arena *arena, struct mr_postfix **postfix_r,
	struct mr_error *error);

/* A parameter as main.cf writes it, or its default; NULL: not known. */
const char *mr_postfix_get(const struct mr_postfix *postfix, const char *name);
/* The same with every $name filled in. */
const char *mr_postfix_expand(
	const struct mr_postfix *postfix, const char *name);
/* Does main.cf set it? */
bool mr_postfix_sets(const struct mr_postfix *postfix, const char *name);
/* The master.cf line of the inet service `name` (587 or submission, also with
 * an address in front), blanks squeezed; NULL: there is none. */
const char *mr_postfix_service(
	const struct mr_postfix *postfix, const char *name);

/* All services, in master.cf's order. */
const struct mr_postfix_service *mr_postfix_services(
	const struct mr_postfix *postfix);
/* What `-o name=` of the service says, or NULL. */
const char *mr_postfix_option(const struct mr_postfix *postfix,
	const struct mr_postfix_service *service, const char *name);

/* Copies one element of a parameter's list, braces as they are, and steps
 * behind it; NULL at the end. */
const char *mr_postfix_next(struct mr_arena *arena, const char **list);

#endif
