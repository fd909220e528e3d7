/*
 * session - what is done at the end of an IMAP or POP3 session: a purge of
 * bounded time, and the look whether a warning is due
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_PLUGIN_SESSION_H
#define MR_PLUGIN_SESSION_H

struct mr_user;

void mr_session_end(struct mr_user *u);

#endif
