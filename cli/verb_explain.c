/* verb_explain - `mailreeve explain`: what would happen to this mail, and why?
 * The same engine as the milter's, told the same things in the same order. */
/* SPDX-License-Identifier: ISC */
#include "cli/cli.h"
#include "cli/explain.h"
#include "common/base/arena.h"
#include "common/base/units.h"
#include "common/lookup/dns.h"
#include "common/policy/engine.h"
#include "common/policy/scan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	KEY_CLIENT = 256,
	KEY_CLIENT_NAME,
	KEY_HELO,
	KEY_FROM,
	KEY_RCPT,
	KEY_SIZE,
	KEY_TRUE_SIZE,
	KEY_LOGIN,
	KEY_PORT,
	KEY_TLS,
	KEY_HEADER,
	KEY_ZONE,
	KEY_DNS,
	KEY_JSON,
};

static const struct mr_flag flags[] = {
	MR_FLAG_CONFIG,
	{ KEY_CLIENT, "client", "IP", "address of the sending host" },
	{ KEY_CLIENT_NAME, "client-name", "NAME",
		"its verified name (default: unknown, or looked up\n"
		"with --zone or --dns as Postfix does)" },
	{ KEY_HELO, "helo", "NAME",
		"what it says in HELO or EHLO; \"\" is neither" },
	{ KEY_FROM, "from", "ADDRESS",
		"envelope sender; \"\" or \"<>\" is the "
		"null sender" },
	{ KEY_RCPT, "rcpt", "ADDRESS", "envelope recipient; may be repeated" },
	{ KEY_SIZE, "size", "SIZE",
		"size of the mail, declared (SIZE=) and true: 25M,\n"
		"or octets" },
	{ KEY_TRUE_SIZE, "true-size", "SIZE",
		"true size, where it is not the declared one" },
	{ KEY_LOGIN, "login", "USER", "logged in as" },
	{ KEY_PORT, "port", "[ADDRESS:]PORT",
		"port of this server (default: 25)" },
	{ KEY_TLS, "tls", "VERSION", "TLSv1.3 and so on (default: no TLS)" },
	{ KEY_HEADER, "header", "'NAME: VALUE'",
		"a header of the mail; may be repeated" },
	{ KEY_ZONE, "zone", "FILE", "look names up in this zone file" },
	{ KEY_DNS, "dns", "ADDRESS[:PORT]", "look names up at this server" },
	{ KEY_JSON, "json", NULL, "for programs" },
	{ .name = NULL },
};

struct told {
	struct mr_cli *cli;
	struct mr_ip client;
	const char *server, *client_name, *helo, *from, *login, *tls, *zone,
		*dns;
	const char **rcpts, **headers;
	size_t n_rcpts, n_headers;
	uint64_t size, true_size, octets;
	bool sized, truly_sized, json;
	unsigned port;
	const char *name_note;
};

/* --- options ------------------------------------------------------------ */

static uint64_t read_size(struct told *told, const char *flag, const char *text)
{
	struct mr_error error;
	uint64_t octets;

	if (mr_size_parse(text, &octets, &error) < 0)
		mr_cli_misused(
			told->cli, "--%s %s: %s", flag, text, error.text);
	if (octets == MR_UNLIMITED)
		mr_cli_misused(told->cli,
			"--%s %s: a mail has a size, as in 25M", flag, text);
	return octets;
}

static void read_client(struct told *told, const char *text)
{
	struct mr_error error;

	if (mr_ip_parse(text, &told->client, &error) < 0)
		mr_cli_misused(told->cli, "--client %s: %s", text, error.text);
}

/* PORT, or ADDRESS:PORT. */
static void read_port(struct told *told, const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *digits = colon == NULL ? text : colon + 1;
	struct mr_error error;
	struct mr_ip ip;
	uint16_t port_of_ip;
	int64_t port;

	if (mr_number_parse(digits, 1, 65535, &port, &error) < 0 ||
		(colon != NULL && mr_ip_port_parse(text, 0, &ip, &port_of_ip,
					  &error) < 0))
		mr_cli_misused(told->cli, "--port %s: %s", text, error.text);
	told->port = (unsigned)port;
	if (colon != NULL)
		told->server = mr_arena_strndup(
			told->cli->arena, text, (size_t)(colon - text));
}

static void read_tls(struct told *told, const char *text)
{
	enum mr_tls version;

	if (mr_tls_parse(text, &version) < 0)
		mr_cli_misused(told->cli,
			"--tls %s: there are TLSv1, TLSv1.1, "
			"TLSv1.2, TLSv1.3 and no",
			text);
	told->tls = version == MR_TLS_NONE ? NULL : text;
}

static void read_header(struct told *told, const char *text)
{
	size_t name = strcspn(text, ": \t\r\n");

	if (name == 0 || text[name] != ':' || strpbrk(text, "\r\n") != NULL)
		mr_cli_misused(told->cli,
			"--header \"%s\": a header is one line, as in "
			"'Subject: Hello'",
			text);
	told->headers[told->n_headers++] = text;
	told->octets += strlen(text) + 2;
}

static void add_rcpt(struct told *told, const char *text)
{
	told->rcpts[told->n_rcpts++] = text;
}

static void read_flag(struct told *told, int key, const char *value)
{
	switch (key) {
	case KEY_CLIENT:
		read_client(told, value);
		break;
	case KEY_CLIENT_NAME:
		told->client_name = value;
		break;
	case KEY_HELO:
		told->helo = value;
		break;
	case KEY_FROM:
		told->from = value;
		break;
	case KEY_RCPT:
		add_rcpt(told, value);
		break;
	case KEY_SIZE:
		told->size = read_size(told, "size", value);
		told->sized = true;
		break;
	case KEY_TRUE_SIZE:
		told->true_size = read_size(told, "true-size", value);
		told->truly_sized = true;
		break;
	case KEY_LOGIN:
		told->login = value;
		break;
	case KEY_PORT:
		read_port(told, value);
		break;
	case KEY_TLS:
		read_tls(told, value);
		break;
	case KEY_HEADER:
		read_header(told, value);
		break;
	case KEY_ZONE:
		told->zone = value;
		break;
	case KEY_DNS:
		told->dns = value;
		break;
	case KEY_JSON:
		told->json = true;
		break;
	default:
		break;
	}
}

static void require(struct told *told, bool given, const char *flag)
{
	if (!given)
		mr_cli_misused(told->cli, "%s is missing", flag);
}

static void read_options(struct told *told)
{
	const char *value;
	int key;

	told->rcpts = MR_NEW_ARRAY(
		told->cli->arena, const char *, (size_t)told->cli->argc);
	told->headers = MR_NEW_ARRAY(
		told->cli->arena, const char *, (size_t)told->cli->argc);
	told->port = 25;
	while ((key = mr_cli_next(told->cli, &value)) != MR_CLI_END)
		read_flag(told, key, value);
	mr_cli_operand(told->cli, 0, 0);
	require(told, told->client.family != 0, "--client IP");
	require(told, told->helo != NULL, "--helo NAME");
	require(told, told->from != NULL, "--from ADDRESS");
	require(told, told->n_rcpts > 0, "--rcpt ADDRESS");
	if (told->zone != NULL && told->dns != NULL)
		mr_cli_misused(
			told->cli, "--zone and --dns exclude each other");
	/* An empty line ends the headers (RFC 5322 section 2.1). */
	if (told->octets > 0)
		told->octets += 2;
	if (!told->truly_sized)
		told->true_size = told->sized ? told->size : told->octets;
}

/* --- the client's name -------------------------------------------------- */

/* As Postfix does: the first name of the address must have that address. */
static void verify_name(struct told *told, struct mr_dns *dns, int64_t wait)
{
	struct mr_arena *arena = told->cli->arena;
	int64_t deadline = mr_cli_deadline(wait);
	const char *const *names;
	struct mr_error error;
	const char *ip = mr_ip_format(arena, &told->client);

	switch (mr_dns_names(
		dns, &told->client, deadline, arena, &names, &error)) {
	case MR_NOTFOUND:
		told->name_note = mr_arena_printf(arena, "%s has no name", ip);
		return;
	case MR_TEMPFAIL:
		told->name_note = mr_arena_printf(
			arena, "the name of %s: %s", ip, error.text);
		return;
	case MR_FOUND:
		break;
	}
	switch (mr_dns_name_has(
		dns, names[0], &told->client, deadline, arena, &error)) {
	case MR_FOUND:
		told->client_name = mr_arena_strdup(arena, names[0]);
		break;
	case MR_NOTFOUND:
		told->name_note = mr_arena_printf(arena,
			"%s calls itself %s, but that name has other addresses",
			ip, names[0]);
		break;
	case MR_TEMPFAIL:
		told->name_note = mr_arena_printf(
			arena, "the addresses of %s: %s", names[0], error.text);
		break;
	}
}

/* --zone and --dns stand for the policy's servers. */
static int choose_dns(struct told *told, struct mr_policy *policy)
{
	struct mr_dns *dns = NULL;
	struct mr_error error;
	int status = 0;

	if (told->zone != NULL)
		status = mr_dns_open_zone(told->zone, &dns, &error);
	else if (told->dns != NULL)
		status = mr_dns_open_server(told->dns, &dns, &error);
	if (status < 0) {
		mr_cli_say(told->cli, "%s", error.text);
		return -1;
	}
	if (dns == NULL)
		return 0;
	mr_policy_use_dns(policy, dns);
	if (told->client_name == NULL)
		verify_name(told, dns, policy->global->wait);
	return 0;
}

/* --- the mail ----------------------------------------------------------- */

static void tell_headers(const struct told *told, struct mr_txn *txn)
{
	for (size_t i = 0; i < told->n_headers; i++) {
		const char *header = told->headers[i];
		size_t length = strcspn(header, ":");

		mr_scan_header(txn,
			mr_arena_strndup(told->cli->arena, header, length),
			header + length + 1);
	}
}

static void play(
	struct told *told, struct mr_engine *engine, struct mr_txn *txn)
{
	if (mr_engine_step(engine, txn, MR_STAGE_MAIL)->action >= MR_DEFER)
		return;
	for (size_t i = 0; i < told->n_rcpts; i++) {
		mr_txn_rcpt(txn, told->rcpts[i]);
		mr_engine_step(engine, txn, MR_STAGE_RCPT);
	}
	for (const struct mr_recipient *r = txn->recipients; r != NULL;
		r = r->next)
		if (r->verdict.action < MR_DEFER) {
			tell_headers(told, txn);
			mr_txn_content(txn, told->true_size);
			mr_engine_step(engine, txn, MR_STAGE_EOM);
			return;
		}
}

static struct mr_session *connect_client(const struct told *told)
{
	struct mr_session *session = mr_session_new();

	mr_session_client(session, &told->client, told->client_name);
	mr_session_listener(session, told->port, NULL);
	mr_session_server(session, told->server);
	mr_session_tls(session, told->tls);
	if (*told->helo != '\0')
		mr_session_helo(session, told->helo);
	mr_session_login(session, told->login);
	return session;
}

static enum mr_exit explain(struct told *told, struct mr_policy *policy)
{
	struct mr_engine *engine = mr_engine_new(mr_policy_hold(policy));
	struct mr_session *session = connect_client(told);
	struct mr_txn *txn = mr_txn_new(engine, session, policy, told->from,
		told->sized ? told->size : 0, time(NULL));
	struct mr_explained explained = { .txn = txn,
		.name_note = told->name_note };
	enum mr_exit status;

	txn->every_rule = true;
	/* The milter knows which lists are well. */
	if (mr_policy_asks(policy, "dnsbl") && !txn->trusted)
		mr_dnsbl_probe(policy->lists, policy->dns);
	play(told, engine, txn);
	explained.summary = mr_txn_summary(txn);
	status = explained.summary->action < MR_DEFER ? MR_EXIT_FINE
	                                              : MR_EXIT_NEGATIVE;
	if (status == MR_EXIT_FINE)
		explained.tag = mr_txn_tag(txn);
	if (told->json)
		mr_explain_print_json(&explained, told->cli->arena);
	else
		mr_explain_print(
			&explained, told->cli->arena, told->cli->colour);
	mr_txn_free(&txn);
	mr_session_free(&session);
	mr_engine_free(&engine);
	return status;
}

static enum mr_exit run(struct mr_cli *cli)
{
	struct told told = { .cli = cli };
	struct mr_policy *policy;
	enum mr_exit status = MR_EXIT_USAGE;

	read_options(&told);
	policy = mr_cli_policy(cli);
	if (policy == NULL)
		return MR_EXIT_USAGE;
	if (choose_dns(&told, policy) == 0)
		status = explain(&told, policy);
	mr_policy_release(&policy);
	return status;
}

const struct mr_verb mr_verb_explain = {
	.name = "explain",
	.summary = "what would happen to this mail, and why?",
	.help = "Judges a made-up mail as the milter would, and shows every "
		"rule's part in it.\n"
		"Needed are --client, --helo, --from and --rcpt, as in\n"
		"\n"
		"  mailreeve explain --client 192.0.2.7 --helo "
		"mail.example.org "
		"\\\n"
		"      --from ann@example.org --rcpt bob@example.net --size "
		"30M\n"
		"\n"
		"Exit status: 0 accepted, 1 deferred or refused, 2 wrong usage "
		"or policy.\n",
	.flags = flags,
	.run = run,
};
