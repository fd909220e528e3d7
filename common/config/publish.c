/* publish - the copy of the mailbox parts that Dovecot's processes read.
 * Deterministic: the same file gives the same octets. */
/* SPDX-License-Identifier: ISC */
#include "common/config/published.h"
#include "common/config/store.h"
#include "common/config/scan.h"
#include "common/config/value.h"

#include <errno.h>
#include <string.h>

struct publishing {
	const struct mr_config *config;
	struct mr_arena *scratch;
	FILE *out;
};

static const struct mr_set *find_set(
	const struct mr_binding *binding, unsigned option)
{
	const struct mr_set *s = binding->sets;

	while (s != NULL && s->option != option)
		s = s->next;
	return s;
}

/* In the order of the table. */
static void print_sets(struct publishing *p, const struct mr_binding *binding,
	const char *indent)
{
	for (unsigned i = 0; i < binding->info->options; i++) {
		const struct mr_option *option =
			&binding->info->section->options[i];
		const struct mr_set *set = find_set(binding, i);

		if (set != NULL && !option->unpublished)
			fprintf(p->out, "%s%s = %s # %s\n", indent,
				option->name,
				mr_value_format(p->scratch, option, set->value),
				mr_place_format(p->scratch, &set->at));
	}
}

/* A title that could be taken for something else stands in quotes. */
static const char *quote_title(struct publishing *p, const char *title)
{
	if (strpbrk(title, " \t\"#{}=") == NULL)
		return title;
	return mr_scan_quote(p->scratch, title);
}

static void print_instance(struct publishing *p,
	const struct mr_binding *binding, const char *indent,
	const char *inside)
{
	fprintf(p->out, "%s%s", indent, binding->info->name);
	if (binding->title[0] != '\0')
		fprintf(p->out, " %s", quote_title(p, binding->title));
	fputs(" {\n", p->out);
	print_sets(p, binding, inside);
	fprintf(p->out, "%s}\n", indent);
}

static void print_top(struct publishing *p)
{
	const struct mr_binding *own = p->config->top->scope.bindings;

	if (own->info->section->published)
		print_sets(p, own, "");
	for (const struct mr_binding *b = own->next; b != NULL; b = b->next)
		if (b->info->section->published)
			print_instance(p, b, "", "\t");
}

/* Its own settings alone are no reason to name a customer.  But all groups are
 * there: of several that an address is in the first counts, whatever it says.
 */
static bool is_published(const struct mr_scope *scope)
{
	const struct mr_binding *b = scope->bindings->next;

	if (scope->rung == MR_GROUP)
		return true;
	while (b != NULL && !b->info->section->published)
		b = b->next;
	return b != NULL;
}

static void print_scope(struct publishing *p, const struct mr_scope *scope)
{
	const struct mr_binding *own = scope->bindings;

	if (!is_published(scope))
		return;
	p->scratch = mr_arena_new(1024);
	fprintf(p->out, "%s %s {\n", own->info->name,
		quote_title(p, scope->title));
	if (own->info->section->published)
		print_sets(p, own, "\t");
	for (const struct mr_binding *b = own->next; b != NULL; b = b->next)
		if (b->info->section->published)
			print_instance(p, b, "\t", "\t\t");
	fputs("}\n", p->out);
	mr_arena_free(&p->scratch);
}

static int compare_scopes(const void *a, const void *b)
{
	const struct mr_scope *x = *(const struct mr_scope *const *)a;
	const struct mr_scope *y = *(const struct mr_scope *const *)b;
	int order = strcmp(x->bindings->info->name, y->bindings->info->name);

	return order != 0 ? order : strcmp(x->title, y->title);
}

/* All rungs but the groups, whose order in the file decides. */
static void print_sorted(struct publishing *p)
{
	static const enum mr_rung rungs[] = { MR_DOMAIN, MR_LISTENER, MR_USER };
	const struct mr_scope **sorted, *s;
	size_t count = 0, all = 0;

	for (size_t i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++)
		all += HASH_COUNT(p->config->scopes[rungs[i]]);
	sorted = mr_calloc(all + 1, sizeof(*sorted));
	for (size_t i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++)
		for (s = mr_config_scopes(p->config, rungs[i]); s != NULL;
			s = s->next)
			sorted[count++] = s;
	qsort(sorted, count, sizeof(*sorted), compare_scopes);
	for (size_t i = 0; i < count; i++)
		print_scope(p, sorted[i]);
	free(sorted);
}

int mr_config_publish(
	const struct mr_config *config, FILE *out, struct mr_error *error)
{
	struct publishing p = { .config = config, .out = out };

	fputs("# The mailbox parts of the policy, published by \"mailreeve "
	      "reload\".\n# Edit the files that the comments name, not this "
	      "one.\n",
		out);
	p.scratch = mr_arena_new(4096);
	print_top(&p);
	mr_arena_free(&p.scratch);
	for (const struct mr_scope *s = mr_config_scopes(config, MR_GROUP);
		s != NULL; s = s->next)
		print_scope(&p, s);
	print_sorted(&p);
	fputs(MR_PUBLISHED_END, out);
	if (fflush(out) != 0 || ferror(out))
		return mr_error_set(error,
			"cannot write the published copy: %s", strerror(errno));
	return 0;
}
