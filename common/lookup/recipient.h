/*
 * recipient - where a mail to an address would go (Postfix virtual(5))
 *
 * Follows Postfix: a hosted domain, then aliases (full address, address without
 * detail, @domain), each target again whatever its domain, an address that
 * leads to itself ends there, then the mailbox tables (full address, without
 * detail, @domain; a userdb only without detail).  A detail that no table
 * matched goes on to the targets (propagate_unmatched_extensions).  A target
 * without a domain would get Postfix's $myorigin, which we do not know: it is
 * looked up as it is, and counts as remote.  An address of ours that is a list
 * ends the walk, whatever the tables make of it, so that no alias hides one.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_RECIPIENT_H
#define MR_LOOKUP_RECIPIENT_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_arena;
struct mr_map;

/* The admin's tables; each list may be empty.  Borrowed.  Without domains,
 * nothing is hosted.  Without mailboxes, nothing can be said about them: a
 * hosted address that is no alias is FOREIGN, and one behind an alias is
 * remote. */
struct mr_recipient_maps {
	struct mr_map *const *domains;
	struct mr_map *const *aliases;
	struct mr_map *const *mailboxes;
	size_t n_domains, n_aliases, n_mailboxes;
	const char *delimiters;   /* Postfix recipient_delimiter, "" for none */
	const char *const *lists; /* patterns of those of our addresses that are
	                             lists, ends with NULL; NULL: none */
};

/* Postfix's virtual_alias_recursion_limit and virtual_alias_expansion_limit. */
enum { MR_ALIAS_DEPTH = 1000, MR_ALIAS_TARGETS = 1000 };

enum mr_recipient_kind {
	MR_RECIPIENT_FOREIGN, /* not a hosted domain, or not an address: not
	                         ours to judge; all lists are empty */
	MR_RECIPIENT_MAILBOX, /* leads to at least one mailbox of ours */
	MR_RECIPIENT_REMOTE,  /* an alias that leads only to other hosts */
	MR_RECIPIENT_UNKNOWN, /* hosted domain, but nobody there */
	MR_RECIPIENT_LIST,    /* leads to a list, whatever else it leads to */
};

struct mr_recipient_answer {
	enum mr_recipient_kind kind;
	const char *const *mailboxes; /* final ones of ours, ends with NULL: as
	                                 the table has them, for a userdb the
	                                 user's own name */
	const char *const *remotes;   /* final ones elsewhere, ends with NULL */
	const char *const *dead;      /* targets that exist nowhere, or the
	                                 address itself; ends with NULL */
	const char *const *lists;     /* without detail; ends with NULL */
	const char *const *targets;   /* what it leads to but lists, as it would
	                                 be in an envelope; ends with NULL */
	const char *via; /* "alias", "catch-all", "mailbox", "list": how it was
	                    found; NULL if it was not */
};

/* Does one of the patterns of lists match an address without detail?  Whether
 * its domain is hosted is another question. */
bool mr_recipient_is_list(
	const struct mr_recipient_maps *maps, const char *plain);

/* MR_FOUND fills the answer (also for UNKNOWN and FOREIGN); MR_TEMPFAIL: a
 * table could not be read, or the aliases loop or grow beyond the limits (an
 * admin's mistake: Postfix answers "451 4.6.0 Alias expansion error" after
 * DATA, too). */
enum mr_lookup mr_recipient_find(const struct mr_recipient_maps *maps,
	const char *address, int64_t deadline_ms, struct mr_arena *arena,
	struct mr_recipient_answer *answer, struct mr_error *error);

#endif
