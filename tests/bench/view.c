/* view - what the policy of 100,000 domains costs at a login: to find out
 * what the published copy says about one user.  Prints name=value. */
/* SPDX-License-Identifier: ISC */
#include "common/config/published.h"
#include "dovecot-plugin/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DOMAINS = 100 * 1000, LOGINS = 2000 };

static const char path[] = "bench-mailbox.conf";

static int compare_text(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	char one[16], two[16];

	snprintf(one, sizeof(one), "%d", x);
	snprintf(two, sizeof(two), "%d", y);
	for (const char *p = one, *q = two;; p++, q++)
		if (*p != *q || *p == '\0')
			return *p - *q;
}

/* Sorted as mr_config_publish sorts. */
static void write_copy(int domains)
{
	static int numbers[DOMAINS];
	FILE *out = fopen(path, "w");

	if (out == NULL) {
		perror(path);
		exit(1);
	}
	fputs("mailbox {\n\tquota = 1G # p:1\n}\npurge Trash {\n"
	      "\tafter = 92d # p:2\n}\npurge Spam {\n\tafter = 14d # p:3\n}\n",
		out);
	for (int i = 0; i < domains; i++)
		numbers[i] = i;
	qsort(numbers, (size_t)domains, sizeof(numbers[0]), compare_text);
	for (int i = 0; i < domains; i++)
		fprintf(out,
			"domain %d.example {\n\tmailbox {\n"
			"\t\tquota = %dM # /etc/mailreeve/mailreeve.conf:%d\n"
			"\t}\n}\n",
			numbers[i], i % 40 + 1, i);
	fputs(MR_PUBLISHED_END, out);
	fclose(out);
	chmod(path, 0644);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void measure(int domains)
{
	static double took[LOGINS];
	struct mr_error error;

	write_copy(domains);
	for (int i = 0; i < LOGINS; i++) {
		struct mr_view *view;
		char address[64];
		double start = now_us();

		snprintf(address, sizeof(address), "ann@%d.example",
			(int)((unsigned)i * 7919u % DOMAINS));
		if (mr_view_load(path, address, &view, &error) < 0) {
			fprintf(stderr, "%s\n", error.text);
			exit(1);
		}
		mr_view_free(&view);
		took[i] = now_us() - start;
	}
	qsort(took, LOGINS, sizeof(took[0]), compare);
	printf("domains=%d median_us=%.1f p99_us=%.1f\n", domains,
		took[LOGINS / 2], took[LOGINS * 99 / 100]);
}

int main(void)
{
	measure(0);
	measure(DOMAINS);
	unlink(path);
	return 0;
}
