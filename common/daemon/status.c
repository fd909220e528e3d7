/* status - see status.h. */
/* SPDX-License-Identifier: ISC */
#include "common/daemon/status.h"
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/map/map.h"
#include "common/policy/engine.h"
#include "common/policy/tally.h"
#include "common/daemon/supervisor.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long status waits for one map that answers over a socket. */
enum { PROBE_MS = 200, PROBES_MS = 1000 };

void mr_status_say(struct mr_arena *arena, FILE *out, const char *name,
	const char *format, ...)
{
	va_list ap;
	char *text;

	va_start(ap, format);
	text = mr_arena_vprintf(arena, format, ap);
	va_end(ap);
	mr_text_clean(text, strlen(text));
	fprintf(out, "%s=%s\n", name, text);
}

static void say_time(
	struct mr_arena *arena, FILE *out, const char *name, time_t when)
{
	char text[64];
	struct tm parts;

	gmtime_r(&when, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	mr_status_say(arena, out, name, "%s", text);
}

static void say_mistakes(struct mr_arena *arena, FILE *out,
	const struct mr_supervisor *supervisor)
{
	const struct mr_problem *p;

	if (supervisor->broken == NULL)
		return;
	mr_status_say(
		arena, out, "mistakes", "%zu", supervisor->problems.mistakes);
	for (p = supervisor->problems.first; p != NULL; p = p->next)
		if (p->severity == MR_MISTAKE)
			mr_status_say(arena, out, "mistake", "%s:%u:%u: %s",
				p->at.file, p->at.line, p->at.column,
				p->message);
}

/* Asks for an address that cannot be there; only "could not find out" counts.
 * It is the thread that takes signals, so all tables together get `until_ms`.
 */
static void probe(
	struct mr_arena *arena, FILE *out, struct mr_map *map, int64_t until_ms)
{
	int64_t deadline_ms = mr_clock_ms() + PROBE_MS;
	struct mr_error error;
	const char *value;

	if (deadline_ms > until_ms) {
		mr_status_say(arena, out, "map_not_asked", "%s",
			mr_map_reference(map));
		return;
	}
	if (mr_map_get(map, arena, "mailreeve-status@invalid", deadline_ms,
		    &value, &error) == MR_TEMPFAIL)
		mr_status_say(arena, out, "map_failing", "%s", error.text);
}

static void say_maps(
	struct mr_arena *arena, FILE *out, const struct mr_policy *policy)
{
	const struct mr_recipient_maps *maps = &policy->maps;
	int64_t until_ms = mr_clock_ms() + PROBES_MS;

	for (size_t i = 0; i < maps->n_domains; i++)
		probe(arena, out, maps->domains[i], until_ms);
	for (size_t i = 0; i < maps->n_aliases; i++)
		probe(arena, out, maps->aliases[i], until_ms);
	for (size_t i = 0; i < maps->n_mailboxes; i++)
		probe(arena, out, maps->mailboxes[i], until_ms);
	for (const struct mr_group_maps *g = policy->groups;
		g != NULL && g->scope != NULL; g++)
		for (struct mr_map **m = g->members; *m != NULL; m++)
			probe(arena, out, *m, until_ms);
}

static void say_server(struct mr_arena *arena, FILE *out,
	const struct mr_dns_server_status *server)
{
	const char *health = "well";

	if (server->set_aside)
		health = "does not answer, set aside";
	else if (server->silent_ms < 0)
		health = "not asked yet";
	else if (server->late > 0)
		health = "late";
	if (server->answered == 0)
		mr_status_say(arena, out, "dns_server", "%s: %s", server->text,
			health);
	else
		mr_status_say(arena, out, "dns_server",
			"%s: %s; answered %" PRIu64 " of %" PRIu64
			", in %u ms, the last %" PRId64 " s ago",
			server->text, health, server->answered, server->asked,
			server->mean_ms, server->silent_ms / 1000);
}

static void say_dns(
	struct mr_arena *arena, FILE *out, const struct mr_policy *policy)
{
	struct mr_dns_status dns;

	mr_dns_status(policy->dns, arena, &dns);
	for (size_t i = 0; i < dns.n_servers; i++)
		say_server(arena, out, &dns.servers[i]);
	mr_status_say(arena, out, "dns_questions",
		"%" PRIu64 " asked, %" PRIu64 " from the cache, %" PRIu64
		" joined, %zu under way, %" PRIu64 " turned away",
		dns.asked, dns.from_cache, dns.joined, dns.under_way,
		dns.turned_away);
	mr_status_say(arena, out, "dns_cache",
		"%zu answers in %zu of %zu octets", dns.cached,
		dns.cache_octets, dns.cache_bound);
}

struct saying {
	struct mr_arena *arena;
	FILE *out;
};

static void say_list(void *context, const char *list, const char *health)
{
	struct saying *saying = context;

	mr_status_say(
		saying->arena, saying->out, "list", "%s: %s", list, health);
}

static void say_lists(
	struct mr_arena *arena, FILE *out, const struct mr_policy *policy)
{
	if (mr_policy_asks(policy, "dnsbl"))
		mr_dnsbl_status(policy->lists, mr_clock_ms(), say_list,
			&(struct saying){ arena, out });
}

static void say_exceptions(
	struct mr_arena *arena, FILE *out, const struct mr_policy *policy)
{
	time_t now = time(NULL);

	for (const struct mr_rule_exception *e = policy->exceptions;
		e != NULL && e->name != NULL; e++)
		if (e->values->until != 0 && now >= e->values->until)
			mr_status_say(arena, out, "exception_expired",
				"%s at %s", e->name,
				mr_place_format(arena, &e->at));
}

/* "exception=MAILS LAST NAME"; LAST in seconds, 0: none. */
static void say_uses(struct mr_supervisor *s, struct mr_arena *arena, FILE *out)
{
	struct mr_policy *policy = mr_engine_policy(s->engine);

	fputs("ok\n", out);
	mr_status_say(arena, out, "started", "%jd", (intmax_t)s->started);
	for (const struct mr_rule_exception *e = policy->exceptions;
		e->name != NULL; e++) {
		time_t last;
		uint64_t mails = mr_tally_read(e->mails, &last);

		mr_status_say(arena, out, "exception", "%" PRIu64 " %jd %s",
			mails, (intmax_t)last, e->name);
	}
	mr_policy_release(&policy);
}

static void say_count(void *context, const char *name, uint64_t count)
{
	struct saying *saying = context;

	mr_status_say(saying->arena, saying->out,
		mr_arena_printf(saying->arena, "count.%s", name), "%" PRIu64,
		count);
}

static void say_status(
	struct mr_supervisor *s, struct mr_arena *arena, FILE *out)
{
	struct mr_policy *policy = mr_engine_policy(s->engine);

	fputs("ok\n", out);
	mr_status_say(arena, out, "version", "%s", MAILREEVE_VERSION);
	mr_status_say(arena, out, "pid", "%ld", (long)getpid());
	mr_status_say(arena, out, "state", "%s",
		s->stopping ? "stopping" : "running");
	mr_status_say(arena, out, "mode", "%s",
		policy->global->mode == MR_MODE_OBSERVE ? "observe"
							: "enforce");
	say_time(arena, out, "started", s->started);
	mr_status_say(arena, out, "policy", "%s", s->path);
	say_time(arena, out, "loaded", s->loaded);
	say_mistakes(arena, out, s);
	s->front->status(s->state, arena, out);
	say_dns(arena, out, policy);
	say_lists(arena, out, policy);
	say_maps(arena, out, policy);
	say_exceptions(arena, out, policy);
	mr_engine_counts(s->engine, say_count, &(struct saying){ arena, out });
	mr_policy_release(&policy);
}

static void say_reload(
	struct mr_supervisor *s, struct mr_arena *arena, uid_t peer, FILE *out)
{
	if (peer != 0 && peer != geteuid()) {
		fprintf(out,
			"error=only root and the user that runs %s may "
			"reload\n",
			s->front->program);
		return;
	}
	if (mr_supervisor_reload(s) == 0) {
		fputs("ok\n", out);
		return;
	}
	fputs("error=the policy has mistakes, the running one stays\n", out);
	say_mistakes(arena, out, s);
}

static void say_rates(
	struct mr_supervisor *s, struct mr_arena *arena, FILE *out)
{
	if (s->front->rates == NULL) {
		fprintf(out, "error=%s does not count\n", s->front->program);
		return;
	}
	fputs("ok\n", out);
	s->front->rates(s->state, arena, out);
}

void mr_status_answer(
	void *context, const char *request, uid_t peer, FILE *answer)
{
	struct mr_arena *arena = mr_arena_new(4096);

	if (strcmp(request, "status") == 0)
		say_status(context, arena, answer);
	else if (strcmp(request, "rates") == 0)
		say_rates(context, arena, answer);
	else if (strcmp(request, "exceptions") == 0)
		say_uses(context, arena, answer);
	else if (strcmp(request, "reload") == 0)
		say_reload(context, arena, peer, answer);
	else
		fputs("error=ask for status, rates, exceptions or reload\n",
			answer);
	mr_arena_free(&arena);
}
